"""Buildings: boxes with rows of windows along the street, and skylines behind it."""

from dataclasses import dataclass

import numpy as np

from .classes import Label
from .looks import Colour, blend, scale
from .painter import Frustum, Painter, Point3

STOREY = 3.3
BAY = 3.4


@dataclass(frozen=True)
class Building:
    """A house whose street side is the face nearest to the road."""

    x: float
    z: float
    half_width: float
    depth: float
    storeys: int
    colour: Colour
    gabled: bool
    roof: Colour
    seed: int

    def draw(self, painter: Painter) -> None:
        """Paints walls, roof, shop floor and windows."""
        height = self.storeys * STOREY + 0.6
        box = Frustum(self.x, self.z, self.half_width, self.depth, 0.0, height)
        if self.gabled:
            self._gable(painter, height)
        box.paint(painter, self.colour, Label.BUILDING)
        lights = np.random.default_rng(self.seed).random((self.storeys, 64))
        sign = box.visible_side()
        if sign:
            self._windows(painter, box, sign, self.depth, lights[:, :32])
            cornice = box.side_patch(sign, (0, 1), (1 - 0.5 / height, 1))
            painter.face(cornice, scale(self.colour, 1.1), Label.BUILDING,
                         painter.side_gain(sign < 0))  # fmt: skip
        self._windows(painter, box, 0, 2 * self.half_width, lights[:, 32:])
        if painter.look.snow and not self.gabled:
            cap = (1 - 0.35 / height, 1)
            painter.snow(box.near_patch((0, 1), cap))
            if sign:
                painter.snow(box.side_patch(sign, (0, 1), cap))

    def _windows(
        self, painter: Painter, box: Frustum, sign: int, length: float, lights: np.ndarray
    ) -> None:
        bays = max(int(length / BAY), 1)
        height = box.top - box.bottom
        for storey in range(self.storeys):
            low = (storey * STOREY + 0.95) / height
            v = (low, low + 1.75 / height)
            for bay in range(bays):
                u = ((bay + 0.22) / bays, (bay + 0.78) / bays)
                patch = box.side_patch(sign, u, v) if sign else box.near_patch(u, v)
                xs = [painter.project(p)[0] for p in patch]
                if (max(xs) - min(xs)) * 512 / painter.canvas.width < 1.6:
                    continue
                self._pane(painter, patch, lights[storey, bay % 32], sign)

    def _pane(self, painter: Painter, patch: list[Point3], light: float, sign: int) -> None:
        look = painter.look
        z = sum(p[2] for p in patch) / 4
        if light < look.lit_share:
            colour = scale(look.lit_window, 0.78 + 0.4 * light)
        else:
            gain = painter.side_gain(sign < 0) if sign else 0.92
            colour = scale(look.window, gain * (0.9 + 0.2 * light))
        share = look.haze_strength * min(z / 220, 0.6)
        painter.light(patch, blend(colour, look.haze, share), Label.BUILDING)

    def _gable(self, painter: Painter, height: float) -> None:
        ridge = height + 0.75 * self.half_width
        far = self.z + self.depth
        near_ridge, far_ridge = (self.x, ridge, self.z), (self.x, ridge, far)
        for sign in (-1, 1):
            eave = 1.08 * self.half_width * sign
            slope = [(self.x + eave, height - 0.2, self.z - 0.3),
                     (self.x + eave, height - 0.2, far), far_ridge, near_ridge]  # fmt: skip
            if painter.look.snow:
                painter.top(slope, self.roof, Label.BUILDING)
            else:
                painter.face(slope, self.roof, Label.BUILDING, painter.side_gain(sign < 0))
        gable = [(self.x - self.half_width, height, self.z), (self.x + self.half_width, height,
                 self.z), near_ridge]  # fmt: skip
        painter.face(gable, self.colour, Label.BUILDING, 0.92)


@dataclass(frozen=True)
class Skyline:
    """A row of distant houses across the end of the street."""

    z: float
    left: float
    widths: tuple[float, ...]
    heights: tuple[float, ...]
    colours: tuple[Colour, ...]
    seed: int

    def draw(self, painter: Painter) -> None:
        """Paints the row from left to right."""
        x = self.left
        lights = np.random.default_rng(self.seed)
        for width, height, colour in zip(self.widths, self.heights, self.colours, strict=True):
            box = Frustum(x + width / 2, self.z, width / 2, 10.0, 0.0, height)
            painter.shaded_face(box.near_patch((0, 1), (0, 1)), colour, Label.BUILDING)
            if painter.look.snow:
                painter.snow(box.near_patch((0, 1), (0.93, 1)))
            self._windows(painter, box, lights.random((12, 12)))
            x += width

    def _windows(self, painter: Painter, box: Frustum, lights: np.ndarray) -> None:
        bays, storeys = max(int(box.half_width / 2.4), 1), max(int(box.top / 5.0), 1)
        look = painter.look
        for storey in range(min(storeys, 12)):
            for bay in range(min(bays, 12)):
                patch = box.near_patch(
                    ((bay + 0.25) / bays, (bay + 0.75) / bays),
                    ((storey + 0.3) / storeys, (storey + 0.75) / storeys),
                )
                lit = lights[storey, bay] < look.lit_share
                colour = look.lit_window if lit else look.window
                share = 0.45 if lit else 0.3 + 0.4 * look.haze_strength
                painter.light(patch, blend(colour, look.haze, share), Label.BUILDING)
