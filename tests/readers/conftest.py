"""A small run of the built program and its exports, each made once for all tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# What readers keep for later goes with the tests, and none asks anything of a network: they look at
# this as they are imported.
KEPT = tempfile.TemporaryDirectory(prefix="readers-")
os.environ |= {
    "HOME": KEPT.name,
    "XDG_CACHE_HOME": KEPT.name,
    "HF_HOME": KEPT.name,
    "CROISSANT_CACHE": KEPT.name,
    "HF_HUB_OFFLINE": "1",
    "FIFTYONE_DO_NOT_TRACK": "true",
    "MPLBACKEND": "agg",
}

from converted import Export, Run, unnamed  # noqa: E402

os.environ |= unnamed(os.environ)


@pytest.fixture(scope="session")
def program() -> Path:
    """The built program, or another that `SYNTH2REAL` names; it has to be there if promised."""
    path = Path(os.environ["SYNTH2REAL"])
    if path.is_file():
        return path
    lacking = f"{path} is no built program: run `make programs`, or name one with SYNTH2REAL"
    if os.environ.get("SYNTH2REAL_TESTS_PROMISED"):
        pytest.fail(lacking)
    pytest.skip(lacking)


@pytest.fixture(scope="session")
def run(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run.convert(program, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def exported(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Returns a function that exports the run in a layout, once."""
    made: dict[str, Path] = {}

    def export(layout: str) -> Path:
        if layout not in made:
            out = tmp_path_factory.mktemp("export") / layout
            # The least that a file of many items may have: there are several.
            made[layout] = run.export(layout, out, "--file-bytes", str(1 << 20))
        return made[layout]

    return export
