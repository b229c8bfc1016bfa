"""What the command line says of a checkpoint, up to where graphs are traced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from onnx_export import export as export_module
from onnx_export.cli import main
from onnx_export.export import Settings, export

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"

Accepted = Callable[..., list[str]]


def refused(
    capsys: pytest.CaptureFixture[str],
    checkpoint: Path,
    *options: object,
    size: tuple[int, int] = (64, 128),
) -> tuple[int, str]:
    """Runs the command line; returns its exit code and its one line."""
    out = checkpoint.parent / "refused-out"
    height, width = size
    arguments = [checkpoint, "--out", out, "--height", height, "--width", width, *options]
    before = set(checkpoint.parent.iterdir())
    code = main([str(a) for a in arguments])
    line = capsys.readouterr().err.strip()
    assert "\n" not in line, line
    assert set(checkpoint.parent.iterdir()) == before, "something was written"
    return code, line


class TracedError(Exception):
    """Everything was checked, and tracing would begin."""


@pytest.fixture
def accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Accepted:
    """Returns a function that exports up to the first trace and returns what was said by then."""

    def stop(*_: object) -> None:
        raise TracedError

    def export_until_traced(checkpoint: Path, **settings: Any) -> list[str]:
        monkeypatch.setattr(export_module, "traced", stop)
        said: list[str] = []
        out = tmp_path / "accepted-out"
        with pytest.raises(TracedError):
            export(Settings(checkpoint, out, 64, 128, **settings), said.append)
        assert not out.exists()
        return said

    return export_until_traced


def change(path: Path, **settings: object) -> None:
    """Changes settings in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def without(path: Path, key: str) -> None:
    """Takes a setting out of a JSON file."""
    settings = json.loads(path.read_text())
    del settings[key]
    path.write_text(json.dumps(settings))


def rewrite(path: Path, edit: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    """Writes a file of weights again, edited."""
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    save_file(edit(tensors), path, {"format": "pt"})


def cut(path: Path, num_bytes: int) -> None:
    """Takes bytes from a file's end."""
    path.write_bytes(path.read_bytes()[:-num_bytes])
