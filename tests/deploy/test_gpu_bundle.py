"""The bundle for a machine with a GPU, on libraries that stand in for CUDA's."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gpu_check import goldens, pictures, recipe, trial, weights
from gpu_check.__main__ import perform, steps
from gpu_check.arrays import Array, Arrays, distance
from gpu_check.budget import Budget
from gpu_check.bundle import Bundle
from gpu_check.report import Status

from conftest import lacking
from rendered import REPOSITORY

BUNDLE = REPOSITORY / "infra/gpu-bundle"
MODEL = REPOSITORY / "tests/fixtures/golden-model"
GOLDEN = REPOSITORY / "tests/fixtures/golden"
STAND_IN = REPOSITORY / ".cache/cuda-packages-stand-in"
LIBRARY = REPOSITORY / ".cache/onnxruntime-gpu"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder on the disk that programs and libraries are on, so that they are linked."""
    target = REPOSITORY / "target"
    target.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="gpu-bundle-", dir=target))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def programs() -> Path:
    folder = Path(os.environ.get("PROGRAMS", ""))
    if not (folder / "synth2real").is_file():
        lacking("PROGRAMS is not set: `make test-deploy` sets it")
    return folder


@pytest.fixture(scope="module")
def bundle(place: Path, programs: Path) -> Path:
    """The bundle as it is made, with a small model in the place of one of full width."""
    if platform.machine() != "x86_64":
        pytest.skip("there is no ONNX Runtime with CUDA for this machine")
    if not STAND_IN.is_dir():
        lacking(f"{STAND_IN} is not there: run `make cuda-stand-in`")
    out = place / "bundle"
    subprocess.run([BUNDLE / "layout.sh", out, programs, LIBRARY, STAND_IN / "nvidia"], check=True)
    recipe.write(MODEL, out / "recipes/small-fp32")
    return out


