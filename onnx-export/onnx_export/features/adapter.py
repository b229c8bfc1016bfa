"""Any torch network as a network of features: a factory, a state dict and a layer."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from onnx_export.contract import Resize
from onnx_export.errors import CheckpointError, UsageError, first_line
from onnx_export.features.network import FeatureNetwork
from onnx_export.weights import load_weights, read_state_dict

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Adapter:
    """Where the network comes from, what it wants its input to be, and which layer is taken."""

    extractor: str
    layer: str
    resize: Resize | None
    mean: Channels = (0.0, 0.0, 0.0)
    std: Channels = (1.0, 1.0, 1.0)
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self, checkpoint: Path) -> FeatureNetwork:
        """Returns the network with the weights of `checkpoint`."""
        network = self.make()
        advice = "give the checkpoint of this network, and its settings with --option NAME=VALUE"
        load_weights(network, read_state_dict(checkpoint), checkpoint, self.extractor, advice)
        layer = self.layer_of(network)
        return FeatureNetwork(
            module=LayerFeatures(Prepare(self), network, layer, self.layer).eval(),
            name=f"{self.extractor} {self.layer}",
            resize=self.resize,
            published_fid=False,
        )

    def make(self) -> nn.Module:
        """Returns the network as its factory makes it."""
        factory = self.factory()
        try:
            network = factory(**self.options)
        except Exception as error:
            given = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
            raise UsageError(
                f"--extractor {self.extractor}: calling it with ({given}) fails: "
                f"{first_line(error)}"
            ) from error
        if not isinstance(network, nn.Module):
            raise UsageError(
                f"--extractor {self.extractor} makes a {type(network).__name__}: name a factory "
                "of torch modules"
            )
        return network

    def factory(self) -> Callable[..., Any]:
        module, _, name = self.extractor.partition(":")
        try:
            factory = getattr(importlib.import_module(module), name, None)
        except ImportError as error:
            raise UsageError(
                f"--extractor {self.extractor}: {first_line(error)}: install the package into "
                "this environment"
            ) from error
        if not callable(factory):
            raise UsageError(f"--extractor {self.extractor}: {module} has no function {name!r}")
        return factory

    def layer_of(self, network: nn.Module) -> nn.Module:
        layers = dict(network.named_modules())
        layers.pop("")
        if self.layer not in layers:
            near = get_close_matches(self.layer, layers, n=4, cutoff=0.4)
            names = near or [name for name, _ in network.named_children()]
            raise UsageError(
                f"--layer {self.layer}: {self.extractor} has no such layer: "
                f"name one of its {len(layers)}, such as {', '.join(names)}"
            )
        return layers[self.layer]


class Prepare(nn.Module):
    """Resizes images in 0..1 and scales their channels."""

    mean: Tensor
    std: Tensor

    def __init__(self, adapter: Adapter) -> None:
        super().__init__()
        self.resize = adapter.resize
        self.register_buffer("mean", torch.tensor(adapter.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(adapter.std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if self.resize is not None:
            size = (self.resize.height, self.resize.width)
            images = functional.interpolate(
                images, size, mode=self.resize.filter, align_corners=False
            )
        return (images - self.mean) / self.std


class LayerFeatures(nn.Module):
    """What one layer of a network gives: the mean over space of maps, else the flat values."""

    def __init__(self, prepare: Prepare, network: nn.Module, layer: nn.Module, name: str) -> None:
        super().__init__()
        self.prepare, self.network, self.name = prepare, network, name
        self.seen: list[Any] = []
        layer.register_forward_hook(lambda _layer, _given, output: self.seen.append(output))

    def forward(self, images: Tensor) -> Tensor:
        self.seen.clear()
        self.network(self.prepare(images))
        if len(self.seen) != 1 or not isinstance(self.seen[0], Tensor):
            kinds = [type(output).__name__ for output in self.seen]
            raise CheckpointError(
                f"--layer {self.name} gave {kinds or 'nothing'} for one batch of images, and "
                "features are one tensor: name another layer"
            )
        features = self.seen.pop()
        return features.mean(dim=(2, 3)) if features.ndim == 4 else features.flatten(1)
