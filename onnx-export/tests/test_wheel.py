"""The wheel asks for what the project is tested with, and has what its programs look for."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import onnx_export
from tests.test_requirements import compiled, named

ROOT = Path(__file__).parents[2]
SETUP = ROOT / "infra/setup"
WHEEL = ROOT / "infra/wheel"


def toml(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text())


PACKAGE = toml("pyproject.toml")
PROJECT = PACKAGE["project"]
EXTRAS = PROJECT["optional-dependencies"]
MATURIN = PACKAGE["tool"]["maturin"]


def runtime_of_tests() -> str:
    """Returns the version of ONNX Runtime that every test runs on."""
    found = re.search(r"^VERSION=(.*)$", (SETUP / "onnxruntime.sh").read_text(), re.MULTILINE)
    assert found
    return found[1]


def versions(requirements: list[str]) -> dict[str, str]:
    return dict(requirement.split("==", 1) for requirement in requirements)


def test_all_packages_are_of_one_version() -> None:
    version = toml("Cargo.toml")["workspace"]["package"]["version"]
    assert "version" in PROJECT["dynamic"]
    # maturin takes that of the crate.
    assert toml(MATURIN["manifest-path"])["package"]["version"] == {"workspace": True}
    assert toml("onnx-export/pyproject.toml")["project"]["version"] == version
    assert onnx_export.__version__ == version


def test_the_runtime_is_the_one_that_tests_run_on() -> None:
    tested = runtime_of_tests()
    minor = tested.rsplit(".", 1)[0]
    assert PROJECT["dependencies"] == [f"onnxruntime=={minor}.*"]
    gpu = versions(EXTRAS["gpu"])
    assert gpu["onnxruntime-gpu"] == tested
    # Beside it there must be no library of the same name.
    assert gpu["onnxruntime"] != tested
    assert gpu["onnxruntime"].rsplit(".", 1)[0] == minor


def test_libraries_of_nvidia_are_those_that_images_have() -> None:
    gpu = [of for of in EXTRAS["gpu"] if not of.startswith("onnxruntime")]
    assert sorted(gpu) == sorted(compiled(SETUP / "cuda.txt"))


def test_extras_that_cannot_share_an_environment_are_told() -> None:
    exporting = versions(list(compiled(ROOT / "onnx-export/requirements.txt")))
    gpu = versions([of for of in EXTRAS["gpu"] if not of.startswith("onnxruntime")])
    contradict = {name for name in gpu if exporting.get(name, gpu[name]) != gpu[name]}
    told = "Each in an environment of its own" in (WHEEL / "README.md").read_text()
    assert told == bool(contradict), contradict


def test_what_exports_asks_for_what_it_is_tested_with() -> None:
    wanted = toml("onnx-export/pyproject.toml")["project"]["dependencies"]
    wanted = [of for of in wanted if not of.startswith("onnxruntime==")]
    assert wanted == EXTRAS["export"]
    pythons = toml("onnx-export/pyproject.toml")["project"]["requires-python"]
    assert pythons == PROJECT["requires-python"]


def test_what_builds_it_is_pinned_once() -> None:
    assert PACKAGE["build-system"]["requires"] == named(SETUP / "wheel.in")


def test_what_it_is_made_of_is_there() -> None:
    packages = [MATURIN["module-name"], *MATURIN["python-packages"]]
    assert set(packages) == {"downstream", "onnx_export"}
    for package in packages:
        assert (ROOT / MATURIN["python-source"] / package / "__init__.py").is_file()
    for pattern in MATURIN["exclude"]:
        assert (ROOT / pattern.removesuffix("/**")).is_dir(), pattern
    assert (ROOT / PROJECT["readme"]).is_file()
    program = WHEEL / "synth2real-export"
    assert program.read_text().startswith("#!python\n")
    assert program.stat().st_mode & stat.S_IXUSR


def test_nothing_in_it_needs_what_is_left_out_of_it() -> None:
    source = ROOT / MATURIN["python-source"]
    left_out = [ROOT / pattern.removesuffix("/**") for pattern in MATURIN["exclude"]]
    files = [
        path
        for package in ("downstream", "onnx_export")
        for path in (source / package).rglob("*.py")
        if not any(path.is_relative_to(folder) for folder in left_out)
    ]
    assert len(files) > 50
    absent = re.compile(
        r"^\s*(from|import) (baseline|demo|tests|downstream\.(proof|tests))\b", re.MULTILINE
    )
    assert [path for path in files if absent.search(path.read_text())] == []


def test_licences_that_are_told_are_those_that_are_allowed() -> None:
    allowed = toml("deny.toml")
    told = toml("infra/licences/about.toml")
    assert set(told["accepted"]) == set(allowed["licenses"]["allow"])
    assert told["targets"] == allowed["graph"]["targets"]


@pytest.mark.parametrize(
    ("package", "options"),
    [
        ("onnx_export", ["--out", "none", "--height", "512", "--width", "512"]),
        ("onnx_export.features", ["--out", "none"]),
        ("onnx_export.prior", ["--out", "none", "--height", "512", "--width", "512"]),
        ("downstream", ["--real", "none"]),
    ],
)
def test_a_module_that_is_missing_is_named_with_what_brings_it(
    package: str, options: list[str]
) -> None:
    # As where the package was installed without its extra.
    program = (
        "import sys\nsys.modules.update(dict.fromkeys(['numpy', 'onnx_ir', 'torch']))\n"
        f"from onnx_export.program import run\nsys.exit(run({package!r}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "none", *options],
        cwd=ROOT / "onnx-export",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3, ended.stderr
    told = (
        rf"{re.escape(package)}: the Python package \w+ is missing: install synth2real\[export\].*"
    )
    assert re.fullmatch(told, ended.stderr.strip()), ended.stderr
