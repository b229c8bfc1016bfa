"""The schedule's formulas are those of diffusers' DDIM with eta = 1."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from baseline.checkpoint import SCHEDULE
from baseline.schedule import Schedule


@pytest.mark.parametrize("predicted", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("steps", [7, 10, 50])
def test_a_step_is_that_of_diffusers(steps: int, predicted: str) -> None:
    constants = {**SCHEDULE, "prediction_type": predicted}
    schedule, scheduler = Schedule(constants, steps, skip=0), DDIMScheduler(**constants)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(1)
    x, noise_pred, z = torch.randn((3, 4, 8, 16), generator=generator, dtype=torch.float64)
    assert torch.equal(schedule.timesteps, scheduler.timesteps)
    for index, timestep in enumerate(scheduler.timesteps):
        expected = scheduler.step(noise_pred, timestep, x, eta=1.0, variance_noise=z).prev_sample
        step = schedule.mean(x, noise_pred, index) + schedule.sigma(index) * z
        torch.testing.assert_close(step, expected, rtol=1e-5, atol=1e-5)
        noised = scheduler.add_noise(x, z, timestep)
        torch.testing.assert_close(schedule.noised(x, z, index), noised, rtol=1e-5, atol=1e-5)
