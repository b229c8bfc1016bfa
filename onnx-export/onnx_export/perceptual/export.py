"""One export, from a backbone to a folder with LPIPS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from onnx_export import __version__
from onnx_export.compare import EXACT, refuse_difference, run
from onnx_export.contract import FORMAT_VERSION, part_entry
from onnx_export.errors import CheckpointError
from onnx_export.features.export import EXAMPLE, pictures
from onnx_export.perceptual.network import BACKBONES, Perceptual, is_published, load_perceptual
from onnx_export.trace import Input, trace
from onnx_export.write import (
    file_sha256,
    refuse_existing,
    refuse_overlap,
    whole_folder,
    write_contract,
    write_graph,
)

MADE_HERE = "perceptual.json"


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
    refuse_overlap(settings.out, settings.backbone)
    refuse_existing(settings.out, MADE_HERE, settings.force)
    module = load_perceptual(settings.net, settings.backbone)
    given = [pictures(seed) for seed in (1, 2)]
    expected = distance(module, given, settings)
    sha256 = file_sha256(settings.backbone)
    inputs = [Input(name, torch.zeros(EXAMPLE), True, True) for name in ("first", "second")]
    model = trace(module, inputs, "distance")
    with whole_folder(settings.out, MADE_HERE, settings.force) as folder:
        contract = {
            "format_version": FORMAT_VERSION,
            "producer": f"onnx-export {__version__}",
            "name": f"LPIPS v0.1 {settings.net}",
            "source": {"name": settings.backbone.name, "sha256": sha256},
            "published_lpips": is_published(settings.net, sha256),
            "resize": None,
            **part_entry(model, write_graph(folder, "perceptual", model)),
        }
        pair = {name: each.numpy() for name, each in zip(("first", "second"), given, strict=True)}
        (found,) = run(folder / contract["file"], ["distance"], pair)
        refuse_difference("LPIPS", found, expected, EXACT)
        write_contract(folder, contract, MADE_HERE)


@torch.no_grad()
def distance(module: Perceptual, given: list[torch.Tensor], settings: Settings) -> np.ndarray:
    """Returns the distances of two pairs of seeded pictures, which are numbers above 0."""
    distances = module(*given).numpy()
    if not (np.isfinite(distances).all() and (distances > 0).all()):
        raise CheckpointError(
            f"{settings.backbone} gives the distances {distances.tolist()} for two pairs of "
            "different pictures, expected numbers above 0: its weights are empty or out of "
            f"proportion: give torchvision's {BACKBONES[settings.net][0]}"
        )
    return distances
