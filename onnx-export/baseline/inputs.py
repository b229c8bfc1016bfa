"""Images and label maps as the method takes them, with Pillow.

A picture is cropped to 2:1 around its centre and resized. A palette's label ids are resized by the
nearest, a colour map's colours bicubically: a colour blended at an edge is no class's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from demo.classes import COLOURS

NUM_CLASSES = len(COLOURS)
UNKNOWN = 255
LATENT_SCALE = 8


@dataclass(frozen=True)
class LabelMaps:
    """Train ids, or `UNKNOWN`, at the image's size and at the latent's."""

    image: np.ndarray
    latent: np.ndarray


def read_image(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Returns the picture at `size` (width, height), `(height, width, 3)` u8."""
    with Image.open(path) as image:
        return np.asarray(two_to_one(image.convert("RGB")).resize(size))


def read_labels(path: Path, size: tuple[int, int]) -> LabelMaps:
    """Returns the label maps for an image of `size`, the smaller one made from the larger."""
    with Image.open(path) as image:
        labels = two_to_one(image if image.mode in ("P", "L") else image.convert("RGB"))
    nearest = Image.Resampling.NEAREST if labels.mode == "L" else None
    labels = labels.resize(size, nearest)
    small = labels.resize((size[0] // LATENT_SCALE, size[1] // LATENT_SCALE), nearest)
    return LabelMaps(train_ids(labels), train_ids(small))


def two_to_one(image: Image.Image) -> Image.Image:
    """Returns the middle of the image, twice as wide as high."""
    width, height = image.size
    if width > 2 * height:
        margin = (width - 2 * height) / 2
        return image.crop((margin, 0, width - margin, height))
    margin = (height - width // 2) / 2
    return image.crop((0, margin, width, height - margin))


def train_ids(labels: Image.Image) -> np.ndarray:
    """Returns the train id of each position, u8."""
    stored = np.asarray(labels)
    ids = np.full(stored.shape[:2], UNKNOWN, np.uint8)
    for train_id, (label, colour) in enumerate(COLOURS.items()):
        same = stored == label if stored.ndim == 2 else (stored == colour).all(axis=-1)
        ids[same] = train_id
    return ids
