"""Painting in metres: a camera over a street, a canvas, and the look everything passes through.

World axes: x to the right, y up, z forwards from the camera; the road lies at y = 0.
"""

import math
from dataclasses import dataclass

from .canvas import Canvas, Glow, Point
from .classes import Label
from .looks import Colour, Look, blend, scale

Point3 = tuple[float, float, float]

NEAREST = 1.2
HAZE_DISTANCE = 90.0
SUN_FROM_LEFT = True


@dataclass(frozen=True)
class Camera:
    """A level pinhole camera; lengths in fractions of the picture's width and height."""

    focal: float
    vanishing: float
    horizon: float
    height: float


class Painter:
    """Projects solids onto a canvas, each colour seen through the look and the haze."""

    def __init__(self, canvas: Canvas, camera: Camera, look: Look) -> None:
        self.canvas, self.camera, self.look = canvas, camera, look
        self._focal = camera.focal * canvas.width
        self._centre = camera.vanishing * canvas.width
        self._horizon = camera.horizon * canvas.height

    def project(self, point: Point3) -> Point:
        """Returns the pixel of a point in the world."""
        x, y, z = point
        z = max(z, NEAREST)
        return (
            self._centre + self._focal * x / z,
            self._horizon + self._focal * (self.camera.height - y) / z,
        )

    def pixels(self, metres: float, z: float) -> float:
        """Returns how many pixels a length covers at distance `z`, at 512 pixels of width."""
        return self.camera.focal * 512 * metres / max(z, NEAREST)

    def seen(self, label: Label, colour: Colour, z: float, gain: float = 1.0) -> Colour:
        """Returns a day colour as it looks in this condition, from this distance."""
        share = self.look.haze_strength * (1.0 - math.exp(-max(z, 0.0) / HAZE_DISTANCE))
        return blend(scale(self.look.colour(label, colour), gain), self.look.haze, share)

    def face(self, points: list[Point3], colour: Colour, label: Label, gain: float = 1.0) -> None:
        """Paints a flat face."""
        z = sum(p[2] for p in points) / len(points)
        self.canvas.polygon(
            [self.project(p) for p in points], self.seen(label, colour, z, gain), label
        )

    def shaded_face(
        self, points: list[Point3], colour: Colour, label: Label, gain: float = 1.0
    ) -> None:
        """Paints a face that is a little lighter at the top than at the bottom."""
        z = sum(p[2] for p in points) / len(points)
        seen = self.seen(label, colour, z, gain)
        self.canvas.gradient(
            [self.project(p) for p in points], scale(seen, 1.06), scale(seen, 0.9), label
        )

    def light(self, points: list[Point3], colour: Colour, label: Label) -> None:
        """Paints a face that gives light: neither tone nor haze touches it."""
        self.canvas.polygon([self.project(p) for p in points], colour, label)

    def disc(
        self, centre: Point3, radius: float, colour: Colour, label: Label, stretch: float = 1.0
    ) -> None:
        """Paints a disc that faces the camera."""
        self.face(ring(centre, radius, stretch), colour, label)

    def top(self, points: list[Point3], colour: Colour, label: Label, gain: float = 1.08) -> None:
        """Paints an upward face; snow lies on it."""
        if self.look.snow:
            self.snow(points, label)
        else:
            self.face(points, colour, label, gain)

    def snow(self, points: list[Point3], label: Label | None = None) -> None:
        """Paints snow; without a label, on what has its label already."""
        z = sum(p[2] for p in points) / len(points)
        snow = blend((246, 249, 253), self.look.haze, min(z / 400, 0.6))
        self.canvas.polygon([self.project(p) for p in points], snow, label)

    def shadow(self, x: float, z: float, half_width: float, half_depth: float) -> None:
        """Darkens the ground in an ellipse."""
        points = [
            self.project((x + half_width * math.cos(a), 0.0, z + half_depth * math.sin(a)))
            for a in _angles(24)
        ]
        self.canvas.veil(points, (20, 22, 34), self.look.shadow)

    def glow(
        self,
        centre: Point3,
        radius: float,
        colour: Colour,
        opacity: float = 0.6,
        flatness: float = 1.0,
    ) -> None:
        """Adds a light of `radius` metres where the look has its lights on."""
        if self.look.lights_on:
            pixels = self._focal * radius / max(centre[2], NEAREST)
            self.canvas.glow(Glow(self.project(centre), pixels, colour, opacity, flatness))

    def side_gain(self, facing_left: bool) -> float:
        """Returns the brightness of a side face: one side of the street is in the sun."""
        return 1.0 if facing_left is SUN_FROM_LEFT else self.look.shade


