"""Ground, sky, trees and street furniture."""

import math
from dataclasses import dataclass

from .classes import Label
from .looks import Colour, blend, scale
from .painter import Frustum, Painter, ring

FAR = 400.0
METAL: Colour = (108, 112, 120)


@dataclass(frozen=True)
class Cloud:
    """A soft heap of discs; place and size as fractions of the picture's width and height."""

    x: float
    y: float
    size: float
    puffs: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Sky:
    """The sky's gradient and its clouds."""

    clouds: tuple[Cloud, ...]

    def draw(self, painter: Painter) -> None:
        """Paints the whole picture as sky."""
        canvas, look = painter.canvas, painter.look
        w, h = canvas.width, canvas.height
        horizon = painter.camera.horizon * h
        canvas.polygon([(0, 0), (w, 0), (w, h), (0, h)], look.sky_bottom, Label.SKY)
        box = [(0.0, 0.0), (w, 0.0), (w, horizon), (0.0, horizon)]
        canvas.gradient(box, look.sky_top, look.sky_bottom, Label.SKY)
        for cloud in self.clouds:
            for dx, dy, radius in cloud.puffs:
                x, y = (cloud.x + dx * cloud.size) * w, cloud.y * h + dy * cloud.size * w
                r = radius * cloud.size * w
                points = [(x + r * math.cos(a), y + 0.6 * r * math.sin(a)) for a in _TURN]
                canvas.polygon(points, look.cloud, None)


@dataclass(frozen=True)
class Hills:
    """A line of wooded hills on the horizon."""

    z: float
    heights: tuple[float, ...]
    tint: float

    def draw(self, painter: Painter) -> None:
        """Paints the hills from edge to edge."""
        count = len(self.heights) - 1
        points = [(-260 + 520 * k / count, height, self.z) for k, height in
                  enumerate(self.heights)]  # fmt: skip
        points += [(260, 0, self.z), (-260, 0, self.z)]
        look = painter.look
        colour = blend(look.foliage[0], look.haze, 0.35 + 0.3 * self.tint)
        painter.canvas.polygon([painter.project(p) for p in points], colour, Label.VEGETATION)


@dataclass(frozen=True)
class Ground:
    """Terrain, sidewalks and the road with its markings; x from left to right."""

    left: float
    right: float
    middle: float
    sidewalks: tuple[float, float]
    crossing: float | None
    dash_offset: float
    grass: Colour

    def draw(self, painter: Painter) -> None:
        """Paints everything that lies flat."""
        self._strip(painter, -FAR, FAR, self.grass, Label.TERRAIN)
        self._strip(painter, self.left - self.sidewalks[0], self.left, (188, 180, 170),
                    Label.SIDEWALK)  # fmt: skip
        self._strip(painter, self.right, self.right + self.sidewalks[1], (188, 180, 170),
                    Label.SIDEWALK)  # fmt: skip
        self._strip(painter, self.left, self.right, (104, 106, 114), Label.ROAD)
        for edge, side in ((self.left, -1), (self.right, 1)):
            self._strip(painter, min(edge, edge + 0.25 * side), max(edge, edge + 0.25 * side),
                        (214, 208, 200), Label.SIDEWALK)  # fmt: skip
        if painter.look.snow:
            for x in (self.middle - 2.6, self.middle - 1.0, self.middle + 1.0, self.middle + 2.6):
                self._patch(painter, x - 0.28, x + 0.28, 1.3, FAR, (128, 134, 146))
        self._markings(painter)

    def _strip(self, painter: Painter, x0: float, x1: float, colour: Colour, label: Label) -> None:
        """Paints a strip along the street, shaded from the horizon to the camera."""
        points = [(x0, 0, 1.2), (x1, 0, 1.2), (x1, 0, FAR), (x0, 0, FAR)]
        far = painter.seen(label, colour, 110.0)
        near = scale(painter.seen(label, colour, 4.0), 0.94)
        pixels = [painter.project(p) for p in points]
        bottom = painter.canvas.height
        mid_y = painter.project((0, 0, 30.0))[1]
        painter.canvas.polygon(pixels, near, label)
        clip = _clip_rows(pixels, 0, mid_y)
        if clip:
            painter.canvas.gradient(clip, far, painter.seen(label, colour, 30.0), label)
        clip = _clip_rows(pixels, mid_y, bottom)
        if clip:
            painter.canvas.gradient(clip, painter.seen(label, colour, 30.0), near, label)

    def _patch(
        self, painter: Painter, x0: float, x1: float, z0: float, z1: float, colour: Colour
    ) -> None:
        points = [(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)]
        seen = painter.seen(Label.ROAD, colour, 0.5 * (z0 + min(z1, z0 + 40)))
        painter.canvas.polygon([painter.project(p) for p in points], seen, None)

    def _markings(self, painter: Painter) -> None:
        paint = (240, 240, 236)
        lanes = [self.middle]
        for x in lanes:
            z = 2.0 + self.dash_offset
            while z < 90:
                self._patch(painter, x - 0.11, x + 0.11, z, z + 3.2, paint)
                z += 7.0
        for x in (self.left + 0.45, self.right - 0.45):
            self._patch(painter, x - 0.08, x + 0.08, 1.3, 140, (226, 226, 222))
        if self.crossing is not None:
            x = self.left + 0.8
            while x < self.right - 1.0:
                self._patch(painter, x, x + 0.6, self.crossing, self.crossing + 3.0, paint)
                x += 1.25


