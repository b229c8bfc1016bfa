"""The noise schedule: DDIM with eta = 1, whose steps are those of DDPM.

**Source:** Song et al. 2021, eq. 12 and 16 (arXiv:2010.02502); Salimans and Ho 2022, section 4
(arXiv:2202.00512), for models that predict velocities.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler


class Schedule:
    """The formulas at each index, from the noisiest timestep to the cleanest.

    Latents are `(..., 4, h, w)`, any number at a time.
    """

    def __init__(self, constants: dict[str, Any], steps: int, skip: int) -> None:
        scheduler = DDIMScheduler.from_config({**constants, "clip_sample": False})
        scheduler.set_timesteps(steps)
        self.skip = skip
        self._predicts_velocity = scheduler.config.prediction_type == "v_prediction"
        self.timesteps = scheduler.timesteps
        stride = scheduler.config.num_train_timesteps // steps
        earlier = self.timesteps - stride
        alphas = scheduler.alphas_cumprod
        self._alphas = alphas[self.timesteps]
        self._earlier_alphas = torch.where(
            earlier >= 0, alphas[earlier.clamp(min=0)], scheduler.final_alpha_cumprod
        )
        noise_ratio = (1 - self._earlier_alphas) / (1 - self._alphas)
        self._variances = noise_ratio * (1 - self._alphas / self._earlier_alphas)

    @property
    def steps(self) -> int:
        """How many indices there are."""
        return len(self.timesteps)

    def noised(self, latent: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        """Returns the latent at the index's noise."""
        alpha = self._alphas[index]
        return alpha.sqrt() * latent + (1 - alpha).sqrt() * noise

    def mean(self, x: torch.Tensor, noise_pred: torch.Tensor, index: int) -> torch.Tensor:
        """Returns where the step from `x` leads before noise is added.

        `noise_pred` is what the model predicts, which may be the velocity.
        """
        alpha, earlier = self._alphas[index], self._earlier_alphas[index]
        if self._predicts_velocity:
            noise_pred = alpha.sqrt() * noise_pred + (1 - alpha).sqrt() * x
        latent = (x - (1 - alpha).sqrt() * noise_pred) / alpha.sqrt()
        direction = (1 - earlier - self._variances[index]).sqrt() * noise_pred
        return earlier.sqrt() * latent + direction

    def sigma(self, index: int) -> torch.Tensor:
        """Returns the spread of the noise that the step adds."""
        return self._variances[index].sqrt()
