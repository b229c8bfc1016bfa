"""One export, from a backbone to a folder with LPIPS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from onnx_export import __version__
from onnx_export.contract import FORMAT_VERSION, part_entry
from onnx_export.perceptual.network import is_published, load_perceptual
from onnx_export.trace import Input, trace
from onnx_export.write import (
    file_sha256,
    refuse_existing,
    whole_folder,
    write_contract,
    write_graph,
)

EXAMPLE = (2, 3, 96, 160)


@dataclass(frozen=True)
class Settings:
    """What is exported; `net` is alex, vgg or squeeze."""

    net: str
    backbone: Path
    out: Path
    force: bool = False


def export(settings: Settings) -> None:
    """Writes the folder `settings.out`.

    Raises `UsageError` or `CheckpointError`; then `settings.out` is as it was.
    """
    refuse_existing(settings.out, settings.force)
    module = load_perceptual(settings.net, settings.backbone)
    sha256 = file_sha256(settings.backbone)
    inputs = [Input(name, torch.zeros(EXAMPLE), True, True) for name in ("first", "second")]
    model = trace(module, inputs, "distance")
    with whole_folder(settings.out, settings.force) as folder:
        contract = {
            "format_version": FORMAT_VERSION,
            "producer": f"onnx-export {__version__}",
            "name": f"LPIPS v0.1 {settings.net}",
            "source": {"name": settings.backbone.name, "sha256": sha256},
            "published_lpips": is_published(settings.net, sha256),
            "resize": None,
            **part_entry(model, write_graph(folder, "perceptual", model)),
        }
        write_contract(folder, contract, "perceptual.json")
