"""The fixtures that the worker's FID, KID and SSIM are held to say what published code says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.quality import FIXTURES, MAKERS, frechet, mmd2, ssim, statistics

LARGEST_BYTES = 1_000_000


@pytest.fixture(params=MAKERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def load(name: str) -> dict[str, np.ndarray]:
    with np.load(FIXTURES / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_a_fixture_is_what_its_maker_makes_today(name: str) -> None:
    stored, made = load(name), MAKERS[name]()
    assert stored.keys() == made.keys()
    for key, array in made.items():
        assert stored[key].dtype == array.dtype, key
        if np.issubdtype(array.dtype, np.integer):
            np.testing.assert_array_equal(stored[key], array, err_msg=key)
        else:
            np.testing.assert_allclose(stored[key], array, rtol=2e-6, atol=1e-12, err_msg=key)


def test_a_fixture_is_small(name: str) -> None:
    path: Path = FIXTURES / f"{name}.npz"
    assert path.stat().st_size < LARGEST_BYTES


def test_the_fid_is_pytorch_fids() -> None:
    arrays = load("fid_pytorch_fid")
    for side in ("first", "second"):
        assert arrays[side].min() >= 0
        assert arrays[side].mean() > 0.1
        mu, sigma = statistics(arrays[side])
        np.testing.assert_allclose(arrays[f"{side}_mu"], mu, rtol=1e-12)
        np.testing.assert_allclose(arrays[f"{side}_sigma"], sigma, rtol=1e-9, atol=1e-14)
        assert np.abs(np.corrcoef(arrays[side].T) - np.eye(mu.size)).max() > 0.3
    assert arrays["fid"] == pytest.approx(frechet(arrays["first"], arrays["second"]), rel=1e-9)
    assert arrays["fid"] > 0.1


def test_the_kid_of_subsets_is_torch_fidelitys() -> None:
    from torch_fidelity.metric_kid import kernel_mmd

    arrays = load("kid")
    first, second = (arrays[side].astype(np.float64) for side in ("first", "second"))
    cubic = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_coef0": 1}
    subsets = zip(arrays["subsets_first"], arrays["subsets_second"], strict=True)
    for (i, j), expected in zip(subsets, arrays["subsets_mmd2"], strict=True):
        assert len(set(i)) == len(i) == len(set(j)) == len(j)
        published = kernel_mmd(first[i], second[j], kid_kernel_poly_gamma=None, **cubic)
        assert published == pytest.approx(expected, rel=1e-9)


def test_the_kid_of_sets_of_two_sizes_is_its_definition_pair_by_pair() -> None:
    arrays = load("kid")
    first, second = arrays["first"], arrays["second"]
    assert arrays["mmd2"] == pytest.approx(mmd2(first, second), rel=1e-9)

    def mean(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
        return float(np.mean([(float(np.dot(a, b)) / a.size + 1.0) ** 3 for a, b in pairs]))

    few, fewer = first[:30].astype(np.float64), second[:20].astype(np.float64)
    within = [
        mean([(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j])
        for rows in (few, fewer)
    ]
    across = mean([(a, b) for a in few for b in fewer])
    assert mmd2(few, fewer) == pytest.approx(sum(within) - 2 * across, rel=1e-9)


def test_the_ssim_is_scikit_images() -> None:
    arrays = load("ssim")
    for pair in ("textured", "identical", "uncorrelated"):
        expected = ssim(arrays[f"{pair}_first"], arrays[f"{pair}_second"])
        assert arrays[f"{pair}_ssim"] == pytest.approx(expected, abs=1e-12)
    assert arrays["identical_ssim"] == 1.0
    assert 0.3 < arrays["textured_ssim"] < 0.95
    assert abs(arrays["uncorrelated_ssim"]) < 0.1