@dataclass(frozen=True)
class Tree:
    """A tree: a trunk and a crown of a few large blobs."""

    x: float
    z: float
    height: float
    spread: float
    shade: int
    blobs: tuple[tuple[float, float, float], ...]

    def draw(self, painter: Painter) -> None:
        """Paints trunk and crown, lighter towards the sun."""
        painter.shadow(self.x + 0.6, self.z, 0.8 * self.spread, 0.5 * self.spread)
        trunk = 0.16 + 0.02 * self.height
        look = painter.look
        wood = blend((104, 76, 54), look.foliage[0], 0.15)
        if look.lights_on:
            wood = scale(wood, 0.35)
        painter.face([(self.x - trunk, 0, self.z), (self.x + trunk, 0, self.z),
                      (self.x + 0.6 * trunk, 0.6 * self.height, self.z),
                      (self.x - 0.6 * trunk, 0.6 * self.height, self.z)],
                     wood, Label.VEGETATION)  # fmt: skip
        leaf = look.foliage[self.shade % len(look.foliage)]
        centre = 0.68 * self.height
        layers = ((0.0, 0.0, 1.0, 0.82), (-0.1, 0.1, 0.86, 1.0), (-0.2, 0.24, 0.5, 1.16))
        for ox, oy, size, gain in layers:
            colour = scale(leaf, gain)
            if look.snow and size < 0.6:
                colour = blend(colour, (248, 250, 253), 0.8)
            for bx, by, radius in self.blobs:
                point = (self.x + (bx + ox * radius) * self.spread,
                         centre + (by + oy * radius) * self.spread, self.z)  # fmt: skip
                painter.disc(point, radius * size * self.spread, colour, Label.VEGETATION, 0.92)


@dataclass(frozen=True)
class Hedge:
    """A row of bushes along the street."""

    x: float
    z: float
    length: float
    height: float
    shade: int

    def draw(self, painter: Painter) -> None:
        """Paints the hedge as a long box of leaves."""
        box = Frustum(self.x, self.z, 0.6, self.length, 0.0, self.height, 0.15)
        leaf = painter.look.foliage[self.shade % len(painter.look.foliage)]
        box.paint(painter, scale(leaf, 0.95), Label.VEGETATION)


@dataclass(frozen=True)
class Barrier:
    """A wall or a fence along the street."""

    x: float
    z: float
    length: float
    height: float
    colour: Colour
    label: Label

    def draw(self, painter: Painter) -> None:
        """Paints the wall, or the fence with its pickets."""
        half = 0.15 if self.label is Label.WALL else 0.04
        box = Frustum(self.x, self.z, half, self.length, 0.0, self.height)
        box.paint(painter, self.colour, self.label)
        sign = box.visible_side()
        if not sign:
            return
        gain = painter.side_gain(sign < 0)
        if self.label is Label.FENCE:
            count = max(int(self.length / 1.1), 1)
            for k in range(count):
                u = ((k + 0.55) / count, (k + 0.95) / count)
                z = self.z + self.length * u[0]
                if painter.pixels(0.4 * abs(self.x) / z, z) > 1.5:
                    painter.face(box.side_patch(sign, u, (0.08, 0.72)), scale(self.colour, 0.7),
                                 self.label, gain)  # fmt: skip
        painter.top(box.side_patch(sign, (0, 1), (0.88, 1.0)), scale(self.colour, 1.12), self.label)


