"""Edit-friendly inversion: a trajectory from noise to an image, and the noise maps that walk it.

**Source:** Huberman-Spiegelglas et al. 2024, eq. 5 and 6 (arXiv:2304.06140).
**Differs:** the last noise map is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from baseline.network import Network
from baseline.schedule import Schedule


@dataclass(frozen=True)
class Trajectory:
    """Noised latents `xts (steps + 1, 4, h, w)` and noise maps `zs (steps, 4, h, w)`.

    The last latent is the image's own.
    """

    xts: torch.Tensor
    zs: torch.Tensor


def invert(
    network: Network, schedule: Schedule, latent: torch.Tensor, noise: torch.Tensor
) -> Trajectory:
    """Returns the trajectory of `latent (4, h, w)`, whose draws are `noise (steps, 4, h, w)`.

    Evaluates the UNet once at every index, those that denoising skips included.
    """
    noised = [schedule.noised(latent, draw, index) for index, draw in enumerate(noise)]
    xts = torch.stack([*noised, latent])
    zs = torch.zeros_like(noise)
    for index in range(schedule.steps):
        noise_pred = network.predict(xts[index][None], schedule.timesteps[index])[0]
        mean = schedule.mean(xts[index], noise_pred, index)
        zs[index] = (xts[index + 1] - mean) / schedule.sigma(index)
    zs[-1] = 0.0
    return Trajectory(xts, zs)
