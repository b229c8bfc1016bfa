"""From counted pixels to figures: IoU by class, its mean, and the mean and deviation over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def ious(confusion: np.ndarray) -> np.ndarray:
    """Returns the IoU of each class in percent, of summed confusions `(..., 19, 19)`.

    NaN for classes that no label shows: what is taken for them is missing elsewhere.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    labelled, predicted = confusion.sum(-1), confusion.sum(-2)
    either = labelled + predicted - right
    return np.where(labelled > 0, 100.0 * right / np.maximum(either, 1), np.nan)


def mean_iou(confusion: np.ndarray) -> np.ndarray:
    """Returns the mean of [`ious`] over the classes that labels show, `(...)`."""
    each = ious(confusion)
    shown = ~np.isnan(each)
    return np.where(shown, each, 0.0).sum(-1) / np.maximum(shown.sum(-1), 1)


@dataclass(frozen=True)
class OverSeeds:
    """A figure with each seed, and their mean and sample deviation."""

    seeds: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.seeds))

    @property
    def deviation(self) -> float | None:
        """The sample deviation over seeds; none of a single one."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else None
