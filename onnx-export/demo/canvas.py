"""A supersampled picture and the exact label map under it, painted together."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from .classes import Label
from .looks import Colour

Point = tuple[float, float]


@dataclass(frozen=True)
class Glow:
    """A light: centre and radius in pixels, its colour, and its opacity at the centre."""

    centre: Point
    radius: float
    colour: Colour
    opacity: float = 0.6
    flatness: float = 1.0


class Canvas:
    """Paints polygons into an image (supersampled) and a label map (one id a pixel)."""

    def __init__(self, width: int, height: int, supersampling: int) -> None:
        self.width, self.height, self.factor = width, height, supersampling
        size = (width * supersampling, height * supersampling)
        self._image = Image.new("RGB", size)
        self._labels = Image.new("L", (width, height))
        self._draw = ImageDraw.Draw(self._image)
        self._label_draw = ImageDraw.Draw(self._labels)

    def polygon(self, points: list[Point], colour: Colour, label: Label | None) -> None:
        """Fills a polygon; without a label only the picture changes."""
        scaled = self._scaled(points)
        if scaled is None:
            return
        self._draw.polygon(scaled, fill=_rgb(colour))
        self._label(points, label)

    def gradient(
        self, points: list[Point], top: Colour, bottom: Colour, label: Label | None
    ) -> None:
        """Fills a polygon whose colour changes from its highest to its lowest point."""
        scaled = self._scaled(points)
        if scaled is None:
            return
        ys = [y for _, y in scaled]
        first, last = min(ys), max(ys)
        box, mask = self._mask(scaled, 255)
        if mask is None:
            return
        rows = (np.arange(box[1], box[3]) - first) / max(last - first, 1.0)
        strip = np.asarray(top) + (np.asarray(bottom) - np.asarray(top)) * rows[:, None].clip(0, 1)
        strip = Image.fromarray(np.rint(strip).astype(np.uint8)[:, None, :])
        self._image.paste(strip.resize(mask.size, Image.Resampling.NEAREST), box[:2], mask)
        self._label(points, label)

    def veil(self, points: list[Point], colour: Colour, opacity: float) -> None:
        """Lays a translucent polygon over the picture: a shadow, a pool of light."""
        scaled = self._scaled(points)
        if scaled is None:
            return
        box, mask = self._mask(scaled, round(255 * opacity))
        if mask is not None:
            self._image.paste(_rgb(colour), box, mask)

    def glow(self, glow: Glow) -> None:
        """Lays a soft light over what has been painted so far."""
        reach_x = round(2.2 * glow.radius * self.factor)
        reach_y = round(2.2 * glow.radius * glow.flatness * self.factor)
        x, y = (round(c * self.factor) for c in glow.centre)
        if min(reach_x, reach_y) < 1 or not self._touches(x, y, reach_x, reach_y):
            return
        size = (2 * reach_x, 2 * reach_y)
        mask = _halo(glow.opacity).resize(size, Image.Resampling.BILINEAR)
        self._image.paste(_rgb(glow.colour), (x - reach_x, y - reach_y), mask)

    def finish(self) -> tuple[Image.Image, Image.Image]:
        """Returns the antialiased picture (RGB) and the label map (mode L)."""
        return self._image.reduce(self.factor), self._labels

    def _touches(self, x: int, y: int, reach_x: int, reach_y: int) -> bool:
        width, height = self._image.size
        return -reach_x < x < width + reach_x and -reach_y < y < height + reach_y

    def _scaled(self, points: list[Point]) -> list[Point] | None:
        xs = [x for x, _ in points]
        ys = [y for _, y in points]
        if max(xs) < 0 or min(xs) > self.width or max(ys) < 0 or min(ys) > self.height:
            return None
        return [(x * self.factor, y * self.factor) for x, y in points]

    def _label(self, points: list[Point], label: Label | None) -> None:
        if label is not None:
            self._label_draw.polygon(points, fill=int(label))

    def _mask(
        self, scaled: list[Point], value: int
    ) -> tuple[tuple[int, int, int, int], Image.Image | None]:
        xs = [x for x, _ in scaled]
        ys = [y for _, y in scaled]
        x0, y0 = int(max(min(xs), 0)), int(max(min(ys), 0))
        x1 = int(min(max(xs) + 1, self._image.width))
        y1 = int(min(max(ys) + 1, self._image.height))
        if x0 >= x1 or y0 >= y1:
            return (x0, y0, x1, y1), None
        mask = Image.new("L", (x1 - x0, y1 - y0))
        ImageDraw.Draw(mask).polygon([(x - x0, y - y0) for x, y in scaled], fill=value)
        return (x0, y0, x1, y1), mask


@cache
def _halo(opacity: float) -> Image.Image:
    """Returns a mask that fades from its centre like a Gaussian, to zero at the edge."""
    axis = np.linspace(-2.2, 2.2, 129, dtype=np.float32) ** 2
    distance = axis[:, None] + axis[None, :]
    edge = np.exp(np.float32(-(2.2**2)))
    light = np.maximum(np.exp(-distance) - edge, 0.0) / (1.0 - edge)
    return Image.fromarray(np.rint(255.0 * opacity * light).astype(np.uint8))


def _rgb(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (min(max(round(x), 0), 255) for x in colour)
    return red, green, blue
