"""Any torch network as a network of features: a factory, a state dict and a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from onnx_export.contract import Resize
from onnx_export.errors import CheckpointError, UsageError
from onnx_export.factory import Factory
from onnx_export.features.network import FeatureNetwork
from onnx_export.prepare import Channels, Prepare


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
        network = Factory("--extractor", self.extractor, self.options).load(checkpoint)
        layer = self.layer_of(network)
        prepare = Prepare(self.resize, self.mean, self.std)
        return FeatureNetwork(
            module=LayerFeatures(prepare, network, layer, self.layer).eval(),
            name=f"{self.extractor} {self.layer}",
            resize=self.resize,
            published_fid=False,
        )

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
