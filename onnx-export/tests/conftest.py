"""Checkpoints and their exports, each made once for all tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baseline.checkpoint import WIDTHS, write_checkpoint
from onnx_export.export import Settings, export
from tests.chain import Chain, MakeChain
from tests.checkpoints import PROMPT_WIDTH, sd2_shaped, sd15_shaped
from tests.refusals import accepted  # noqa: F401  (a fixture)

HEIGHT, WIDTH = 64, 128
GOLDEN = Path(__file__).parents[2] / "tests/fixtures/golden"

torch.set_num_threads(2)


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="session")
def sd15(workspace: Path) -> Path:
    return sd15_shaped(workspace / "sd15")


@pytest.fixture(scope="session")
def sd2(workspace: Path) -> Path:
    return sd2_shaped(workspace / "sd2")


@pytest.fixture
def program() -> Path:
    """The built program that `SYNTH2REAL` names; where tests are promised, it has to be there."""
    path = Path(os.environ.get("SYNTH2REAL", ""))
    if path.is_file():
        return path
    lacking = f"SYNTH2REAL ({path}) names no built program: run `cargo build --workspace`"
    if os.environ.get("SYNTH2REAL_TESTS_PROMISED"):
        pytest.fail(lacking)
    pytest.skip(lacking)


@pytest.fixture
def copy(sd2: Path, tmp_path: Path) -> Path:
    """A checkpoint of its own for a test that damages it, alone in a folder."""
    return shutil.copytree(sd2, tmp_path / "at" / "checkpoint")


@pytest.fixture(scope="session")
def prompt_file(workspace: Path) -> Path:
    path = workspace / "prompt.npy"
    generator = np.random.default_rng(77)
    np.save(path, generator.standard_normal((1, 77, PROMPT_WIDTH)).astype(np.float32))
    return path


@pytest.fixture(scope="session")
def sd15_chain(workspace: Path, sd15: Path, prompt_file: Path) -> Chain:
    out = workspace / "sd15-onnx"
    export(Settings(sd15, out, HEIGHT, WIDTH, prompt_embedding=prompt_file))
    return Chain(out)


@pytest.fixture(scope="session")
def sd2_chain(workspace: Path, sd2: Path) -> MakeChain:
    """Returns a function that exports the small checkpoint with other settings, once for each."""
    made: dict[str, Chain] = {}

    def make(**changes: Any) -> Chain:
        key = repr(sorted(changes.items()))
        if key not in made:
            out = workspace / f"sd2-onnx-{len(made)}"
            export(Settings(sd2, out, HEIGHT, WIDTH, **changes))
            made[key] = Chain(out)
        return made[key]

    return make


@pytest.fixture(scope="session")
def golden_model(workspace: Path) -> Path:
    """Returns the checkpoint that the goldens were made with."""
    folder = workspace / "golden-model"
    write_checkpoint(folder, WIDTHS["golden"], WIDTHS["golden"].seed)
    return folder


@pytest.fixture(scope="session")
def golden_chain(workspace: Path, golden_model: Path) -> Chain:
    out, prompt = workspace / "golden-onnx", golden_model / "prompt_embedding.npy"
    export(Settings(golden_model, out, 128, 256, prompt_embedding=prompt))
    return Chain(out)


@pytest.fixture
def latents() -> np.ndarray:
    """Three latents of the exports' size."""
    generator = np.random.default_rng(3)
    return generator.standard_normal((3, 4, HEIGHT // 8, WIDTH // 8)).astype(np.float32)


@pytest.fixture
def images() -> np.ndarray:
    """Three images of the exports' size, in [-1, 1]."""
    generator = np.random.default_rng(4)
    return generator.uniform(-1, 1, (3, 3, HEIGHT, WIDTH)).astype(np.float32)
