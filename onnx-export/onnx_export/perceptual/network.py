"""LPIPS as the `lpips` package computes it, on a backbone from a local file.

**Source:** Zhang et al. 2018 (arXiv:1801.03924), weights v0.1 as released by its authors.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from lpips import LPIPS
from torch import Tensor, nn

from onnx_export.errors import CheckpointError
from onnx_export.perceptual import BACKBONES
from onnx_export.weights import StateDict, load_weights, read_state_dict


class Perceptual(nn.Module):
    """The distance of each pair of images in 0..1."""

    def __init__(self, distance: LPIPS) -> None:
        super().__init__()
        self.distance = distance

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.distance(first, second, normalize=True).flatten()


def load_perceptual(net: str, backbone: Path) -> Perceptual:
    """Returns LPIPS on the backbone in the file `backbone`."""
    state = convolutions(read_state_dict(backbone))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The random backbone is replaced at once: the package can otherwise only download.
        distance = LPIPS(net=net, version="0.1", pnet_rand=True, verbose=False)
    slices = {INNER.sub("", key): key for key in distance.net.state_dict()}
    renamed = {slices.get(key, key): tensor for key, tensor in state.items()}
    advice = f"give torchvision's {BACKBONES[net][0]}, or say with --net which network it is"
    if not state:
        raise CheckpointError(f"{backbone} has no tensors named features.*: {advice}")
    load_weights(distance.net, renamed, backbone, f"LPIPS's {net} backbone", advice)
    return Perceptual(distance).eval()


# `lpips` cuts torchvision's `features` into slices, and keeps each layer's number as its name.
INNER = re.compile(r"^slice\d+\.")


def convolutions(state: StateDict) -> StateDict:
    """Returns the tensors of torchvision's `features`, without the classifier's."""
    prefix = "features."
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def is_published(net: str, sha256: str) -> bool:
    """Returns whether a file of this digest is the backbone that LPIPS was published with."""
    return sha256.startswith(tuple(Path(f).stem.rsplit("-", 1)[-1] for f in BACKBONES[net]))
