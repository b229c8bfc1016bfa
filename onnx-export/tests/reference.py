"""What the export must equal: diffusers' own UNet and VAE, with FreeU as a Fourier transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

# (channels scaled by, low frequencies scaled by)
WIDEST, HALF = (1.2, 0.9), (1.4, 0.2)


def freeu_by_fft(hidden: torch.Tensor, backbone: float, frequencies: float) -> torch.Tensor:
    """Returns `hidden` with half of its channels, then its four lowest frequencies, scaled."""
    hidden = hidden.clone()
    hidden[:, : hidden.shape[1] // 2] *= backbone
    spectrum = torch.fft.fftshift(torch.fft.fftn(hidden, dim=(-2, -1)), dim=(-2, -1))
    row, column = spectrum.shape[-2] // 2, spectrum.shape[-1] // 2
    spectrum[..., max(row - 1, 0) : row + 1, max(column - 1, 0) : column + 1] *= frequencies
    return torch.fft.ifftn(torch.fft.ifftshift(spectrum, dim=(-2, -1)), dim=(-2, -1)).real


class Reference:
    """The checkpoint run by diffusers, in float32."""

    def __init__(self, checkpoint: Path, freeu: bool = True) -> None:
        self.unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet").eval()
        self.vae = AutoencoderKL.from_pretrained(checkpoint / "vae").eval()
        for block in self.unet.up_blocks if freeu else ():
            block.register_forward_pre_hook(self._filter, with_kwargs=True)

    def _filter(self, _block: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        hidden = kwargs["hidden_states"]
        widest = max(self.unet.config.block_out_channels)
        if hidden.shape[1] == widest:
            hidden = freeu_by_fft(hidden, *WIDEST)
        elif hidden.shape[1] == widest // 2:
            hidden = freeu_by_fft(hidden, *HALF)
        return args, {**kwargs, "hidden_states": hidden}

    @torch.no_grad()
    def predict(self, sample: np.ndarray, timestep: int, prompt: np.ndarray) -> np.ndarray:
        embedding = torch.from_numpy(prompt).expand(len(sample), -1, -1)
        return self.unet(torch.from_numpy(sample), timestep, embedding).sample.numpy()

    @torch.no_grad()
    def encode(self, image: np.ndarray) -> np.ndarray:
        mode = self.vae.encode(torch.from_numpy(image)).latent_dist.mode()
        return (mode * self.vae.config.scaling_factor).numpy()

    @torch.no_grad()
    def decode(self, latent: np.ndarray) -> np.ndarray:
        scaled = torch.from_numpy(latent) / self.vae.config.scaling_factor
        return self.vae.decode(scaled).sample.numpy()
