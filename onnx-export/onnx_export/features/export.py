"""One export, from a checkpoint to a folder with a network of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from torch.nn import functional

from onnx_export import __version__
from onnx_export.compare import EXACT, refuse_difference, run
from onnx_export.contract import FORMAT_VERSION, part_entry
from onnx_export.errors import CheckpointError, ExportError, first_line
from onnx_export.features.adapter import Adapter
from onnx_export.features.inception import load_inception
from onnx_export.features.network import FeatureNetwork
from onnx_export.trace import Input, trace
from onnx_export.write import (
    file_sha256,
    refuse_existing,
    refuse_overlap,
    whole_folder,
    write_contract,
    write_graph,
)

MADE_HERE = "features.json"
EXAMPLE = (2, 3, 96, 160)


@dataclass(frozen=True)
class Settings:
    """What is exported; without an adapter it is pytorch-fid's Inception."""

    checkpoint: Path
    out: Path
    adapter: Adapter | None = None
    name: str | None = None
    force: bool = False


def export(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the folder `settings.out`.

    Raises `UsageError` or `CheckpointError`; then `settings.out` is as it was.
    """
    refuse_overlap(settings.out, settings.checkpoint)
    refuse_existing(settings.out, MADE_HERE, settings.force)
    load = load_inception if settings.adapter is None else settings.adapter.load
    network = load(settings.checkpoint)
    expected = features_of(network)
    num_features = expected.shape[1]
    say("tracing the network")
    model = traced(network)
    with whole_folder(settings.out, MADE_HERE, settings.force) as folder:
        contract = {
            "format_version": FORMAT_VERSION,
            "producer": f"onnx-export {__version__}",
            "name": settings.name or network.name,
            "source": {
                "name": settings.checkpoint.name,
                "sha256": file_sha256(settings.checkpoint),
            },
            "published_fid": network.published_fid,
            "resize": None if network.resize is None else asdict(network.resize),
            "num_features": num_features,
            **part_entry(model, write_graph(folder, "features", model)),
        }
        (found,) = run(folder / contract["file"], ["features"], {"images": pictures().numpy()})
        refuse_difference("network of features", found, expected, EXACT)
        write_contract(folder, contract, MADE_HERE)
    published = "" if network.published_fid else ", not those of published figures"
    say(f"{num_features} features{published}")


def pictures(seed: int = 0) -> torch.Tensor:
    """Returns two seeded pictures in 0..1, areas of colour with grain on them."""
    generator = torch.Generator().manual_seed(seed)
    batch, channels, height, width = EXAMPLE
    coarse = torch.rand(batch, channels, height // 16, width // 16, generator=generator)
    grain = torch.randn(*EXAMPLE, generator=generator)
    return (functional.interpolate(coarse, (height, width)) + 0.05 * grain).clamp(0, 1)


@torch.no_grad()
def features_of(network: FeatureNetwork) -> np.ndarray:
    """Returns the features of the seeded pictures, which are finite and not the same for both."""
    try:
        features = network.module(pictures()).numpy()
    except ExportError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{network.name} fails on images of {EXAMPLE[3]} x {EXAMPLE[2]}: {first_line(error)}: "
            "give the size it was made for with --resize WxH"
        ) from error
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features)).sum())
        raise CheckpointError(
            f"{network.name} gives {bad} of {features.size} features that are not finite for "
            "seeded pictures: its weights are damaged or out of proportion: give another checkpoint"
        )
    if (features[0] == features[1]).all():
        raise CheckpointError(
            f"{network.name} gives the same features for two different pictures: its weights are "
            "empty or not trained, or --layer is not what the image goes through"
        )
    return features


def traced(network: FeatureNetwork) -> ir.Model:
    """Returns the network's graph, for images of any size."""
    try:
        model = trace(
            network.module, [Input("images", torch.zeros(EXAMPLE), True, True)], "features"
        )
    except Exception as error:
        raise CheckpointError(f"{network.name} cannot be traced: {first_line(error)}") from error
    if not isinstance(model.graph.outputs[0].shape[1], int):
        raise CheckpointError(
            f"{network.name} gives more features for larger images: "
            "give it one size with --resize WxH"
        )
    return model
