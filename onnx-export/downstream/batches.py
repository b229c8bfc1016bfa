"""What an arm is shown at each step: a function of the seed and the step, and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from downstream.arms import Example
from downstream.classes import UNKNOWN
from downstream.pictures import Size
from downstream.recipes import Recipe

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CACHE_BYTES = 2 << 30
ORDER, CROPS = 1, 2


class Batch(NamedTuple):
    """Pictures `(batch, 3, height, width)` bytes, and train ids `(batch, height, width)` bytes."""

    images: Tensor
    labels: Tensor


class Pictures:
    """Examples at one size; the first ones that were read stay in memory.

    `readers` is the number of processes that read, each of which keeps its share.
    """

    def __init__(self, examples: Sequence[Example], size: Size, readers: int = 1) -> None:
        self._examples, self._size = examples, size
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._most = CACHE_BYTES // readers // (4 * size.width * size.height)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, at: int) -> tuple[np.ndarray, np.ndarray]:
        if at in self._kept:
            return self._kept[at]
        loaded = self._examples[at].load(self._size)
        if len(self._kept) < self._most:
            self._kept[at] = loaded
        return loaded


class StepBatches(Dataset[Batch]):
    """The batch of each step: every picture once before any comes again, cropped and mirrored."""

    def __init__(self, pictures: Pictures, recipe: Recipe, seed: int) -> None:
        self._pictures, self._recipe, self._seed = pictures, recipe, seed

    def __len__(self) -> int:
        return self._recipe.steps

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self._seed, CROPS, step])
        first = step * self._recipe.batch
        shown = [self._shown(at, rng) for at in range(first, first + self._recipe.batch)]
        images = np.stack([image for image, _ in shown]).transpose(0, 3, 1, 2)
        labels = np.stack([label for _, label in shown])
        return Batch(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(labels))

    def _shown(self, at: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        epoch, place = divmod(at, len(self._pictures))
        order = np.random.default_rng([self._seed, ORDER, epoch]).permutation(len(self._pictures))
        image, label = self._pictures[int(order[place])]
        low, high = self._recipe.scales
        if (low, high) != (1.0, 1.0):
            image, label = scaled(image, label, rng.uniform(low, high))
        return cropped(image, label, self._recipe.crop, rng)


def scaled(image: np.ndarray, label: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns a picture and its label resized."""
    size = [max(1, round(side * scale)) for side in (label.shape[1], label.shape[0])]
    picture = Image.fromarray(image).resize((size[0], size[1]), Image.Resampling.BILINEAR)
    ids = Image.fromarray(label).resize((size[0], size[1]), Image.Resampling.NEAREST)
    return np.array(picture), np.array(ids)


def cropped(
    image: np.ndarray, label: np.ndarray, crop: Size, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a random crop, mirrored half of the time; beyond the image it is unknown."""
    high, wide = max(0, crop.height - label.shape[0]), max(0, crop.width - label.shape[1])
    if high or wide:
        image = np.pad(image, ((0, high), (0, wide), (0, 0)))
        label = np.pad(label, ((0, high), (0, wide)), constant_values=UNKNOWN)
    top = int(rng.integers(label.shape[0] - crop.height + 1))
    left = int(rng.integers(label.shape[1] - crop.width + 1))
    image = image[top : top + crop.height, left : left + crop.width]
    label = label[top : top + crop.height, left : left + crop.width]
    if rng.random() < 0.5:
        image, label = image[:, ::-1], label[:, ::-1]
    return image, np.ascontiguousarray(label)


def normalised(images: Tensor) -> Tensor:
    """Returns bytes as ImageNet's networks take them."""
    mean = torch.tensor(MEAN, device=images.device).view(3, 1, 1)
    deviation = torch.tensor(DEVIATION, device=images.device).view(3, 1, 1)
    return (images.float() / 255.0 - mean) / deviation
