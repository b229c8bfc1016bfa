"""FreeU as cross-image attention runs it: a Fourier filter on the input of each up block.

The first half of the channels is scaled, then the four lowest frequencies. `onnx_export.freeu` has
the same filter as two matrix products.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from baseline.precision import at_least_single

# (channels scaled by, low frequencies scaled by), where the block's input has as many channels as
# the widest block, or half as many.
WIDEST, HALF = (1.2, 0.9), (1.4, 0.2)


def freeu_by_fft(hidden: torch.Tensor, backbone: float, frequencies: float) -> torch.Tensor:
    """Returns `hidden (batch, channels, h, w)` with channels, then low frequencies, scaled."""
    hidden = hidden.clone()
    hidden[:, : hidden.shape[1] // 2] *= backbone
    scaled = at_least_single(hidden)
    spectrum = torch.fft.fftshift(torch.fft.fftn(scaled, dim=(-2, -1)), dim=(-2, -1))
    row, column = spectrum.shape[-2] // 2, spectrum.shape[-1] // 2
    spectrum[..., max(row - 1, 0) : row + 1, max(column - 1, 0) : column + 1] *= frequencies
    filtered = torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=(-2, -1)), dim=(-2, -1)).real
    return filtered.to(hidden.dtype)


def filter_up_blocks(unet: UNet2DConditionModel) -> None:
    """Puts the filter before each up block whose input is wide enough."""
    widest = max(unet.config.block_out_channels)

    def before(_block: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        hidden = kwargs["hidden_states"]
        if hidden.shape[1] == widest:
            hidden = freeu_by_fft(hidden, *WIDEST)
        elif hidden.shape[1] == widest // 2:
            hidden = freeu_by_fft(hidden, *HALF)
        return args, {**kwargs, "hidden_states": hidden}

    for block in unet.up_blocks:
        block.register_forward_pre_hook(before, with_kwargs=True)
