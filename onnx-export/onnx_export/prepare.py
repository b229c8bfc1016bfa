"""What a graph does to images before the network in it sees them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from onnx_export.contract import Resize

Channels = tuple[float, float, float]


class Prepare(nn.Module):
    """Resizes images in 0..1 and scales their channels."""

    mean: Tensor
    std: Tensor

    def __init__(self, resize: Resize | None, mean: Channels, std: Channels) -> None:
        super().__init__()
        self.resize = resize
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if self.resize is not None:
            size = (self.resize.height, self.resize.width)
            images = functional.interpolate(
                images, size, mode=self.resize.filter, align_corners=False
            )
        return (images - self.mean) / self.std
