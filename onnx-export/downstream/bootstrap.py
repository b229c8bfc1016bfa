"""Whether an arm differs from another, or only the images and seeds that happened to be drawn.

Both arms are tested on the same images and trained with the same seeds, so both are resampled in
pairs: a draw of images and of seeds, with replacement, gives one difference of mean IoUs. Were
images drawn alone, the luck of three trainings would be taken for an effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from downstream.scores import mean_iou

CHUNK = 200


class Verdict(StrEnum):
    """What can be said of an arm against source only."""

    HELPS = "helps"
    HARMS = "harms"
    UNTOLD = "no difference can be told"


@dataclass(frozen=True)
class Bootstrap:
    """How differences are resampled."""

    resamples: int = 2000
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Interval:
    """The lower and upper end of differences, in points of mean IoU."""

    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """What it says: an end that is 0 tells no difference."""
        if self.low > 0:
            return Verdict.HELPS
        return Verdict.HARMS if self.high < 0 else Verdict.UNTOLD


@dataclass(frozen=True)
class Comparison:
    """The difference of an arm to another; its intervals over images and seeds, and over images."""

    difference: float
    interval: Interval
    of_images: Interval

    @property
    def verdict(self) -> Verdict:
        """What the interval over images and seeds says."""
        return self.interval.verdict


def compare(arm: np.ndarray, source: np.ndarray, how: Bootstrap) -> Comparison:
    """Compares confusions `(seeds, images, 19, 19)` of an arm with those of another."""
    if arm.shape != source.shape:
        raise ValueError(f"{arm.shape} and {source.shape} are not of the same seeds and images")
    seeds, images = arm.shape[:2]
    rng = np.random.default_rng(how.seed)
    drawn_images = draws(rng, how.resamples, images)
    drawn_seeds = draws(rng, how.resamples, seeds)
    differences = resampled(arm, drawn_images) - resampled(source, drawn_images)
    both = (differences * drawn_seeds.T).sum(0) / seeds
    whole = np.ones((1, images), np.int64)
    difference = (resampled(arm, whole) - resampled(source, whole)).mean()
    return Comparison(
        float(difference), interval(both, how.level), interval(differences.mean(0), how.level)
    )


def draws(rng: np.random.Generator, resamples: int, of: int) -> np.ndarray:
    """Returns how often each of so many was drawn in each resample, `(resamples, of)`."""
    return rng.multinomial(of, np.full(of, 1.0 / of), size=resamples)


def resampled(confusions: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Returns the mean IoU of each seed in each resample, `(seeds, resamples)`."""
    seeds, images, classes, _ = confusions.shape
    flat = confusions.reshape(seeds, images, classes * classes).astype(np.float64)
    scores = np.empty((seeds, len(drawn)))
    for first in range(0, len(drawn), CHUNK):
        # Sums of integers below 2^53 are exact.
        part = drawn[first : first + CHUNK].astype(np.float64)
        for seed in range(seeds):
            summed = (part @ flat[seed]).reshape(-1, classes, classes)
            scores[seed, first : first + CHUNK] = mean_iou(summed)
    return scores


def interval(differences: np.ndarray, level: float) -> Interval:
    """Returns the percentiles between which a share `level` of differences lies."""
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))
