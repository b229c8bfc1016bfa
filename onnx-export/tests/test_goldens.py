"""The goldens that are made here are what `tests.goldens` makes, and by whom."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from baseline.network import Network
from baseline.schedule import Schedule
from tests import goldens
from tests.chain import Chain
from tests.goldens import HEADS, HEADS_SIZE, OF_HEADS, OF_VELOCITIES, VELOCITY, Recipe
from tests.reference import Reference
from tests.test_numbers import relative_error


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("goldens") / "heads"
    goldens.write_heads_checkpoint(folder)
    return folder


def assert_is_committed(folder: Path, recipe: Recipe, arrays: dict[str, np.ndarray]) -> None:
    """Asserts that a golden has these arrays, within the rounding of another processor."""
    assert json.loads((folder / "meta.json").read_text()) == recipe.meta()
    with np.load(folder / "golden.npz") as committed:
        assert set(committed) == set(arrays)
        for name in committed:
            atol = 1.0 if name == "image_output" else 1e-4
            found, expected = (x.astype(np.float64) for x in (arrays[name], committed[name]))
            np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=name)


@pytest.mark.parametrize("method", OF_HEADS)
def test_the_golden_of_wide_heads_is_made_again(method: str, heads: Path) -> None:
    recipe = OF_HEADS[method]
    arrays = goldens.converted(Network(heads), Schedule, recipe)
    assert_is_committed(HEADS / method, recipe, arrays)


def test_the_golden_of_velocities_is_made_again_by_diffusers(tmp_path: Path) -> None:
    checkpoint = tmp_path / "velocity"
    goldens.write_velocity_checkpoint(checkpoint)
    network = Network(checkpoint)
    assert network.schedule_constants["prediction_type"] == "v_prediction"
    arrays = goldens.converted(network, goldens.DiffusersSchedule, OF_VELOCITIES)
    assert_is_committed(VELOCITY / "cactif", OF_VELOCITIES, arrays)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-4), ("fp16", 0.01)])
def test_the_packed_models_are_exports_of_that_checkpoint(
    precision: str, tolerance: float, heads: Path, tmp_path: Path
) -> None:
    chain = Chain(goldens.unpack_folder(HEADS / f"model-{precision}.npz", tmp_path))
    assert (chain.contract["width"], chain.contract["height"]) == HEADS_SIZE
    assert [s["layer"]["head_width"] for s in chain.segments[:-1]] == [64, 64, 40, 40]
    assert [s["layer"]["heads"] for s in chain.segments[:-1]] == [1, 1, 2, 2]
    latents = np.random.default_rng(6).standard_normal((1, 4, 24, 48)).astype(np.float16)
    expected = Reference(heads).predict(latents.astype(np.float32), 500, chain.prompt_embedding())
    dtype = np.float16 if precision == "fp16" else np.float32
    assert relative_error(chain.predict(latents.astype(dtype), 500), expected) < tolerance