@dataclass(frozen=True)
class Frustum:
    """A box along z whose top may be narrower: cars, cabins, buildings, boxes on poles."""

    x: float
    z: float
    half_width: float
    depth: float
    bottom: float
    top: float
    inset: float = 0.0
    front_inset: float = 0.0
    back_inset: float = 0.0

    def near(self, u: float, v: float) -> Point3:
        """Returns a point of the near face, `u` from left to right and `v` upwards in 0..1."""
        half = self.half_width - self.inset * v
        return (self.x + half * (2 * u - 1), self._y(v), self.z + self.front_inset * v)

    def side(self, sign: int, u: float, v: float) -> Point3:
        """Returns a point of a side face (-1 left, 1 right), `u` from near to far."""
        near = self.z + self.front_inset * v
        far = self.z + self.depth - self.back_inset * v
        half = self.half_width - self.inset * v
        return (self.x + sign * half, self._y(v), near + (far - near) * u)

    def visible_side(self) -> int:
        """Returns which side face the camera sees: -1, 1, or 0 for neither."""
        if self.x - self.half_width > 0:
            return -1
        return 1 if self.x + self.half_width < 0 else 0

    def paint(self, painter: Painter, colour: Colour, label: Label) -> None:
        """Paints the faces the camera sees."""
        sign = self.visible_side()
        if sign:
            corners = [self.side(sign, u, v) for u, v in _CORNERS]
            painter.shaded_face(corners, colour, label, painter.side_gain(sign < 0))
        if self.top < painter.camera.height + 0.4:
            painter.top(
                [self.near(0, 1), self.near(1, 1), self.side(1, 1, 1), self.side(-1, 1, 1)],
                colour,
                label,
            )
        painter.shaded_face([self.near(u, v) for u, v in _CORNERS], colour, label, 0.92)

    def near_patch(self, u: tuple[float, float], v: tuple[float, float]) -> list[Point3]:
        """Returns a rectangle on the near face."""
        return [self.near(u[0], v[0]), self.near(u[1], v[0]),
                self.near(u[1], v[1]), self.near(u[0], v[1])]  # fmt: skip

    def side_patch(self, sign: int, u: tuple[float, float], v: tuple[float, float]) -> list[Point3]:
        """Returns a rectangle on a side face."""
        return [self.side(sign, u[0], v[0]), self.side(sign, u[1], v[0]),
                self.side(sign, u[1], v[1]), self.side(sign, u[0], v[1])]  # fmt: skip

    def _y(self, v: float) -> float:
        return self.bottom + (self.top - self.bottom) * v


def ring(centre: Point3, radius: float, stretch: float = 1.0) -> list[Point3]:
    """Returns a circle facing the camera (an ellipse if `stretch`, height by width, is not 1)."""
    x, y, z = centre
    return [(x + radius * math.cos(a), y + stretch * radius * math.sin(a), z) for a in _angles(28)]


def wheel(x: float, y: float, z: float, radius: float) -> list[Point3]:
    """Returns a circle in the plane x = const, as on a vehicle's side."""
    return [(x, y + radius * math.sin(a), z + radius * math.cos(a)) for a in _angles(20)]


_CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))


def _angles(count: int) -> list[float]:
    return [2 * math.pi * k / count for k in range(count)]
