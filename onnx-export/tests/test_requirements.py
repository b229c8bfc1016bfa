"""Environments are made of files whose digests are known, and of the versions that are named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETUP = ROOT.parent / "infra/setup"
READERS = ROOT.parent / "tests/readers"
DEPLOY = ROOT.parent / "tests/deploy"
ADVICE = "run infra/setup/requirements.sh"


def compiled(path: Path) -> dict[str, list[str]]:
    """Returns the digests of each `name==version` in a compiled file."""
    entries: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=\S)", path.read_text()):
        if not entry.startswith("#"):
            requirement = re.split(r"[ ;\\]", entry, maxsplit=1)[0]
            entries[requirement] = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)
    return entries


def named(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_version_that_the_project_names_is_compiled() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
    ]
    found = compiled(ROOT / "requirements.txt")
    versions = {requirement.split(" ;")[0] for requirement in wanted}
    assert versions - set(found) == set(), ADVICE


@pytest.mark.parametrize("room", [READERS, DEPLOY], ids=lambda path: path.name)
def test_every_version_of_a_room_of_tests_is_compiled(room: Path) -> None:
    project = tomllib.loads((room / "pyproject.toml").read_text())
    overridden = project["tool"]["uv"]["override-dependencies"]
    wanted = [*project["project"]["dependencies"], *(of for of in overridden if "==" in of)]
    wanted = [re.sub(r"\[.*]", "", of) for of in wanted]
    found = compiled(room / "requirements.txt")
    assert set(wanted) - set(found) == set(), ADVICE
    left_out = {of.split(" ;")[0] for of in overridden if "==" not in of}
    assert left_out & {requirement.split("==")[0] for requirement in found} == set()


@pytest.mark.parametrize(
    "path",
    [*(SETUP / name for name in ("bill", "moto", "rival", "uv", "wheel")), READERS / "source"],
    ids=lambda path: path.name,
)
def test_every_version_that_a_tool_is_made_of_is_compiled(path: Path) -> None:
    wanted = {re.sub(r"\[.*]", "", line) for line in named(path.with_suffix(".in"))}
    assert wanted - set(compiled(path.with_suffix(".txt"))) == set(), ADVICE


@pytest.mark.parametrize(
    "path",
    [
        ROOT / "requirements.txt",
        *(READERS / f"{name}.txt" for name in ("requirements", "source")),
        DEPLOY / "requirements.txt",
        *(SETUP / f"{name}.txt" for name in ("bill", "cuda", "moto", "rival", "uv", "wheel")),
    ],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_everything_compiled_has_one_version_and_its_digests(path: Path) -> None:
    for requirement, digests in compiled(path).items():
        assert re.fullmatch(r"[a-z0-9.-]+==[^=\s]+", requirement), requirement
        assert digests, requirement
    assert "://" not in path.read_text()


@pytest.mark.parametrize(
    "script",
    [
        "bill.sh",
        "deploy.sh",
        "maturin.sh",
        "moto.sh",
        "onnx-export.sh",
        "readers.sh",
        "requirements.sh",
        "rival.sh",
    ],
)
def test_scripts_install_nothing_else(script: str) -> None:
    text = (SETUP / script).read_text().replace("\\\n", " ")
    installs = [line for line in text.splitlines() if re.search(r"\binstall .*--\w", line)]
    assert installs
    for line in installs:
        is_wheels = "--only-binary :all:" in line
        checked = "--require-hashes" in line and (is_wheels or line.endswith(' "$SOURCES"'))
        assert checked or "--no-index" in line or '--no-deps "$@"' in line, line