def checked(
    bundle: Path, folder: Path, *arguments: str, driver: Path | None = STAND_IN / "driver"
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Runs the check on a machine with a driver; returns how it ended and its figures."""
    ended = start(bundle, folder, *arguments, driver=driver)
    return ended, json.loads((folder / "gpu-check.json").read_text())


def start(
    bundle: Path, folder: Path, *arguments: str, driver: Path | None = STAND_IN / "driver"
) -> subprocess.CompletedProcess[str]:
    """Runs the check on a machine with a driver; returns how it ended."""
    left_out = ("ORT_DYLIB_PATH", "LD_LIBRARY_PATH", "PYTORCH_PYTHON", "SYNTH2REAL_TRIAL")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    if driver:
        variables["LD_LIBRARY_PATH"] = str(driver)
    return subprocess.run(
        [bundle / "gpu-check.sh", "--work", folder, "--repeats", "2", *arguments],
        env=variables, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_everything_is_run_on_the_stand_in_and_told(bundle: Path, tmp_path: Path) -> None:
    ended, document = checked(bundle, tmp_path, "--nothing-is-computed")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    steps = {step["name"]: step for step in document["steps"]}
    not_judged = ["trial", "goldens", "equal bytes", "out of memory"]
    names = [*(f"{name}, golden-fp32" for name in not_judged), "speed, small-fp32"]
    for name in names:
        assert steps[name]["status"] == "not judged", steps[name]
        assert name in ended.stdout
    assert "ONNX Runtime" in steps["trial, golden-fp32"]["told"]
    assert len(steps["goldens, golden-fp32"]["figures"]["goldens"]) == 7
    assert steps["equal bytes, golden-fp32"]["figures"]["runs"] == 2
    assert "memory ran out" in steps["out of memory, golden-fp32"]["told"]
    assert steps["speed, small-fp32"]["figures"]["images"] == 4
    assert steps["PyTorch, small-fp32"]["status"] == "not run"
    assert len(steps) == len(names) + 1
    # Models and images are gone.
    assert [path.name for path in tmp_path.iterdir()] == ["gpu-check.json"]


def test_a_gpu_that_computes_nothing_is_wrong(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(STAND_IN / "driver"))
    tried = Bundle(bundle, tmp_path, "cuda:0", Budget(300))
    result = trial.check(tried, bundle / "models/golden-fp32")
    assert result.status is Status.WRONG, result
    assert "attention" in result.told


def test_what_there_is_no_time_for_is_not_run(bundle: Path, tmp_path: Path) -> None:
    tried = Bundle(bundle, tmp_path, "cuda:0", Budget(0.5))
    for step in steps(tried, times=2):
        result = perform(step)
        assert result.status is Status.NOT_RUN, result
        assert "--seconds" in result.told


def test_a_check_without_time_for_its_first_command_says_so(bundle: Path, tmp_path: Path) -> None:
    ended = start(bundle, tmp_path, "--seconds", "0.5")
    assert ended.returncode == 3
    assert "--seconds" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_machine_without_a_driver_is_told_with_what_is_missing(
    bundle: Path, tmp_path: Path
) -> None:
    ended, document = checked(bundle, tmp_path, driver=None)
    assert ended.returncode == 3
    (step,) = document["steps"]
    assert step["status"] == "not run"
    assert "libcuda.so.1" in step["told"]


def test_numbers_of_the_cpu_are_right_and_those_that_are_off_are_wrong(
    place: Path, programs: Path, tmp_path: Path
) -> None:
    root = place / "cpu"
    for name in ("bin", "lib"):
        (root / name).mkdir(parents=True)
    (root / "bin/synth2real").hardlink_to(programs / "synth2real")
    (root / "lib/libonnxruntime.so").symlink_to(os.environ["ORT_DYLIB_PATH"])
    folder = root / "golden/cactif-night"
    shutil.copytree(GOLDEN / folder.name, folder)
    shutil.copytree(GOLDEN / "inputs", root / "golden/inputs")
    bundle = Bundle(root, tmp_path, "cpu", Budget(60))
    meta = json.loads((folder / "meta.json").read_text())
    found = goldens.compared(bundle, MODEL, folder, meta, goldens.SINGLE)
    assert isinstance(found, goldens.Agreement), found
    assert found.is_within(goldens.SINGLE), found
    # Another contrast than that of the golden.
    (folder / "meta.json").write_text(json.dumps({**meta, "contrast_strength": 1.7}))
    result = goldens.check(bundle, MODEL)
    assert result.status is Status.WRONG, result
    assert "cactif-night" in result.told


def test_a_model_made_of_its_recipe_has_the_digests_of_its_contract(tmp_path: Path) -> None:
    recipe.write(MODEL, tmp_path / "recipe")
    assert not list((tmp_path / "recipe").rglob("*.data"))
    for out in ("one", "other"):
        weights.make(tmp_path / "recipe", tmp_path / out)
    contract = json.loads((tmp_path / "one/model.json").read_text())
    graphs = recipe.graphs_of(contract)
    assert len(graphs) == 9
    for graph in graphs:
        file = graph["data"]
        made = (tmp_path / "one" / file["file"]).read_bytes()
        assert hashlib.sha256(made).hexdigest() == file["sha256"]
        assert made == (tmp_path / "other" / file["file"]).read_bytes()
        assert len(made) == (MODEL / file["file"]).stat().st_size


def test_weights_of_a_recipe_spread_as_those_that_they_stand_for(tmp_path: Path) -> None:
    recipe.write(MODEL, tmp_path / "recipe")
    weights.make(tmp_path / "recipe", tmp_path / "model")
    drawn = 0
    for file in weights.read(tmp_path / "recipe"):
        for tensor in file.tensors:
            one, other = (
                numbers(folder / file.path, tensor.offset, tensor.length)
                for folder in (MODEL, tmp_path / "model")
            )
            if isinstance(tensor, weights.Kept):
                assert one == other
            else:
                drawn += 1
                assert deviation(other) == pytest.approx(deviation(one), rel=0.1)
    assert drawn > 50


def numbers(path: Path, offset: int, length: int) -> list[float]:
    data = path.read_bytes()[offset : offset + length]
    return list(struct.unpack(f"<{length // 4}f", data[: length // 4 * 4]))


def deviation(numbers: list[float]) -> float:
    return float((sum(number * number for number in numbers) / len(numbers)) ** 0.5)


def test_parts_are_put_together_again_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    folder, parts, joined = tmp_path / "bundle", tmp_path / "parts", tmp_path / "joined"
    (folder / "below").mkdir(parents=True)
    joined.mkdir()
    (folder / "below/numbers").write_bytes(bytes(range(256)) * 40 + os.urandom(30_000))
    (folder / "program.sh").write_text("#!/bin/sh\n")
    (folder / "program.sh").chmod(0o755)
    subprocess.run([BUNDLE / "parts.sh", folder, parts, "10000"], check=True)
    made = sorted(parts.glob("part-*"))
    assert len(made) > 2
    assert max(part.stat().st_size for part in made) <= 10_000
    subprocess.run([parts / "join.sh", joined], check=True)
    for path in ("below/numbers", "program.sh"):
        one, other = folder / path, joined / "bundle" / path
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_mode == other.stat().st_mode
    made[1].write_bytes(b"another")
    ended = subprocess.run([parts / "join.sh", joined], capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert made[1].name in ended.stdout + ended.stderr


def test_an_archive_that_was_cut_is_not_taken_for_parts_and_the_next_try_makes_them(
    tmp_path: Path,
) -> None:
    folder, parts, programs = tmp_path / "bundle", tmp_path / "parts", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    (folder / "numbers").write_bytes(os.urandom(30_000))
    (programs / "gzip").write_text("#!/bin/sh\nhead -c 5000\nexit 1\n")
    (programs / "gzip").chmod(0o755)
    cut = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    ended = subprocess.run([BUNDLE / "parts.sh", folder, parts, "10000"], env=cut, check=False)
    assert (ended.returncode != 0, parts.exists()) == (True, False)
    subprocess.run([BUNDLE / "parts.sh", folder, parts, "10000"], check=True)
    assert (parts / "join.sh").is_file()


@pytest.mark.parametrize("kind", range(5))
def test_pixels_are_read_whatever_they_are_filtered_by(kind: int, tmp_path: Path) -> None:
    width, height, path = 7, 5, tmp_path / "picture.png"
    length = width * pictures.CHANNELS
    wanted = bytes((7 * at * at + 3 * at) % 256 for at in range(height * length))
    rows, above = b"", bytes(length)
    for row in range(height):
        line = wanted[row * length : (row + 1) * length]
        rows += bytes([kind])
        for at, value in enumerate(line):
            left, corner = (line[at - 3], above[at - 3]) if at >= 3 else (0, 0)
            rows += bytes([(value - pictures.predicted(kind, left, above[at], corner)) % 256])
        above = line
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(
        pictures.SIGNATURE
        + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
    )
    assert pictures.pixels(path) == ((height, width, 3), wanted)


def test_numbers_that_are_not_finite_are_never_near() -> None:
    array = Arrays(GOLDEN / "cactif-night/golden.npz").read("latent_content")
    assert distance(array, array).worst == 0.0
    broken = Array(array.shape, array.numbers[:])
    broken.numbers[3] = float("nan")
    assert distance(broken, array).mean == float("inf")
    assert distance(array.first(), array).worst == float("inf")


def test_nothing_but_pythons_own_library_is_imported() -> None:
    modules = [path.stem for path in (BUNDLE / "gpu_check").glob("*.py")]
    modules.remove("__main__")
    names = ", ".join(f"gpu_check.{module}" for module in modules if module != "__init__")
    text = f"import sys, {names}; print(*{{name.split('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-S", "-c", text]
    told = subprocess.run(command, cwd=BUNDLE, capture_output=True, text=True, check=True)
    known = {*sys.stdlib_module_names, "gpu_check", "__main__"}
    assert set(told.stdout.split()) <= known
