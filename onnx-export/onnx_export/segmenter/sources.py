"""Where segmenters come from: torchvision, any factory, and folders of transformers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from onnx_export.contract import Normalisation, Source
from onnx_export.errors import CheckpointError, UsageError
from onnx_export.factory import Factory
from onnx_export.segmenter.network import IMAGENET, UNCHANGED, Scores, SegmentationNetwork
from onnx_export.weights import StateDict, load_weights, read_state_dict
from onnx_export.write import source_file

AUXILIARY = "aux_classifier."
HEADS = {
    "deeplabv3_": "classifier.4.weight",
    "fcn_": "classifier.4.weight",
    "lraspp_": "classifier.low_classifier.weight",
}
"""The last layer of each of torchvision's kinds, which has as many rows as there are classes."""


class Loader(Protocol):
    """One way to get a segmenter."""

    @property
    def checkpoint(self) -> Path | None:
        """The file or folder that it is made from, if from one."""

    def load(self, given: Normalisation | None) -> SegmentationNetwork:
        """Returns the network with its weights; `given` is what people say of its input."""


@dataclass(frozen=True)
class Torchvision:
    """One of torchvision's networks, with weights in a file."""

    name: str
    checkpoint: Path

    def load(self, given: Normalisation | None) -> SegmentationNetwork:
        head = self.head()
        state = read_state_dict(self.checkpoint)
        network = self.make(state, head)
        advice = f"give the state dict of torchvision's {self.name}"
        load_weights(network, state, self.checkpoint, self.name, advice)
        return SegmentationNetwork(
            module=Scores(network, self.name),
            name=f"torchvision {self.name}",
            source=source_file(self.checkpoint),
            normalisation=given or IMAGENET,
        )

    def head(self) -> str:
        """Returns the name of the weight that tells how many classes there are."""
        from torchvision.models import list_models, segmentation

        kinds = tuple(HEADS)
        networks = [each for each in list_models(module=segmentation) if each.startswith(kinds)]
        if self.name not in networks:
            raise UsageError(
                f"--torchvision {self.name} is none of its segmenters: "
                f"{', '.join(sorted(networks))}: give one of these, or another by --factory"
            )
        return next(head for kind, head in HEADS.items() if self.name.startswith(kind))

    def make(self, state: StateDict, head: str) -> nn.Module:
        """Returns the network with as many classes as the weights have."""
        from torchvision.models import get_model

        if head not in state or state[head].ndim != 4:
            raise CheckpointError(
                f"{self.checkpoint} has no {head}, which {self.name} has for its classes: give the "
                f"state dict of torchvision's {self.name}"
            )
        auxiliary = any(key.startswith(AUXILIARY) for key in state)
        options = {"aux_loss": True} if auxiliary and not self.name.startswith("lraspp_") else {}
        return get_model(
            self.name,
            weights=None,
            weights_backbone=None,
            num_classes=len(state[head]),
            **options,
        )


@dataclass(frozen=True)
class Made:
    """What a factory makes, with weights in a file or as it is made."""

    factory: Factory
    checkpoint: Path | None

    def load(self, given: Normalisation | None) -> SegmentationNetwork:
        name = self.factory.name
        if self.checkpoint is not None:
            network, source = self.factory.load(self.checkpoint), source_file(self.checkpoint)
        else:
            made = self.factory.make()
            source = Source(name, state_sha256(made.state_dict()))
            network = made.float()
        return SegmentationNetwork(
            module=Scores(network, name),
            name=name,
            source=source,
            normalisation=given or UNCHANGED,
        )


def state_sha256(state: StateDict) -> str:
    """Returns a digest over the names, types, shapes and numbers of weights, sorted."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        # NumPy has no bfloat16.
        flat = tensor.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
