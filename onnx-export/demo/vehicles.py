"""Cars, trucks, buses and trams, as boxes with windows, wheels and lights."""

from dataclasses import dataclass

from .classes import Label
from .looks import Colour
from .painter import Frustum, Painter, Point3, wheel

GLASS: Colour = (74, 96, 118)
TYRE: Colour = (36, 36, 42)
HEADLIGHT: Colour = (255, 244, 214)
TAILLIGHT: Colour = (214, 40, 36)


@dataclass(frozen=True)
class Car:
    """A car seen from behind, or from the front when it is oncoming."""

    x: float
    z: float
    colour: Colour
    oncoming: bool
    long_roof: bool = False

    def draw(self, painter: Painter) -> None:
        """Paints the car, its shadow and its lights."""
        painter.shadow(self.x, self.z + 2.1, 1.3, 2.6)
        for side in (-0.72, 0.72):
            tyre = [(side - 0.17, 0.0), (side + 0.17, 0.0), (side + 0.17, 0.4), (side - 0.17, 0.4)]
            painter.face([(self.x + u, v, self.z + 0.02) for u, v in tyre], TYRE, Label.CAR)
        body = Frustum(self.x, self.z, 0.94, 4.3, 0.22, 0.92, 0.05, 0.1, 0.15)
        back = 0.15 if self.long_roof else 0.75
        near, far = (1.0, back) if self.oncoming else (back, 1.0)
        cabin = Frustum(self.x, self.z + (1.2 if self.oncoming else 0.25), 0.86, 2.9, 0.9,
                        1.5, 0.17, near * 0.7, far * 0.7)  # fmt: skip
        body.paint(painter, self.colour, Label.CAR)
        sign = body.visible_side()
        if sign:
            for centre in (0.85, 3.45):
                x = self.x + sign * 0.945
                painter.face(wheel(x, 0.34, self.z + centre, 0.36), TYRE, Label.CAR)
                painter.face(
                    wheel(x + sign * 0.01, 0.34, self.z + centre, 0.18), (170, 174, 180), Label.CAR
                )
        cabin.paint(painter, self.colour, Label.CAR)
        if sign:
            for span in ((0.1, 0.48), (0.54, 0.9)):
                painter.face(cabin.side_patch(sign, span, (0.14, 0.84)), GLASS, Label.CAR)
        painter.face(cabin.near_patch((0.08, 0.92), (0.12, 0.86)), GLASS, Label.CAR)
        self._lights(painter, body)

    def _lights(self, painter: Painter, body: Frustum) -> None:
        light = HEADLIGHT if self.oncoming else TAILLIGHT
        painter.face(body.near_patch((0.34, 0.66), (0.28, 0.5)), (230, 230, 224), Label.CAR)
        for span in ((0.05, 0.24), (0.76, 0.95)):
            patch = body.near_patch(span, (0.52, 0.8))
            if painter.look.lights_on:
                bright = light if self.oncoming else (255, 62, 52)
                painter.light(patch, bright, Label.CAR)
                centre = body.near(sum(span) / 2, 0.66)
                painter.glow(centre, 0.45 if self.oncoming else 0.35, bright, 0.5)
            else:
                painter.face(patch, light, Label.CAR)
        if painter.look.lights_on and self.oncoming:
            painter.glow((self.x, 0.0, self.z - 1.2), 1.5, (206, 190, 150), 0.35, 0.25)


@dataclass(frozen=True)
class Wagon:
    """A truck, a bus or a tram: one long box, for the truck with a cab before it."""

    x: float
    z: float
    colour: Colour
    label: Label
    oncoming: bool

    def draw(self, painter: Painter) -> None:
        """Paints the vehicle, its windows and its lights."""
        length = {Label.TRUCK: 6.5, Label.BUS: 9.0}.get(self.label, 16.0)
        painter.shadow(self.x, self.z + length / 2, 1.6, length / 2 + 0.6)
        for side in (-0.95, 0.95):
            painter.face(
                [(self.x + side + du, y, self.z + 0.05)
                 for du, y in ((-0.2, 0), (0.2, 0), (0.2, 0.5), (-0.2, 0.5))],
                TYRE, self.label)  # fmt: skip
        box = Frustum(self.x, self.z, 1.25, length, 0.4, 3.0, 0.04)
        if self.label is Label.TRUCK:
            self._truck(painter, box)
        else:
            self._coach(painter, box)
        self._lights(painter, box)

    def _truck(self, painter: Painter, box: Frustum) -> None:
        cab = Frustum(self.x, self.z if self.oncoming else self.z + 6.4, 1.15, 1.9, 0.4, 2.6,
                      0.08, 0.15)  # fmt: skip
        if self.oncoming:
            shifted = Frustum(self.x, self.z + 1.9, 1.25, 6.5, 0.5, 3.1)
            shifted.paint(painter, (226, 226, 220), self.label)
            cab.paint(painter, self.colour, self.label)
            painter.face(cab.near_patch((0.1, 0.9), (0.5, 0.9)), GLASS, self.label)
        else:
            cab.paint(painter, self.colour, self.label)
            box.paint(painter, self.colour, self.label)
            painter.face(box.near_patch((0.1, 0.9), (0.14, 0.92)), (232, 232, 226), self.label)
            painter.face(box.near_patch((0.49, 0.51), (0.14, 0.92)), (150, 150, 150), self.label)
        self._wheels(painter, box)

    def _coach(self, painter: Painter, box: Frustum) -> None:
        box.paint(painter, self.colour, self.label)
        count = 4 if self.label is Label.BUS else 7
        lit = painter.look.lights_on
        sign = box.visible_side()
        if sign:
            for k in range(count):
                span = ((k + 0.12) / count, (k + 0.9) / count)
                self._pane(painter, box.side_patch(sign, span, (0.46, 0.84)), lit)
            painter.face(box.side_patch(sign, (0, 1), (0.2, 0.28)), (240, 240, 236), self.label)
        self._wheels(painter, box)
        self._pane(painter, box.near_patch((0.1, 0.9), (0.44, 0.84)), lit)
        painter.face(box.near_patch((0.3, 0.7), (0.88, 0.97)), (250, 214, 90), self.label)

    def _pane(self, painter: Painter, patch: list[Point3], lit: bool) -> None:
        if lit:
            painter.light(patch, (236, 214, 150), self.label)
        else:
            painter.face(patch, GLASS, self.label)

    def _wheels(self, painter: Painter, box: Frustum) -> None:
        sign = box.visible_side()
        if sign:
            for share in (0.2, 0.8):
                centre = self.z + share * box.depth
                painter.face(wheel(self.x + sign * 1.26, 0.5, centre, 0.5), TYRE, self.label)

    def _lights(self, painter: Painter, box: Frustum) -> None:
        light = HEADLIGHT if self.oncoming else TAILLIGHT
        for span in ((0.06, 0.2), (0.8, 0.94)):
            patch = box.near_patch(span, (0.06, 0.14))
            if painter.look.lights_on:
                painter.light(patch, light, self.label)
                painter.glow(box.near(sum(span) / 2, 0.1), 0.4, light, 0.5)
            else:
                painter.face(patch, light, self.label)
