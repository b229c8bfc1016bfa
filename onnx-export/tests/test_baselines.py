"""The fixture that methods without a model are held to says what their definitions say."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2lab

from downstream.colour import ColourTransfer
from tests.baselines import BETAS, FIXTURE, fda, make, picture, reinhard

LARGEST_BYTES = 200_000


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    with np.load(FIXTURE, allow_pickle=False) as arrays:
        return dict(arrays)


def test_the_fixture_is_what_its_maker_makes_today(stored: dict[str, np.ndarray]) -> None:
    made = make()
    assert stored.keys() == made.keys()
    for key, array in made.items():
        assert stored[key].dtype == array.dtype, key
        np.testing.assert_allclose(stored[key], array, rtol=1e-9, atol=1e-9, err_msg=key)


def test_the_fixture_is_small() -> None:
    assert FIXTURE.stat().st_size < LARGEST_BYTES


@pytest.mark.parametrize("method", ColourTransfer)
def test_the_arms_of_an_experiment_have_the_same_colours(
    stored: dict[str, np.ndarray], method: ColourTransfer
) -> None:
    arm = method.apply(stored["content"], stored["style"])
    # Histograms of bytes lose what is behind the point before they are rounded.
    off = np.abs(arm.astype(float) - stored[method.value])
    assert off.max() < (1.0 if method is ColourTransfer.HISTOGRAM else 0.5 + 1e-9)


def test_greys_take_the_mean_of_a_styles_colours() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8).reshape(8, 32, 1), 3, axis=2)
    style = picture(2, (60, 100, 90), (136, 125, 130))
    expected = rgb2lab(style).mean((0, 1))[1:]
    levels = np.rint(reinhard(greys, style)).astype(np.uint8)
    for found in (levels, ColourTransfer.REINHARD.apply(greys, style)):
        assert np.abs(rgb2lab(found)[..., 1:] - expected).max() < 3


@pytest.mark.parametrize("beta", BETAS)
def test_amplitudes_of_the_content_itself_change_nothing(beta: float) -> None:
    image = picture(3, (0, 0, 0), (255, 255, 255))
    np.testing.assert_allclose(fda(image, image, beta), image, atol=1e-9)
