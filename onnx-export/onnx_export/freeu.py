"""FreeU as the cross-image attention code runs it: on the input of each up block.

A block whose input has the UNet's widest channel count, or half of it, has the first half of its
channels scaled, then its four lowest frequencies. "Four lowest" are the bins (-1,-1), (-1,0),
(0,-1) and (0,0) of the 2-D Fourier transform, and the real part is kept. That is

    x + (s - 1) P x,    P(y, y') = 1/(HW) sum over bins f of cos(2 pi f . (y - y'))

and `P = B B^T` with cosines and sines in the columns of `B`, so two small matrix products do it.

**Source:** github.com/garibida/cross-image-attention, `FreeUUNet2DConditionModel`.
**Differs:** from the published FreeU (arXiv:2309.11497), which filters the skips, not the backbone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True)
class FreeUScales:
    """What the backbone's channels and low frequencies are multiplied by."""

    backbone_widest: float = 1.2
    frequencies_widest: float = 0.9
    backbone_half: float = 1.4
    frequencies_half: float = 0.2


class FreeU(nn.Module):
    """Scales half of the channels, then the low frequencies, of `(batch, channels, h, w)`."""

    channel_scale: torch.Tensor
    analysis: torch.Tensor
    synthesis: torch.Tensor

    def __init__(
        self, channels: int, size: tuple[int, int], backbone: float, frequencies: float
    ) -> None:
        super().__init__()
        basis = torch.from_numpy(low_frequency_basis(*size))
        channel_scale = torch.ones(channels, 1)
        channel_scale[: channels // 2] = backbone
        self.register_buffer("channel_scale", channel_scale)
        self.register_buffer("analysis", basis.float())
        self.register_buffer("synthesis", ((frequencies - 1.0) * basis.T).float().contiguous())

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        scaled = hidden.flatten(2) * self.channel_scale
        filtered = scaled + (scaled @ self.analysis) @ self.synthesis
        return filtered.unflatten(2, hidden.shape[2:])


def low_frequency_basis(height: int, width: int) -> np.ndarray:
    """Returns `B` of shape `(height * width, rank)`, float64, with `P = B B^T`; rank <= 7."""
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    bins = sorted({(f % height, g % width) for f in (-1, 0) for g in (-1, 0)})
    norm = math.sqrt(height * width)
    waves = []
    for f, g in bins:
        phase = 2.0 * np.pi * (f * rows / height + g * columns / width)
        waves += [np.cos(phase), np.sin(phase)]
    return np.stack([wave for wave in waves if np.abs(wave).max() > 1e-9], axis=1) / norm


def freeu_for(
    channels: int, widest: int, size: tuple[int, int], scales: FreeUScales | None
) -> nn.Module:
    """Returns the filter for an up block's input: the identity where FreeU does nothing."""
    if scales is not None and channels == widest:
        return FreeU(channels, size, scales.backbone_widest, scales.frequencies_widest)
    if scales is not None and channels == widest // 2:
        return FreeU(channels, size, scales.backbone_half, scales.frequencies_half)
    return nn.Identity()
