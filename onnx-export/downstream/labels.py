"""Label files as train ids: palettes, ids of both kinds and colours.

What a file says counts before what its name promises. What settings state is not questioned.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image

from downstream.classes import (
    CLASSES,
    LAST_LABEL_ID,
    TRAIN_ID_OF_LABEL_ID,
    TRAIN_ID_OF_TRAIN_ID,
    UNKNOWN,
)
from downstream.errors import ExperimentError
from downstream.pictures import Size, opened

FIRST_ID_OF_LABELS_ONLY = 20
SMOOTHED_SHARE = 0.01
OTHER_COLOURS_SHARE = 0.2


class LabelKind(StrEnum):
    """What the pixels of a label file are, in the words of a run's plan; it knows others, too."""

    PALETTE_IDS = "palette-ids"
    LABEL_IDS = "label-ids"
    TRAIN_IDS = "train-ids"
    COLOUR = "colour"


@dataclass(frozen=True)
class LabelFile:
    """A label file, and how it is to be read.

    `stated` is said by settings; `look_alikes` is the kind of ids that could be of either.
    """

    path: Path
    kind: LabelKind
    stated: bool = False
    look_alikes: LabelKind | None = None


def read_label(label: LabelFile) -> np.ndarray:
    """Returns the train ids `(height, width)` of a label file; 255 where it shows no class."""
    image = opened(label.path)
    if image.mode == "P":
        train_ids = _of_palette(label, image)
    elif image.mode in ("L", "I", "I;16"):
        train_ids = _of_levels(label, np.asarray(image))
    else:
        train_ids = _of_colours(label, np.asarray(image.convert("RGB")))
    if (train_ids == UNKNOWN).all():
        raise ExperimentError(
            f"{label.path} shows none of the {len(CLASSES)} classes: expected Cityscapes' label "
            "ids, train ids or colours"
        )
    return train_ids


def refuse_another_size(label: Path, label_size: Size, image: Path, image_size: Size) -> None:
    """Raises if a label is not of the size of its image."""
    if label_size != image_size:
        raise ExperimentError(
            f"{label} is {label_size} and its image {image} is {image_size}: give the label that "
            "was made for this image, or take both away"
        )


def _of_palette(label: LabelFile, image: Image.Image) -> np.ndarray:
    indices = np.asarray(image)
    if label.stated and label.kind is not LabelKind.COLOUR:
        return _table(label.kind)[indices]
    flat = np.zeros(3 * 256, np.uint8)
    own = image.getpalette("RGB") or []
    flat[: len(own)] = own
    palette = flat.reshape(256, 3)
    if label.stated:
        return _of_colours(label, palette[indices])
    occurring = np.unique(indices)
    of_colours = _train_ids(palette[occurring])
    for kind in (label.kind, LabelKind.PALETTE_IDS, LabelKind.TRAIN_IDS):
        if kind is not LabelKind.COLOUR and (_table(kind)[occurring] == of_colours).all():
            return _table(kind)[indices]
    if (palette[occurring] == palette[occurring][:, :1]).all():
        return _of_levels(label, palette[indices][..., 0])
    return _of_colours(label, palette[indices])


def _of_levels(label: LabelFile, levels: np.ndarray) -> np.ndarray:
    if levels.min() < 0 or levels.max() > UNKNOWN:
        raise ExperimentError(
            f"{label.path} has ids up to {levels.max()}: expected Cityscapes' label or train ids"
        )
    levels = levels.astype(np.uint8)
    kind = label.kind
    if not label.stated:
        kind = _kind_of_levels(levels) or label.look_alikes or kind
    if kind is LabelKind.COLOUR:
        raise ExperimentError(
            f"{label.path} is grey where colours were expected: name it as what it is, such as "
            "_gtFine_labelIds"
        )
    return _table(kind)[levels]


def _kind_of_levels(levels: np.ndarray) -> LabelKind | None:
    counts = np.bincount(levels.reshape(-1), minlength=256)
    of_labels = counts[FIRST_ID_OF_LABELS_ONLY : LAST_LABEL_ID + 1].sum()
    if of_labels > SMOOTHED_SHARE * levels.size:
        return LabelKind.LABEL_IDS
    classes_of_train_ids_only = (TRAIN_ID_OF_TRAIN_ID != UNKNOWN) & (
        TRAIN_ID_OF_LABEL_ID == UNKNOWN
    )
    classes_of_train_ids_only[0] = False
    if counts[UNKNOWN] and counts[classes_of_train_ids_only].any():
        return LabelKind.TRAIN_IDS
    return None


def _of_colours(label: LabelFile, colours: np.ndarray) -> np.ndarray:
    train_ids = _train_ids(colours)
    black = (colours == 0).all(axis=-1)
    other = ((train_ids == UNKNOWN) & ~black).mean()
    if other > OTHER_COLOURS_SHARE and not label.stated and (train_ids != UNKNOWN).mean() < other:
        raise ExperimentError(
            f"{label.path}: {other:.0%} of its pixels have no colour of a class: expected a "
            "label in Cityscapes' colours, label ids or train ids"
        )
    return train_ids


def _train_ids(colours: np.ndarray) -> np.ndarray:
    packed = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    train_ids = np.full(packed.shape, UNKNOWN, np.uint8)
    for train_id, of in enumerate(CLASSES):
        red, green, blue = of.colour
        train_ids[packed == (red << 16 | green << 8 | blue)] = train_id
    return train_ids


def _table(kind: LabelKind) -> np.ndarray:
    return TRAIN_ID_OF_TRAIN_ID if kind is LabelKind.TRAIN_IDS else TRAIN_ID_OF_LABEL_ID
