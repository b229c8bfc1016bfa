"""What the export must equal: diffusers' own UNet and VAE, with FreeU as a Fourier transform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from baseline.freeu import filter_up_blocks


class Reference:
    """The checkpoint run by diffusers, in float32."""

    def __init__(self, checkpoint: Path, freeu: bool = True) -> None:
        self.unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet").eval()
        self.vae = AutoencoderKL.from_pretrained(checkpoint / "vae").eval()
        if freeu:
            filter_up_blocks(self.unet)

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
