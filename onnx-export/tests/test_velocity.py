"""Models that predict velocities, as Stable Diffusion 2.1 for 768 pixels does."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler

from baseline.inversion import invert
from baseline.network import Network
from baseline.schedule import Schedule
from onnx_export.checkpoint import Checkpoint, Choices
from onnx_export.export import Settings, export
from tests.chain import Chain
from tests.conftest import GOLDEN, HEIGHT, WIDTH
from tests.reference import Reference
from tests.refusals import change

STEPS, SKIP = 6, 2
SCHEDULER = "scheduler/scheduler_config.json"


def test_a_trajectory_of_velocities_is_walked_by_diffusers_too(
    golden_model: Path, tmp_path: Path
) -> None:
    """The golden model taken for one that predicts velocities: inverted here, and walked there."""
    folder = shutil.copytree(golden_model, tmp_path / "velocity")
    change(folder / SCHEDULER, prediction_type="v_prediction")
    network = Network(folder)
    assert network.schedule_constants["prediction_type"] == "v_prediction"
    schedule = Schedule(network.schedule_constants, STEPS, SKIP)
    golden = np.load(GOLDEN / "cactif-night/golden.npz")
    latent = torch.from_numpy(golden["latent_content"][0])
    noise = torch.randn(STEPS, *latent.shape, generator=torch.Generator().manual_seed(9))
    trajectory = invert(network, schedule, latent, noise)

    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    scheduler.set_timesteps(STEPS)
    x = trajectory.xts[SKIP]
    for index in range(SKIP, STEPS):
        timestep = scheduler.timesteps[index]
        velocity = network.predict(x[None], timestep)[0]
        z = trajectory.zs[index]
        x = scheduler.step(velocity, timestep, x, eta=1.0, variance_noise=z).prev_sample
        if index + 1 < STEPS:
            torch.testing.assert_close(x, trajectory.xts[index + 1], rtol=1e-4, atol=1e-4)
    plain = Schedule(asdict(Checkpoint.open(golden_model).schedule), STEPS, SKIP)
    assert (invert(network, plain, latent, noise).zs - trajectory.zs).abs().max() > 0.1


def test_a_model_that_predicts_velocities_is_exported_as_such(
    sd2: Path, tmp_path: Path, latents: np.ndarray
) -> None:
    folder = shutil.copytree(sd2, tmp_path / "velocity")
    change(folder / SCHEDULER, prediction_type="v_prediction")
    export(Settings(folder, tmp_path / "out", HEIGHT, WIDTH))
    chain = Chain(tmp_path / "out")
    assert chain.contract["schedule"]["prediction_type"] == "v_prediction"
    assert chain.contract["format_version"] == 2
    expected = Reference(sd2).predict(latents, 500, chain.prompt_embedding())
    np.testing.assert_allclose(chain.predict(latents, 500), expected, atol=1e-4)


def test_what_is_predicted_can_be_said_by_hand(sd2: Path) -> None:
    said = Checkpoint.open(sd2, Choices(prediction_type="v_prediction")).schedule
    assert said.prediction_type == "v_prediction"
    assert Checkpoint.open(sd2).schedule.prediction_type == "epsilon"