@dataclass(frozen=True)
class Lamp:
    """A street lamp that leans over the road (`side` -1: it stands on the left)."""

    x: float
    z: float
    side: int
    height: float

    def draw(self, painter: Painter) -> None:
        """Paints pole, arm and lamp; at night its light and a pool on the ground."""
        _pole(painter, self.x, self.z, self.height, 0.14)
        end = self.x - self.side * 1.8
        y = self.height
        painter.face([(self.x, y, self.z), (end, y + 0.25, self.z), (end, y + 0.43, self.z),
                      (self.x, y + 0.2, self.z)], METAL, Label.POLE)  # fmt: skip
        head = [(end - 0.5, y + 0.12, self.z), (end + 0.5, y + 0.12, self.z),
                (end + 0.4, y + 0.45, self.z), (end - 0.4, y + 0.45, self.z)]  # fmt: skip
        if painter.look.lights_on:
            painter.light(head, (255, 232, 180), Label.POLE)
            painter.glow((end, y, self.z), 1.0, (255, 206, 124), 0.7)
            painter.glow((end, 0.0, self.z), 2.6, (236, 176, 100), 0.32, 0.25)
        else:
            painter.face(head, (218, 216, 206), Label.POLE)


@dataclass(frozen=True)
class TrafficLight:
    """A traffic light on a pole; `state` 0 red, 1 amber, 2 green."""

    x: float
    z: float
    state: int

    def draw(self, painter: Painter) -> None:
        """Paints pole, box and the three lamps."""
        _pole(painter, self.x, self.z, 3.4, 0.12)
        z = self.z - 0.1
        box = Frustum(self.x, z, 0.52, 0.3, 2.9, 5.3)
        painter.face(box.near_patch((0, 1), (0, 1)), (48, 50, 52), Label.TRAFFIC_LIGHT)
        bright = ((255, 60, 46), (255, 190, 50), (70, 230, 130))
        for k, colour in enumerate(bright):
            centre = (self.x, 4.86 - 0.76 * k, z)
            if k == self.state:
                painter.light(ring(centre, 0.32), colour, Label.TRAFFIC_LIGHT)
                painter.glow(centre, 0.55, colour, 0.5)
            else:
                painter.disc(centre, 0.32, scale(colour, 0.35), Label.TRAFFIC_LIGHT)


@dataclass(frozen=True)
class Sign:
    """A traffic sign on a pole: `kind` is one of round, warning, square, board."""

    x: float
    z: float
    kind: str

    def draw(self, painter: Painter) -> None:
        """Paints pole and plate."""
        _pole(painter, self.x, self.z, 2.9, 0.09)
        z, y, label = self.z - 0.05, 3.0, Label.TRAFFIC_SIGN
        at = (self.x, y, z)
        if self.kind == "round":
            painter.disc(at, 0.78, (206, 44, 44), label)
            painter.disc(at, 0.54, (246, 246, 242), label)
        elif self.kind == "warning":
            for size, colour in ((0.98, (206, 44, 44)), (0.6, (250, 246, 236))):
                painter.face([(self.x - size, y - 0.6 * size, z), (self.x + size, y - 0.6 * size,
                             z), (self.x, y + size, z)], colour, label)  # fmt: skip
        elif self.kind == "square":
            self._plate(painter, 0.72, 0.72, (38, 96, 184))
            self._plate(painter, 0.3, 0.46, (246, 246, 246))
        else:
            self._plate(painter, 1.1, 0.6, (242, 196, 48))
            self._plate(painter, 0.8, 0.14, (70, 60, 40))

    def _plate(
        self, painter: Painter, half_width: float, half_height: float, colour: Colour
    ) -> None:
        corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        painter.face(
            [(self.x + half_width * u, 3.0 + half_height * v, self.z - 0.05) for u, v in corners],
            colour, Label.TRAFFIC_SIGN)  # fmt: skip


def _pole(painter: Painter, x: float, z: float, height: float, half_width: float) -> None:
    painter.face([(x - half_width, 0, z), (x + half_width, 0, z), (x + half_width, height, z),
                  (x - half_width, height, z)], METAL, Label.POLE)  # fmt: skip


def _clip_rows(
    points: list[tuple[float, float]], y0: float, y1: float
) -> list[tuple[float, float]]:
    """Returns the part of a convex polygon between two rows."""
    for bound, keep in ((y0, 1), (y1, -1)):
        clipped = []
        for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
            inside_a, inside_b = keep * (ay - bound) >= 0, keep * (by - bound) >= 0
            if inside_a:
                clipped.append((ax, ay))
            if inside_a != inside_b:
                t = (bound - ay) / (by - ay)
                clipped.append((ax + t * (bx - ax), bound))
        points = clipped
        if not points:
            return []
    return points


_TURN = [2 * math.pi * k / 32 for k in range(32)]
