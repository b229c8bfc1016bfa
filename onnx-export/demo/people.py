"""Persons and riders: flat figures that face the camera."""

from dataclasses import dataclass

from .classes import Label
from .looks import Colour, scale
from .painter import Painter, ring

TYRE: Colour = (38, 38, 44)


@dataclass(frozen=True)
class Person:
    """A standing or walking person."""

    x: float
    z: float
    coat: Colour
    trousers: Colour
    skin: Colour
    height: float
    stride: float

    def draw(self, painter: Painter) -> None:
        """Paints the person and a small shadow."""
        painter.shadow(self.x, self.z, 0.5, 0.3)
        flat = _Flat(painter, self.x, self.z, self.height / 1.75, Label.PERSON)
        s = self.stride
        flat.shape([(-0.04, 0.85), (0.2, 0.85), (0.16 + s, 0), (0.0 + s, 0)], self.trousers)
        flat.shape([(-0.2, 0.85), (0.06, 0.85), (0.02 - s, 0), (-0.16 - s, 0)], self.trousers)
        _torso(flat, 0.0, 0.75, self.coat)
        flat.disc(0.0, 1.6, 0.15, self.skin)
        flat.shape([(-0.16, 1.6), (-0.12, 1.76), (0.12, 1.76), (0.16, 1.6)], (66, 48, 40))


@dataclass(frozen=True)
class Rider:
    """A rider, seen from the side, on a bicycle or on a motorcycle."""

    x: float
    z: float
    coat: Colour
    skin: Colour
    vehicle: Label
    frame: Colour
    facing: int

    def draw(self, painter: Painter) -> None:
        """Paints the two-wheeler, then the rider on it."""
        painter.shadow(self.x, self.z, 1.0, 0.35)
        bike = _Flat(painter, self.x, self.z, 1.1, self.vehicle, self.facing)
        heavy = self.vehicle is Label.MOTORCYCLE
        for centre in (-0.58, 0.58):
            bike.disc(centre, 0.36, 0.36, TYRE)
            bike.disc(centre, 0.36, 0.2 if heavy else 0.27, (150, 154, 160))
        if heavy:
            bike.shape([(-0.85, 0.75), (-0.3, 0.35), (0.4, 0.35), (0.66, 0.95), (0.3, 1.0),
                        (0.0, 0.8), (-0.7, 0.88)], self.frame)  # fmt: skip
        else:
            for a, b in (((-0.58, 0.36), (-0.15, 0.9)), ((-0.15, 0.85), (0.45, 0.9)),
                         ((-0.05, 0.36), (0.45, 0.9)), ((0.58, 0.36), (0.42, 1.05)),
                         ((-0.58, 0.36), (-0.05, 0.36))):  # fmt: skip
                bike.bar(a, b, 0.05, self.frame)
        person = _Flat(painter, self.x, self.z - 0.01, 1.1, Label.RIDER, self.facing)
        person.bar((-0.2, 0.98), (0.12, 0.62), 0.1, (52, 58, 84))
        person.bar((0.12, 0.66), (-0.02, 0.3), 0.09, (52, 58, 84))
        person.shape([(-0.38, 0.9), (0.0, 0.9), (0.3, 1.44), (0.0, 1.52)], self.coat)
        person.bar((0.16, 1.4), (0.42, 1.02), 0.07, self.coat)
        person.disc(0.2, 1.64, 0.17, self.skin)
        person.shape([(0.0, 1.64), (0.04, 1.84), (0.32, 1.84), (0.4, 1.68)], self.frame)
        if heavy:
            painter.glow((self.x + self.facing * 0.7, 0.95, self.z), 0.35, (255, 240, 200))


class _Flat:
    """Paints shapes given in metres on a figure's own plane."""

    def __init__(
        self, painter: Painter, x: float, z: float, size: float, label: Label, facing: int = 1
    ) -> None:
        self._painter, self._x, self._z = painter, x, z
        self._size, self._label, self._facing = size, label, facing

    def _at(self, u: float, v: float) -> tuple[float, float, float]:
        return (self._x + self._facing * u * self._size, v * self._size, self._z)

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        self._painter.face([self._at(u, v) for u, v in points], colour, self._label)

    def disc(self, u: float, v: float, radius: float, colour: Colour) -> None:
        self._painter.face(ring(self._at(u, v), radius * self._size), colour, self._label)

    def bar(
        self, a: tuple[float, float], b: tuple[float, float], half_width: float, colour: Colour
    ) -> None:
        du, dv = b[0] - a[0], b[1] - a[1]
        length = (du * du + dv * dv) ** 0.5
        nu, nv = -dv / length * half_width, du / length * half_width
        self.shape([(a[0] + nu, a[1] + nv), (b[0] + nu, b[1] + nv),
                    (b[0] - nu, b[1] - nv), (a[0] - nu, a[1] - nv)], colour)  # fmt: skip


def _torso(flat: _Flat, u: float, v: float, coat: Colour) -> None:
    dark = scale(coat, 0.85)
    flat.shape([(u - 0.34, v + 0.05), (u - 0.24, v + 0.05), (u - 0.16, v + 0.68),
                (u - 0.26, v + 0.66)], dark)  # fmt: skip
    flat.shape([(u + 0.24, v + 0.05), (u + 0.34, v + 0.05), (u + 0.26, v + 0.66),
                (u + 0.16, v + 0.68)], dark)  # fmt: skip
    flat.shape([(u - 0.24, v), (u + 0.24, v), (u + 0.26, v + 0.62), (u + 0.14, v + 0.72),
                (u - 0.14, v + 0.72), (u - 0.26, v + 0.62)], coat)  # fmt: skip
