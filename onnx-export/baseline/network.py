"""The checkpoint's UNet and VAE, in float32 on the CPU."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from baseline.attention import Injection, make_attention_explicit
from baseline.freeu import filter_up_blocks
from onnx_export.checkpoint import Checkpoint
from onnx_export.prompt import encode_prompt, read_prompt


class Network:
    """A UNet with FreeU and explicit attention, a VAE, and the prompt that never changes.

    `evaluations` counts UNet evaluations: one for each latent of a batch.
    """

    def __init__(self, folder: Path, prompt_embedding: Path | None = None) -> None:
        checkpoint = Checkpoint.open(folder)
        self.schedule_constants = asdict(checkpoint.schedule)
        self.unet, self.vae = checkpoint.unet(), checkpoint.vae()
        self.prompt = prompt_of(checkpoint, prompt_embedding, self.unet.config.cross_attention_dim)
        self.evaluations = 0
        filter_up_blocks(self.unet)
        self.explicit_layers = make_attention_explicit(self.unet)

    @torch.no_grad()
    def predict(
        self, latents: torch.Tensor, timestep: torch.Tensor, injection: Injection | None = None
    ) -> torch.Tensor:
        """Returns the noise prediction for `latents (batch, 4, h, w)`, three of them to inject."""
        for layer in self.explicit_layers:
            layer.injection = injection
        self.evaluations += len(latents)
        prompt = self.prompt.expand(len(latents), -1, -1)
        return self.unet(latents, timestep, prompt).sample

    @torch.no_grad()
    def encode(self, image: np.ndarray) -> torch.Tensor:
        """Returns the scaled latent `(4, height / 8, width / 8)` of `(height, width, 3)` u8."""
        pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32)) / 127.5 - 1.0
        return self.vae.encode(pixels).latent_dist.mode()[0] * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latent: torch.Tensor) -> np.ndarray:
        """Returns the image `(height, width, 3)` u8 of a scaled latent."""
        pixels = self.vae.decode(latent[None] / self.vae.config.scaling_factor).sample[0]
        levels = ((pixels / 2 + 0.5).clamp(0, 1) * 255).round()
        return levels.to(torch.uint8).permute(1, 2, 0).numpy()


def prompt_of(checkpoint: Checkpoint, path: Path | None, width: int) -> torch.Tensor:
    """Returns the given embedding, the one beside the checkpoint, or that of the empty prompt."""
    beside = checkpoint.configs / "prompt_embedding.npy"
    if path is None and beside.is_file():
        path = beside
    prompt = encode_prompt(checkpoint, "", width) if path is None else read_prompt(path, width)
    return torch.from_numpy(prompt.embedding)
