"""Training pictures: thousands of streets in all looks, kept in one array on disk."""

from pathlib import Path

import numpy as np

from .looks import LOOKS
from .scene import make_scene

WIDTH, HEIGHT = 512, 256
FIRST_SEED = 1_000_000
"""Training streets start here; the dataset's own seeds are small, so the two never meet."""


def look_of(index: int) -> str:
    """Returns the look of a training picture: all looks take turns."""
    return tuple(LOOKS)[index % len(LOOKS)]


def draw_pictures(path: Path, start: int, stop: int, total: int) -> None:
    """Draws the pictures `start..stop` into the array `(total, 256, 512, 3)` at `path`."""
    pictures = open_pictures(path, total)
    for index in range(start, stop):
        image, _ = make_scene(FIRST_SEED + index).render(
            LOOKS[look_of(index)], WIDTH, HEIGHT, supersampling=2
        )
        pictures[index] = np.asarray(image)


def open_pictures(path: Path, total: int | None = None) -> np.ndarray:
    """Opens the array of pictures; with `total`, makes it if it is not there."""
    if path.exists():
        return np.lib.format.open_memmap(path, mode="r+")
    if total is None:
        raise FileNotFoundError(f"no pictures at {path}: run `draw` first")
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (total, HEIGHT, WIDTH, 3)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
