"""The pictures' latents: what the UNet is trained on, made once and kept on disk."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from .pictures import open_pictures
from .vae import to_tensor


class LatentPool:
    """Grows from the pictures while training draws from it; every picture's mirror follows later.

    Entry `i` is picture `i`, and entry `pictures + i` its mirror image.
    """

    def __init__(self, work: Path, vae: AutoencoderKL) -> None:
        self._pictures = open_pictures(work / "pictures.npy")
        self._vae = vae.eval().requires_grad_(False)
        self._path = work / "latents.pt"
        self.latents: list[Tensor] = torch.load(self._path) if self._path.exists() else []

    @torch.no_grad()
    def grow(self, count: int) -> None:
        """Encodes up to `count` more pictures."""
        for _ in range(min(count, 2 * len(self._pictures) - len(self.latents))):
            mirrored, index = divmod(len(self.latents), len(self._pictures))
            picture = self._pictures[index : index + 1]
            tensor = to_tensor(picture[:, :, ::-1] if mirrored else picture)
            with torch.autocast("cpu", torch.bfloat16):
                mode = self._vae.encode(tensor).latent_dist.mode()
            self.latents.append(mode[0].float() * self._vae.config.scaling_factor)

    def save(self) -> None:
        """Keeps what has been encoded, so that training can go on later."""
        torch.save(self.latents, self._path)

    def sample(self, rng: np.random.Generator, count: int, width: int) -> Tensor:
        """Returns random latents, cut to `width` columns: `(count, 4, 32, width)`."""
        batch = []
        for index in rng.integers(len(self.latents), size=count):
            latent = self.latents[index]
            x = rng.integers(latent.shape[-1] - width + 1)
            batch.append(latent[..., x : x + width])
        return torch.stack(batch)
