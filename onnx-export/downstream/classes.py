"""The nineteen classes that segmenters of streets are trained on, as Cityscapes names them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

UNKNOWN = 255
"""The train id of pixels that are neither trained on nor tested."""


class TrainClass(NamedTuple):
    """A class in the order of train ids."""

    name: str
    label_id: int
    colour: tuple[int, int, int]


CLASSES = (
    TrainClass("road", 7, (128, 64, 128)),
    TrainClass("sidewalk", 8, (244, 35, 232)),
    TrainClass("building", 11, (70, 70, 70)),
    TrainClass("wall", 12, (102, 102, 156)),
    TrainClass("fence", 13, (190, 153, 153)),
    TrainClass("pole", 17, (153, 153, 153)),
    TrainClass("traffic light", 19, (250, 170, 30)),
    TrainClass("traffic sign", 20, (220, 220, 0)),
    TrainClass("vegetation", 21, (107, 142, 35)),
    TrainClass("terrain", 22, (152, 251, 152)),
    TrainClass("sky", 23, (70, 130, 180)),
    TrainClass("person", 24, (220, 20, 60)),
    TrainClass("rider", 25, (255, 0, 0)),
    TrainClass("car", 26, (0, 0, 142)),
    TrainClass("truck", 27, (0, 0, 70)),
    TrainClass("bus", 28, (0, 60, 100)),
    TrainClass("train", 31, (0, 80, 100)),
    TrainClass("motorcycle", 32, (0, 0, 230)),
    TrainClass("bicycle", 33, (119, 11, 32)),
)
NUM_CLASSES = len(CLASSES)
LAST_LABEL_ID = 34


def _table(ids: list[int]) -> np.ndarray:
    table = np.full(256, UNKNOWN, np.uint8)
    table[ids] = np.arange(len(ids))
    return table


TRAIN_ID_OF_LABEL_ID = _table([of.label_id for of in CLASSES])
TRAIN_ID_OF_TRAIN_ID = _table(list(range(NUM_CLASSES)))
