"""Denoising the content towards the style, three branches in a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from baseline.adain import adain, class_adain
from baseline.attention import OUTPUT, STYLE, Injection
from baseline.inputs import LabelMaps
from baseline.inversion import Trajectory
from baseline.network import Network
from baseline.schedule import Schedule
from baseline.settings import Settings

# Predictions are plain + SWAP_GUIDANCE * (injected - plain): the plain pass has no weight.
SWAP_GUIDANCE = 1.0


@dataclass(frozen=True)
class Inverted:
    """An image after its inversion."""

    trajectory: Trajectory
    labels: LabelMaps


@dataclass(frozen=True)
class StepRecord:
    """One executed step: predictions and latents `(3, 4, h, w)` of output, style and content.

    `before_adain` is the output's latent alone, after the DDPM update.
    """

    step: int
    noise_pred: torch.Tensor
    before_adain: torch.Tensor
    latents: torch.Tensor


def denoise(
    network: Network,
    schedule: Schedule,
    content: Inverted,
    style: Inverted,
    settings: Settings,
    watch: Callable[[StepRecord], None] = lambda _: None,
) -> torch.Tensor:
    """Returns the output's final latent `(4, h, w)`.

    The output starts where the content does, and is given the content's noise maps.
    """
    trajectories = (content.trajectory, style.trajectory, content.trajectory)
    latents = torch.stack([trajectory.xts[schedule.skip] for trajectory in trajectories])
    for step, index in enumerate(range(schedule.skip, schedule.steps)):
        timestep = schedule.timesteps[index]
        injected = network.predict(latents, timestep, injection_at(step, settings))
        plain = network.predict(latents, timestep)
        noise_pred = plain + SWAP_GUIDANCE * (injected - plain)

        zs = torch.stack([trajectory.zs[index] for trajectory in trajectories])
        latents = schedule.mean(latents, noise_pred, index) + schedule.sigma(index) * zs
        before_adain = latents[OUTPUT].clone()
        if settings.method.class_adain and step in settings.class_adain_steps:
            labels = content.labels.latent, style.labels.latent
            latents[OUTPUT] = class_adain(before_adain, latents[STYLE], *labels)
        else:
            latents[OUTPUT] = adain(before_adain, latents[STYLE])
        watch(StepRecord(step, noise_pred, before_adain, latents.clone()))
    return latents[OUTPUT]


def injection_at(step: int, settings: Settings) -> Injection | None:
    """Returns what the step injects, if it does."""
    if not settings.method.injection or step not in settings.injected_steps:
        return None
    fraction = settings.filter_fraction if settings.method.filtering else None
    return Injection(settings.contrast_strength, fraction)
