"""One export, from a checkpoint to a folder with a network of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx_ir as ir
import torch

from onnx_export import __version__
from onnx_export.contract import FORMAT_VERSION, part_entry
from onnx_export.errors import CheckpointError, ExportError, first_line
from onnx_export.features.adapter import Adapter
from onnx_export.features.inception import load_inception
from onnx_export.features.network import FeatureNetwork
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
    refuse_existing(settings.out, settings.force)
    load = load_inception if settings.adapter is None else settings.adapter.load
    network = load(settings.checkpoint)
    num_features = features_of(network)
    say("tracing the network")
    model = traced(network)
    with whole_folder(settings.out, settings.force) as folder:
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
        write_contract(folder, contract, "features.json")
    published = "" if network.published_fid else ", not those of published figures"
    say(f"{num_features} features{published}")


@torch.no_grad()
def features_of(network: FeatureNetwork) -> int:
    """Returns how many features the network gives, by asking it."""
    try:
        features = network.module(torch.zeros(EXAMPLE))
    except ExportError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{network.name} fails on images of {EXAMPLE[3]} x {EXAMPLE[2]}: {first_line(error)}: "
            "give the size it was made for with --resize WxH"
        ) from error
    return features.shape[1]


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
