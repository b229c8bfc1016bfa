"""The whole algorithm gives the latents that the released code gave with the same draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baseline.denoise import Inverted, StepRecord, denoise
from baseline.inputs import LabelMaps
from baseline.inversion import invert
from baseline.network import Network
from baseline.schedule import Schedule
from baseline.tests.conftest import RELEASED, Golden
from baseline.times import Times

# What the goldens' README expects of the latents of an independent implementation.
WORST, AVERAGE = 1e-3, 1e-5

# Normalisation inside the UNet magnifies rounding where a latent is nearly free of noise, since the
# goldens' own latents spread by 0.06 only. What a prediction adds to a latent there is little.
AVERAGE_OF_PREDICTIONS = 2e-5


def assert_agrees(
    actual: torch.Tensor, expected: np.ndarray, name: str, average: float = AVERAGE
) -> None:
    assert actual.shape == expected.shape, name
    difference = np.abs(actual.numpy().astype(np.float64) - expected)
    assert difference.max() <= WORST, f"{name} is {difference.max():.2e} off at worst"
    assert difference.mean() <= average, f"{name} is {difference.mean():.2e} off on average"


def inverted(
    golden: Golden, name: str, network: Network, schedule: Schedule, times: Times
) -> Inverted:
    """Returns the inversion of a golden's image, compared with the golden's own."""
    latent = network.encode(golden.arrays[f"image_{name}"])
    assert_agrees(latent[None], golden.arrays[f"latent_{name}"], f"latent_{name}")
    noise = torch.from_numpy(golden.arrays[f"noise_{name}"])
    with times.part(f"inversion_{name}", network):
        trajectory = invert(network, schedule, latent, noise)
    assert_agrees(trajectory.xts, golden.arrays[f"xts_{name}"], f"xts_{name}")
    assert_agrees(trajectory.zs, golden.arrays[f"zs_{name}"], f"zs_{name}")
    labels = (golden.arrays[f"label_{name}{size}"] for size in ("", "_latent"))
    return Inverted(trajectory, LabelMaps(*labels))


@pytest.mark.parametrize("name", RELEASED)
def test_trajectories_and_counts_are_the_released_codes(name: str, network: Network) -> None:
    golden, times = Golden.open(name), Times()
    settings, steps = golden.settings(), golden.meta["steps"]
    schedule = Schedule(network.schedule_constants, steps, settings.skip)
    assert schedule.timesteps.tolist() == golden.arrays["timesteps"].tolist()
    content = inverted(golden, "content", network, schedule, times)
    style = inverted(golden, "style", network, schedule, times)

    records: list[StepRecord] = []
    with times.part("denoising", network):
        latent = denoise(network, schedule, content, style, settings, records.append)
    assert [record.step for record in records] == list(range(golden.executed()))
    for record in records:
        name = f"step{record.step}"
        expected = golden.arrays[f"{name}_noise_pred"]
        assert_agrees(record.noise_pred, expected, name, AVERAGE_OF_PREDICTIONS)
        assert_agrees(record.before_adain, golden.arrays[f"{name}_before_adain"], name)
        assert_agrees(record.latents, golden.arrays[f"{name}_latents"], name)
    assert torch.equal(latent, records[-1].latents[0])

    for position, array in enumerate(("output", "style_rebuilt", "content_rebuilt")):
        image = network.decode(records[-1].latents[position]).astype(int)
        within = np.abs(image - golden.arrays[f"image_{array}"]) <= 1
        assert within.mean() >= 0.999, f"image_{array}: {within.mean():.4%} within 1"

    evaluations = {
        "inversion_content": steps,
        "inversion_style": steps,
        "denoising": golden.executed() * 2 * 3,
    }
    assert times.evaluations == evaluations
    assert sum(evaluations.values()) == golden.meta["unet_evaluations_reference"]
