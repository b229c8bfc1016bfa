"""Image files: read whole, framed as the worker frames its inputs, and known by their pixels."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from downstream.errors import ExperimentError
from onnx_export.errors import first_line

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
# What makes a picture of each EXIF orientation upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# EXIF orientations that exchange width and height.
QUARTER_TURNS = (5, 6, 7, 8)
# What reading a damaged file raises, in its pixels or in its EXIF data.
UNDECODABLE = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raises in one line what reading an image file raises."""
    try:
        yield
    except FileNotFoundError as error:
        raise ExperimentError(f"{path} is not there: copy or make it again") from error
    except UNDECODABLE as error:
        raise ExperimentError(
            f"{path} cannot be decoded ({first_line(error)}): copy or download it again"
        ) from error


def opened(path: Path) -> Image.Image:
    """Returns an image file, decoded whole."""
    with _told(path):
        image = Image.open(path)
        image.load()
    return image


def upright(path: Path) -> Image.Image:
    """Returns a picture in RGB, turned as its EXIF data says."""
    image = opened(path)
    with _told(path):
        # Pillow's own turning writes the other EXIF data anew, which fails where one is damaged.
        turn = TURNS.get(_orientation(image))
    return (image if turn is None else image.transpose(turn)).convert("RGB")


def _orientation(image: Image.Image) -> int:
    orientation: int = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation


def upright_size(path: Path) -> Size:
    """Returns the size of a picture as it is upright.

    A PNG that says nothing of it before its pixels is decoded: it may say it after them.
    """
    with _told(path), Image.open(path) as image:
        width, height = image.size
        turned = _orientation(image) in QUARTER_TURNS
    return Size(height, width) if turned else Size(width, height)


def stored_size(path: Path) -> Size:
    """Returns the size of an image as it is stored, which labels are read at, undecoded."""
    with _told(path), Image.open(path) as image:
        return Size(*image.size)


def framed(image: Image.Image, size: Size) -> np.ndarray:
    """Returns the centre of a picture at `size`, `(height, width, 3)`, as workers do."""
    box = centre(Size(*image.size), size)
    if box != (0, 0, *size) or image.size != size:
        image = image.crop(box).resize(size, Image.Resampling.BICUBIC)
    return np.array(image)


def size_of_centre(whole: Size, shape: Size) -> Size:
    """Returns the size of the part of an image that is framed at `shape`."""
    left, top, right, bottom = centre(whole, shape)
    return Size(right - left, bottom - top)


def framed_ids(ids: np.ndarray, size: Size) -> np.ndarray:
    """Returns the centre of a map of ids at `size`; each pixel takes the nearest."""
    height, width = ids.shape
    image = Image.fromarray(ids).crop(centre(Size(width, height), size))
    return np.array(image.resize(size, Image.Resampling.NEAREST))


def centre(whole: Size, shape: Size) -> tuple[int, int, int, int]:
    """Returns the box in the middle of an image that has the proportions of `shape`."""
    (width, height), kept = whole, list(whole)
    if width * shape.height > height * shape.width:
        kept[0] = height * shape.width // shape.height
    else:
        kept[1] = width * shape.height // shape.width
    left, right = round((width - kept[0]) / 2), round((width + kept[0]) / 2)
    top, bottom = round((height - kept[1]) / 2), round((height + kept[1]) / 2)
    return left, top, right, bottom


def digest_of_pixels(pixels: np.ndarray) -> str:
    """Returns the SHA-256 of an image's shape and pixels, whatever file they came in."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()
