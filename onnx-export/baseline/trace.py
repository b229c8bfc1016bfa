"""The latents of a conversion as a file, named as those of `synth2real transfer --trace`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from baseline.attention import OUTPUT
from baseline.denoise import Inverted, StepRecord
from baseline.schedule import Schedule


class Trace:
    """Collects arrays; latents of a step are the output branch's, `(4, h, w)`."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def inputs(self, schedule: Schedule, content: Inverted, style: Inverted) -> None:
        """Takes what is known before denoising."""
        self.arrays["timesteps"] = schedule.timesteps.numpy()
        for name, image in (("content", content), ("style", style)):
            self.arrays[f"latent_{name}"] = image.trajectory.xts[-1:].numpy()
            self.arrays[f"label_{name}"] = image.labels.image
            self.arrays[f"label_{name}_latent"] = image.labels.latent

    def step(self, record: StepRecord) -> None:
        """Takes one executed step."""
        name = f"step{record.step}"
        self.arrays[f"{name}_noise_pred"] = record.noise_pred[OUTPUT].numpy()
        self.arrays[f"{name}_before_adain"] = record.before_adain.numpy()
        self.arrays[f"{name}_latent"] = record.latents[OUTPUT].numpy()

    def write(self, path: Path) -> None:
        """Writes the file."""
        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self.arrays)
