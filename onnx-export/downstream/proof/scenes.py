"""The drawings of the proof; no two sets share a street, nor has any other part of the demo one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from demo.dataset import with_palette
from demo.looks import LOOKS
from demo.scene import make_scene
from downstream.errors import ExperimentError
from downstream.pictures import Size
from downstream.store import write_whole

FIRST_CONTENT_SEED = 4_000_000
FIRST_TEST_SEED = 4_200_000
FIRST_TRAIN_SEED = 4_400_000
# Looks take seeds of their own.
SEEDS_OF_A_LOOK = 50_000


@dataclass(frozen=True)
class Drawings:
    """Labelled drawings of a look below a folder."""

    folder: Path
    look: str
    first_seed: int
    count: int
    size: Size

    def refuse_more(self) -> None:
        """Raises if there are more drawings than asked for: all of a folder are read."""
        if any(self._file(kind, self.count).is_file() for kind in ("images", "labels")):
            raise ExperimentError(
                f"{self.folder} has more than {self.count} drawings: give another --work"
            )

    def draw(self) -> int:
        """Draws what is not there yet, and returns how many it were."""
        made = 0
        for at in range(self.count):
            image, label = (self._file(kind, at) for kind in ("images", "labels"))
            if image.is_file() and label.is_file():
                continue
            picture, ids = make_scene(self.first_seed + at).render(LOOKS[self.look], *self.size)
            _save(label, with_palette(ids))
            _save(image, picture)
            made += 1
        return made

    def _file(self, kind: str, at: int) -> Path:
        return self.folder / kind / f"{at + 1:05}.png"


def _save(path: Path, image: Image.Image) -> None:
    write_whole(path, lambda file: image.save(file, format="PNG"))


@dataclass(frozen=True)
class Scenes:
    """All drawings of a proof."""

    work: Path
    contents: int
    tests: int
    size: Size

    @property
    def content_root(self) -> Path:
        """The day scenes to convert, in GTA5's layout."""
        return self.work / "scenes" / "gta5"

    def test_root(self, look: str) -> Path:
        """The held-out drawings of a look."""
        return self.work / "scenes" / "test" / look

    def train_root(self, look: str) -> Path:
        """What the oracle trains on: as many as there are contents."""
        return self.work / "scenes" / "train" / look

    def draw(self, looks: tuple[str, ...], say: Callable[[str], None]) -> None:
        """Draws all that is not there yet."""
        sets = [Drawings(self.content_root, "day", FIRST_CONTENT_SEED, self.contents, self.size)]
        for look in looks:
            offset = sorted(LOOKS).index(look) * SEEDS_OF_A_LOOK
            test, train = FIRST_TEST_SEED + offset, FIRST_TRAIN_SEED + offset
            sets.append(Drawings(self.test_root(look), look, test, self.tests, self.size))
            sets.append(Drawings(self.train_root(look), look, train, self.contents, self.size))
        for drawings in sets:
            drawings.refuse_more()
        for drawings in sets:
            made = drawings.draw()
            if made:
                say(f"{drawings.folder}: {made} drawings of {drawings.look}")
