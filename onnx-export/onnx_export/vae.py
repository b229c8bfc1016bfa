"""The two halves of the VAE as they are exported, with the latent's scale built in."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import nn

from onnx_export.attention import FusedAttention


class VaeEncoder(nn.Module):
    """`image (batch, 3, H, W)` in [-1, 1] to `latent (batch, 4, H/8, W/8)`: mode times scale."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        vae.set_attn_processor(FusedAttention())
        self.encoder, self.quant_conv = vae.encoder, vae.quant_conv
        self.scale = vae.config.scaling_factor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        moments = self.encoder(image)
        if self.quant_conv is not None:
            moments = self.quant_conv(moments)
        mode, _ = moments.chunk(2, dim=1)
        return mode * self.scale


class VaeDecoder(nn.Module):
    """`latent (batch, 4, H/8, W/8)` to `image (batch, 3, H, W)`, nominally [-1, 1], unclamped."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        vae.set_attn_processor(FusedAttention())
        self.decoder, self.post_quant_conv = vae.decoder, vae.post_quant_conv
        self.scale = vae.config.scaling_factor

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        hidden = latent / self.scale
        if self.post_quant_conv is not None:
            hidden = self.post_quant_conv(hidden)
        return self.decoder(hidden)
