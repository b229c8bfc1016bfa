"""An exported model: what its graphs ask for, of which no weight is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from baseline.estimate import injection
from baseline.estimate.graphs import Rules, graph_work, weight_bytes
from baseline.estimate.injection import Layer
from baseline.estimate.shapes import Shaped, shaped
from baseline.estimate.work import Work
from onnx_export.errors import CheckpointError

HALF = {"fp16": True, "fp32": False}


class Model:
    """An exported model in half precision or not; a VAE of a precision of its own keeps that."""

    def __init__(self, folder: Path, contract: dict[str, Any], dtype: str | None = None) -> None:
        try:
            self.dtype = dtype or contract["dtype"]
            self.half = HALF[self.dtype]
            vae = contract.get("vae")
            self.vae_half = self.half if vae is None else HALF[vae["dtype"]]
            self.size = contract["width"], contract["height"]
            self.segments = [folder / segment["file"] for segment in contract["segments"]]
            layers = [segment["layer"] for segment in contract["segments"]]
            self.layers = [layer_of(layer) for layer in layers if layer is not None]
            self.encoder = folder / contract["vae_encoder"]["file"]
            self.decoder = folder / contract["vae_decoder"]["file"]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise CheckpointError(
                f"{folder}/model.json is not as an export has it ({reason})"
            ) from error
        self._shaped: dict[tuple[Path, int], Shaped] = {}
        self._unet: dict[tuple[Rules, int], Work] = {}

    def _graph(self, path: Path, batch: int = 1) -> Shaped:
        key = path, batch
        if key not in self._shaped:
            self._shaped[key] = shaped(path, batch)
        return self._shaped[key]

    def unet(self, rules: Rules, batch: int = 1) -> Work:
        """Returns an evaluation without its injected layers."""
        key = rules, batch
        if key not in self._unet:
            graphs = [self._graph(path, batch) for path in self.segments]
            parts = [graph_work(graph, rules, self.half) for graph in graphs]
            self._unet[key] = tuple(kernel for part in parts for kernel in part)
        return self._unet[key]

    def own(self, batch: int = 1) -> Work:
        """Returns the injected layers of branches that attend to themselves."""
        return tuple(injection.own(layer, self.half, batch) for layer in self.layers)

    def encode(self, rules: Rules) -> Work:
        """Returns the VAE's encoder."""
        return graph_work(self._graph(self.encoder), rules, self.vae_half)

    def decode(self, rules: Rules) -> Work:
        """Returns the VAE's decoder."""
        return graph_work(self._graph(self.decoder), rules, self.vae_half)

    def unet_weights(self) -> int:
        """Returns the bytes of the UNet's weights."""
        return sum(weight_bytes(self._graph(path), self.half) for path in self.segments)


def layer_of(entry: dict[str, Any]) -> Layer:
    """Returns a layer of the contract; raises `ValueError` if it has no size."""
    sizes = [entry[key] for key in ("tokens", "heads", "head_width")]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"a layer has the sizes {sizes}")
    return Layer(*sizes)
