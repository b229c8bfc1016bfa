"""Image files: read whole, framed as the worker frames its inputs, and known by their pixels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageOps

from downstream.errors import ExperimentError
from onnx_export.errors import first_line

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
# EXIF orientations that exchange width and height.
QUARTER_TURNS = (5, 6, 7, 8)


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def opened(path: Path) -> Image.Image:
    """Returns an image file, decoded whole."""
    try:
        image = Image.open(path)
        image.load()
    except FileNotFoundError as error:
        raise ExperimentError(f"{path} is not there: copy or make it again") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _undecodable(path, error) from error
    return image


def _undecodable(path: Path, error: Exception) -> ExperimentError:
    return ExperimentError(
        f"{path} cannot be decoded ({first_line(error)}): copy or download it again"
    )


def upright(path: Path) -> Image.Image:
    """Returns a picture in RGB, turned as its EXIF data says."""
    return ImageOps.exif_transpose(opened(path)).convert("RGB")


def upright_size(path: Path) -> Size:
    """Returns the size of a picture as it is upright, without decoding it."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) in QUARTER_TURNS
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _undecodable(path, error) from error
    return Size(height, width) if turned else Size(width, height)


def framed(image: Image.Image, size: Size) -> np.ndarray:
    """Returns the centre of a picture at `size`, `(height, width, 3)`, as workers do."""
    box = centre(Size(*image.size), size)
    if box != (0, 0, *size) or image.size != size:
        image = image.crop(box).resize(size, Image.Resampling.BICUBIC)
    return np.array(image)


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


def digest_of_file(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
