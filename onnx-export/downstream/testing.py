"""Tests a network on labelled images: what it took for what, counted in each image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from downstream.arms import Example
from downstream.batches import normalised
from downstream.classes import NUM_CLASSES
from downstream.errors import ExperimentError
from downstream.networks import logits_of
from downstream.pictures import Size


class Test:
    """Labelled images at one size, read again for each network."""

    __test__ = False

    def __init__(self, examples: Sequence[Example], size: Size) -> None:
        self._examples, self._size = examples, size

    def __len__(self) -> int:
        return len(self._examples)

    def confusions(self, network: nn.Module, device: torch.device, batch: int = 4) -> np.ndarray:
        """Returns the pixels of each label class `(images, 19 of labels, 19 of predictions)`."""
        counts = np.empty((len(self), NUM_CLASSES, NUM_CLASSES), np.int64)
        for first in range(0, len(self), batch):
            loaded = [of.load(self._size) for of in self._examples[first : first + batch]]
            images = np.stack([image for image, _ in loaded]).transpose(0, 3, 1, 2)
            predicted = predictions(network, torch.from_numpy(images.copy()).to(device))
            for at, (_, labels) in enumerate(loaded):
                counts[first + at] = confusion(labels, predicted[at])
        return counts


@torch.no_grad()
def predictions(network: nn.Module, images: Tensor) -> np.ndarray:
    """Returns the train ids `(batch, height, width)` that a network sees in bytes."""
    logits = logits_of(network.eval(), normalised(images))
    if not torch.isfinite(logits).all():
        raise ExperimentError(
            "the trained network gives numbers that are not finite: lower the learning rate, as "
            "with --learning-rate"
        )
    return logits.argmax(1).to(torch.uint8).cpu().numpy()


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Returns how many pixels of each label class were taken for each class, `(19, 19)`.

    Pixels without a class are not counted.
    """
    known = labels < NUM_CLASSES
    pairs = labels[known].astype(np.int64) * NUM_CLASSES + predicted[known]
    return np.bincount(pairs, minlength=NUM_CLASSES**2).reshape(NUM_CLASSES, NUM_CLASSES)
