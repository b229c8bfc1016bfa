"""Random streets: a seed becomes a camera and a list of things to paint, far ones first."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from .buildings import Building, Skyline
from .canvas import Canvas
from .classes import Label
from .looks import Colour, Look, scale
from .painter import Camera, Painter
from .people import Person, Rider
from .street import (
    Barrier,
    Cloud,
    Ground,
    Hedge,
    Hills,
    Lamp,
    Sign,
    Sky,
    TrafficLight,
    Tree,
)
from .vehicles import Car, Wagon

FACADES: tuple[Colour, ...] = (
    (206, 142, 112), (222, 184, 140), (190, 116, 98), (214, 202, 180), (176, 160, 150),
    (232, 206, 158), (170, 130, 120), (198, 176, 196), (164, 178, 186),
)  # fmt: skip
ROOFS: tuple[Colour, ...] = ((150, 74, 60), (120, 84, 76), (96, 98, 110))
CARS: tuple[Colour, ...] = (
    (200, 48, 46), (44, 98, 176), (236, 236, 232), (240, 186, 52), (58, 62, 72), (46, 150, 146),
    (222, 112, 50), (150, 158, 168),
)  # fmt: skip
COATS: tuple[Colour, ...] = (
    (214, 70, 62), (52, 92, 160), (238, 190, 66), (70, 140, 92), (120, 74, 140), (232, 232, 226),
)  # fmt: skip
TROUSERS: tuple[Colour, ...] = ((48, 54, 84), (72, 66, 62), (104, 90, 76))
SKINS: tuple[Colour, ...] = ((242, 204, 170), (206, 154, 116), (134, 92, 68))
GRASS: tuple[Colour, ...] = ((132, 182, 92), (120, 172, 84), (146, 188, 100))


class Thing(Protocol):
    """What can be painted."""

    def draw(self, painter: Painter) -> None:
        """Paints the thing."""


@dataclass(frozen=True)
class Scene:
    """A street: the camera and the things in painting order."""

    camera: Camera
    things: tuple[Thing, ...]

    def render(
        self, look: Look, width: int, height: int, supersampling: int = 3
    ) -> tuple[Image.Image, Image.Image]:
        """Returns the picture (RGB) and the label map (mode L, Cityscapes label ids)."""
        canvas = Canvas(width, height, supersampling)
        painter = Painter(canvas, self.camera, look)
        for thing in self.things:
            thing.draw(painter)
        return canvas.finish()


def make_scene(seed: int) -> Scene:
    """Returns the street of this seed; its geometry is the same in every look."""
    return _Street(np.random.default_rng([seed, 0x53C])).build()


class _Street:
    """Draws the random numbers of one street, always in the same order."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        lane = self._between(3.4, 4.2)
        self.left, self.right = -lane - self._between(1.2, 2.0), lane * self._between(0.6, 0.9)
        self.middle = (self.left + self.right) / 2
        self.sidewalks = (self._between(2.4, 4.4), self._between(2.4, 4.4))
        self.layers: list[list[tuple[float, Thing]]] = [[], [], [], []]

    def build(self) -> Scene:
        rng = self.rng
        camera = Camera(
            focal=self._between(0.66, 0.86),
            vanishing=self._between(0.38, 0.62),
            horizon=self._between(0.40, 0.50),
            height=self._between(1.7, 2.3),
        )
        clouds = tuple(self._cloud() for _ in range(rng.integers(2, 6)))
        crossing = self._between(9, 22) if rng.random() < 0.4 else None
        ground = Ground(self.left, self.right, self.middle, self.sidewalks, crossing,
                        self._between(0, 6), self._pick(GRASS))  # fmt: skip
        for side in (-1, 1):
            style = self.rng.choice(["city", "park", "suburb"])
            getattr(self, f"_{style}")(side)
            self._furniture(side)
            self._people(side)
        self._traffic()
        things: list[Thing] = [Sky(clouds), self._hills(), self._skyline(), ground]
        for layer in self.layers:
            things += [thing for _, thing in sorted(layer, key=lambda pair: -pair[0])]
        return Scene(camera, tuple(things))

    def _hills(self) -> Hills:
        heights = tuple(float(h) for h in self.rng.uniform(6, 26, 14))
        return Hills(330.0, heights, float(self.rng.random()))

    def _skyline(self) -> Skyline:
        widths = tuple(float(w) for w in self.rng.uniform(9, 20, 16))
        heights = tuple(float(h) for h in self.rng.uniform(7, 22, 16))
        colours = tuple(self._pick(FACADES) for _ in widths)
        return Skyline(170.0, -0.5 * sum(widths), widths, heights, colours, self._seed())

    def _city(self, side: int) -> None:
        """Houses wall to wall along the sidewalk."""
        edge = self._edge(side) + side * self._between(0.0, 0.6)
        z = self._between(1.5, 9)
        while z < 100:
            depth = self._between(9, 22)
            self._house(side, edge, z, depth, int(self.rng.integers(2, 5)), gabled=False)
            z += depth + (self._between(4, 12) if self.rng.random() < 0.25 else 0.0)
        for z in self._spaced(self._between(9, 16), 16, 70):
            if self.rng.random() < 0.5:
                self._tree(self._kerb(side), z, layer=3, size=0.8)

    def _suburb(self, side: int) -> None:
        """Detached houses with gardens behind a fence, a wall or a hedge."""
        edge = self._edge(side)
        z = self._between(4, 12)
        while z < 100:
            depth = self._between(8, 13)
            self._house(side, edge + side * self._between(4, 7), z, depth,
                        int(self.rng.integers(1, 4)), gabled=self.rng.random() < 0.75)  # fmt: skip
            z += depth + self._between(4, 10)
        for z in self._spaced(7, 11, 90):
            if self.rng.random() < 0.6:
                self._tree(edge + side * self._between(2, 9), z, layer=1)
        self._barriers(side, edge + 0.4 * side)

    def _park(self, side: int) -> None:
        """Grass with trees, and houses far behind."""
        edge = self._edge(side)
        far = edge + side * self._between(26, 40)
        z = self._between(18, 30)
        while z < 110:
            depth = self._between(10, 20)
            self._house(side, far, z, depth, int(self.rng.integers(3, 7)), gabled=False)
            z += depth + self._between(0, 14)
        for z in self._spaced(6, 5.5, 90):
            self._tree(edge + side * self._between(2.5, 18), z, layer=1)
        if self.rng.random() < 0.6:
            self._barriers(side, edge + 0.4 * side)

    def _house(
        self, side: int, edge: float, z: float, depth: float, storeys: int, gabled: bool
    ) -> None:
        half = self._between(4, 7) if gabled else self._between(5, 9)
        house = Building(edge + side * half, z, half, depth, storeys, self._pick(FACADES), gabled,
                         self._pick(ROOFS), self._seed())  # fmt: skip
        self._put(0, z, house)

    def _tree(self, x: float, z: float, layer: int, size: float = 1.0) -> None:
        height = size * self._between(5.5, 9.0)
        spread = size * self._between(1.7, 2.6)
        blobs = tuple(
            (float(bx), float(by), float(r))
            for bx, by, r in zip(
                self.rng.uniform(-0.6, 0.6, 4),
                self.rng.uniform(-0.4, 0.6, 4),
                self.rng.uniform(0.55, 0.8, 4),
                strict=True,
            )
        )
        self._put(layer, z, Tree(x, z, height, spread, int(self.rng.integers(4)), blobs))

    def _barriers(self, side: int, x: float) -> None:
        z = self._between(2, 8)
        while z < 80:
            length = self._between(10, 26)
            kind = self.rng.choice(["wall", "fence", "hedge", "gap"])
            height = self._between(1.2, 2.0)
            if kind == "wall":
                tint = self._between(0.9, 1.1)
                colour = scale((188, 172, 154), tint)
                self._put(2, z, Barrier(x, z, length, height, colour, Label.WALL))
            elif kind == "fence":
                colour = self._pick(((222, 214, 200), (156, 118, 88), (112, 130, 120)))
                self._put(2, z, Barrier(x, z, length, height, colour, Label.FENCE))
            elif kind == "hedge":
                self._put(2, z, Hedge(x + 0.6 * side, z, length, height,
                                      int(self.rng.integers(4))))  # fmt: skip
            z += length + self._between(0.5, 3.0)

    def _furniture(self, side: int) -> None:
        x = self._kerb(side)
        for z in self._spaced(self._between(8, 18), 20, 100):
            self._put(3, z, Lamp(x, z, side, self._between(6.0, 7.5)))
        if self.rng.random() < 0.6:
            z = self._between(9, 19)
            self._put(3, z, TrafficLight(x + 0.3 * side, z, int(self.rng.integers(3))))
        for _ in range(int(self.rng.integers(1, 3))):
            z = self._between(8, 26)
            kind = str(self.rng.choice(["round", "warning", "square", "board"]))
            self._put(3, z, Sign(x + 0.5 * side, z, kind))

    def _people(self, side: int) -> None:
        for _ in range(int(self.rng.integers(1, 5))):
            x = self._edge(side) - side * self._between(0.6, self.sidewalks[side > 0] - 0.6)
            z = self._between(6, 24)
            person = Person(x, z, self._pick(COATS), self._pick(TROUSERS), self._pick(SKINS),
                            self._between(1.55, 1.95), self._between(0.0, 0.2))  # fmt: skip
            self._put(3, z, person)

    def _traffic(self) -> None:
        """Vehicles that keep their distance in the two lanes and at the kerbs."""
        lane_width = (self.right - self.left) / 2
        lanes = ((self.left + 0.5 * lane_width, True), (self.right - 0.5 * lane_width, False))
        for x, oncoming in lanes:
            z = self._between(7, 18)
            while z < 80:
                z += self._vehicle(x + self._between(-0.2, 0.2), z, oncoming)
        for side in (-1, 1):
            if self.rng.random() < 0.35:
                x = (self.left if side < 0 else self.right) + side * 0.5
                for z in self._spaced(self._between(6, 14), 6.2, 45):
                    if self.rng.random() < 0.55:
                        self._put(3, z, self._car(x, z, oncoming=side < 0))
        if self.rng.random() < 0.5:
            label = Label.MOTORCYCLE if self.rng.random() < 0.45 else Label.BICYCLE
            z = self._between(6.5, 13)
            x = self._between(self.left + 0.6, self.right - 0.6)
            rider = Rider(x, z, self._pick(COATS), self._pick(SKINS), label, self._pick(CARS),
                          1 if self.rng.random() < 0.5 else -1)  # fmt: skip
            self._put(3, z, rider)

    def _vehicle(self, x: float, z: float, oncoming: bool) -> float:
        """Puts one vehicle and returns the distance to the next."""
        kind = self.rng.random()
        label = next(
            (label for bound, label in ((0.09, Label.TRUCK), (0.18, Label.BUS), (0.23, Label.TRAIN))
             if kind < bound), None)  # fmt: skip
        if label is None:
            self._put(3, z, self._car(x, z, oncoming))
            return self._between(9, 26)
        z = max(z, 11.0)
        self._put(3, z, Wagon(x, z, self._pick(CARS), label, oncoming))
        return self._between(22, 36)

    def _car(self, x: float, z: float, oncoming: bool) -> Car:
        return Car(x, z, self._pick(CARS), oncoming, bool(self.rng.random() < 0.4))

    def _cloud(self) -> Cloud:
        puffs = tuple(
            (float(dx), float(-0.25 * r), float(r))
            for dx, r in zip(
                np.linspace(-0.9, 0.9, 5), self.rng.uniform(0.35, 0.75, 5), strict=True
            )
        )
        return Cloud(self._between(0, 1), self._between(0.04, 0.26), self._between(0.03, 0.07),
                     puffs)  # fmt: skip

    def _edge(self, side: int) -> float:
        """Returns where the sidewalk ends."""
        return (self.left if side < 0 else self.right) + side * self.sidewalks[side > 0]

    def _kerb(self, side: int) -> float:
        return (self.left if side < 0 else self.right) + 0.7 * side

    def _spaced(self, start: float, step: float, end: float) -> list[float]:
        count = int((end - start) / step)
        return [start + step * k + self._between(-0.2, 0.2) * step for k in range(count)]

    def _put(self, layer: int, z: float, thing: Thing) -> None:
        self.layers[layer].append((z, thing))

    def _between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def _pick(self, options: tuple[Colour, ...]) -> Colour:
        return options[int(self.rng.integers(len(options)))]

    def _seed(self) -> int:
        return int(self.rng.integers(2**31))
