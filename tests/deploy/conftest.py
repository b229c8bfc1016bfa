"""What the tests share: the chart as Helm renders it, once for each file of values."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rendered import EXAMPLES, Chart


def lacking(what: str) -> Path:
    """Leaves the test out, or fails it where tests are promised."""
    if os.environ.get("SYNTH2REAL_TESTS_PROMISED"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder with Helm and the other tools."""
    folder = Path(sys.executable).parent
    if not (folder / "helm").is_file():
        lacking(f"{folder} has no helm: run `make deploy`")
    return folder


@pytest.fixture(scope="session", params=EXAMPLES, ids=lambda path: path.stem)
def chart(request: pytest.FixtureRequest, tools: Path) -> Chart:
    return Chart.render(tools / "helm", request.param)
