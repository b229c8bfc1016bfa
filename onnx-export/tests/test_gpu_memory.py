"""What a whole process takes of a GPU's memory, on libraries that stand in for CUDA's.

The built program converts an image of 1024x512 with a model whose full and half resolution are
Stable Diffusion 1.5's, its VAE too: tokens, heads and channels of the layers that need the most
memory. Deeper levels, which only add weights, are left out. What cuDNN takes as workspace, cuBLAS
and CUDA's context are not seen here.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import onnx_export.export
from baseline.checkpoint import PROMPT, WIDTHS, write_checkpoint
from onnx_export.export import Settings, export

REPOSITORY = Path(__file__).parents[2]
INPUTS = REPOSITORY / "tests/fixtures/golden/inputs"
STAND_IN = REPOSITORY / ".cache/cuda-stand-in"
LIBRARY = REPOSITORY / ".cache/onnxruntime-gpu/libonnxruntime.so"
HEIGHT, WIDTH = 512, 1024
TWO_LEVELS: dict[str, Any] = {
    "block_out_channels": (320, 640),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 64,
}
# Beside its weights, with the keys and values of one style at one step.
MOST_BYTES = {"fp16": int(1.9 * 2**30), "fp32": int(3.7 * 2**30)}

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="there is no ONNX Runtime with CUDA for this machine"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "two-levels"
    full = WIDTHS["full"]
    write_checkpoint(folder, replace(full, unet={**full.unet, **TWO_LEVELS}), full.seed)
    return folder


@pytest.fixture
def stand_in() -> dict[str, str]:
    """The environment of a machine whose GPU is a stand-in."""
    for path in (STAND_IN, LIBRARY):
        if not path.exists():
            lacking = f"{path} is not there: run `make cuda-stand-in`"
            if os.environ.get("SYNTH2REAL_TESTS_PROMISED"):
                pytest.fail(lacking)
            pytest.skip(lacking)
    return {**os.environ, "LD_LIBRARY_PATH": str(STAND_IN), "ORT_DYLIB_PATH": str(LIBRARY)}


@pytest.mark.parametrize("dtype", MOST_BYTES)
def test_a_process_keeps_to_its_budget(
    dtype: str,
    program: Path,
    checkpoint: Path,
    stand_in: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # Nothing of this size is computed here: tests of small models hold graphs against checkpoints.
    monkeypatch.setattr(onnx_export.export, "expected", lambda *_, **__: SimpleNamespace(notes=[]))
    monkeypatch.setattr(onnx_export.export, "verify", lambda *_: None)
    model = tmp_path / "model"
    prompt = checkpoint / PROMPT
    export(Settings(checkpoint, model, HEIGHT, WIDTH, dtype, dtype, prompt_embedding=prompt))
    weights = sum(path.stat().st_size for path in model.rglob("*.data"))

    report = tmp_path / "counted.json"
    command: list[str | Path] = [
        program, "transfer", "--device", "cuda:0", "--model", model,
        "--content", INPUTS / "00001.png", "--content-label", INPUTS / "00001_label.png",
        "--style", INPUTS / "night_000001_rgb_anon.png",
        "--style-label", INPUTS / "night_000001_gt_labelColor.png",
        "--set", "steps=4", "--set", "skip=2", "--set", "class_adain_steps=1..",
        "--out", tmp_path / "out.png",
    ]  # fmt: skip
    # A stand-in fails its trial, which takes memory as on any GPU.
    reports = {"CUDA_STAND_IN_REPORT": str(report), "SYNTH2REAL_TRIAL": "report"}
    environment = {**stand_in, **reports}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    peak = json.loads(report.read_text().splitlines()[-1])["peak_bytes"]
    assert weights < peak <= weights + MOST_BYTES[dtype], (weights, peak)
