"""The fixtures of the quality figures, each worked out by a published implementation.

    python -m tests.quality          writes ../tests/fixtures/quality

FID comes from pytorch-fid and SSIM from scikit-image. KID is the plain formula in float64; the
tests hold it against torch-fidelity where that can be asked (two sets of one size).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

FIXTURES = Path(__file__).parents[2] / "tests/fixtures/quality"
WIDTH, POSITIONS = 96, 12
SUBSETS, SUBSET_SIZE = 3, 100
IMAGE = (48, 64, 3)
SSIM_SETTINGS = {
    "gaussian_weights": True,
    "sigma": 1.5,
    "use_sample_covariance": False,
    "data_range": 255,
    "channel_axis": 2,
}


def pooled_features(seed: int, count: int, shift: float) -> np.ndarray:
    """Returns `(count, 96)` float32: means of rectified, correlated values, so none is negative."""
    mixing = np.random.default_rng(960).standard_normal((WIDTH, WIDTH)) / np.sqrt(WIDTH)
    bias = np.random.default_rng(961).uniform(-0.5, 1.0, WIDTH)
    rng = np.random.default_rng(seed)
    picture = (1 + shift) * rng.standard_normal((count, 1, WIDTH)) + shift
    place = 0.5 * rng.standard_normal((count, POSITIONS, WIDTH))
    values = np.maximum((picture + place) @ mixing + bias, 0.0)
    return values.mean(axis=1).astype(np.float32)


def statistics(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and covariance as pytorch-fid takes them: in float64, divided by n - 1."""
    wide = features.astype(np.float64)
    return np.mean(wide, axis=0), np.cov(wide, rowvar=False)


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Returns pytorch-fid's distance between two sets of features."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    return float(calculate_frechet_distance(*statistics(first), *statistics(second)))


def mmd2(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the unbiased squared maximum mean discrepancy under `(x.y / width + 1)^3`.

    The mean of the kernel over all pairs of two different rows within each set, less twice its
    mean over all pairs across the sets.

    **Source:** Gretton et al. 2012, lemma 6; Binkowski et al. 2018 (arXiv:1801.01401).
    """
    x, y = first.astype(np.float64), second.astype(np.float64)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1.0) ** 3

    def mean_of_different(a: np.ndarray) -> float:
        within = kernel(a, a)
        return (within.sum() - np.trace(within)) / (len(a) * (len(a) - 1))

    return float(mean_of_different(x) + mean_of_different(y) - 2.0 * kernel(x, y).mean())


def ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Returns scikit-image's structural similarity with a Gaussian window of sigma 1.5."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(first, second, **SSIM_SETTINGS))


def fid_fixture() -> dict[str, np.ndarray]:
    """Returns two sets of features, their statistics, and the distance between them."""
    first, second = pooled_features(1, 400, 0.0), pooled_features(2, 300, 0.2)
    (first_mu, first_sigma), (second_mu, second_sigma) = statistics(first), statistics(second)
    return {
        "first": first,
        "first_mu": first_mu,
        "first_sigma": first_sigma,
        "second": second,
        "second_mu": second_mu,
        "second_sigma": second_sigma,
        "fid": np.array(frechet(first, second)),
    }


def kid_fixture() -> dict[str, np.ndarray]:
    """Returns two sets of features, three pairs of subsets, and what all of them come to."""
    first, second = pooled_features(3, 400, 0.0), pooled_features(4, 300, 0.2)
    rng = np.random.default_rng(5)
    subsets_first, subsets_second = (
        np.stack([rng.choice(len(s), SUBSET_SIZE, replace=False) for _ in range(SUBSETS)])
        for s in (first, second)
    )
    of_subsets = [
        mmd2(first[i], second[j]) for i, j in zip(subsets_first, subsets_second, strict=True)
    ]
    return {
        "first": first,
        "second": second,
        "mmd2": np.array(mmd2(first, second)),
        "subsets_first": subsets_first.astype(np.int64),
        "subsets_second": subsets_second.astype(np.int64),
        "subsets_mmd2": np.array(of_subsets),
    }


def ssim_fixture() -> dict[str, np.ndarray]:
    """Returns three pairs of pictures, and how alike each is."""
    rng = np.random.default_rng(6)
    rows, columns, channels = np.meshgrid(*(np.arange(n) for n in IMAGE), indexing="ij")
    waves = np.sin(rows / 2.3 + channels) + np.sin(columns / 3.1 - rows / 7.0) * (1 + channels) / 3
    texture = 120 + 45 * waves + rng.normal(0, 6, IMAGE)
    texture[:16, :24] = (90, 140, 200)
    changed = 0.8 * np.roll(texture, 1, axis=1) + 30 + rng.normal(0, 9, IMAGE)
    noise = rng.integers(0, 256, (2, *IMAGE), dtype=np.uint8)
    first, second = (np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (texture, changed))
    pairs = {
        "textured": (first, second),
        "identical": (first, first),
        "uncorrelated": (noise[0], noise[1]),
    }
    arrays: dict[str, np.ndarray] = {}
    for name, pair in pairs.items():
        arrays |= {f"{name}_first": pair[0], f"{name}_second": pair[1]}
        arrays[f"{name}_ssim"] = np.array(ssim(*pair))
    return arrays


MAKERS = {"fid_pytorch_fid": fid_fixture, "kid": kid_fixture, "ssim": ssim_fixture}


def main() -> None:
    """Writes every fixture."""
    parser = argparse.ArgumentParser(prog="python -m tests.quality")
    parser.add_argument("--out", type=Path, default=FIXTURES)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, make in MAKERS.items():
        np.savez(out / f"{name}.npz", allow_pickle=False, **make())


if __name__ == "__main__":
    main()
