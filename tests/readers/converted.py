"""A small run, as it is stored: what exports of it are compared with."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cityscapesscripts.helpers.labels import id2label
from PIL import Image

Pixels = npt.NDArray[np.uint8]
# Returns the folder of an export in a layout.
Export = Callable[[str], Path]

REPOSITORY = Path(__file__).parents[2]
# What make builds and downloads, by the variables that name another.
BUILT = {
    "SYNTH2REAL": REPOSITORY / "target/debug/synth2real",
    "ORT_DYLIB_PATH": REPOSITORY / ".cache/onnxruntime/libonnxruntime.so",
}
CONTENTS, STYLES = 6, 3
# Of the contents, two are for validation.
VALIDATION = "0.34"
COUNTS = {"train": 4 * STYLES, "val": 2 * STYLES}
LICENCE = "for tests only"
NUM_CLASSES = 19
UNKNOWN = 255

SETTINGS = """
[run]
name = "small"
root = "out"
licences = "for research only"
[content]
root = "{demo}/data/gta5"
layout = "gta5"
[style]
root = "{demo}/data/style"
[pairing]
mode = "every-style"
contents_per_style = {contents}
[method]
steps = 4
skip = 2
class_adain_steps = "1.."
[model]
path = "{demo}/model"
"""


def unnamed(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns what make has built for each variable of `BUILT` that names nothing."""
    return {name: str(path) for name, path in BUILT.items() if not environment.get(name)}


def pixels(path: Path) -> Pixels:
    """Returns an image file as it is stored, without changing its mode."""
    with Image.open(path) as image:
        return np.asarray(image)


def digest(image: Pixels) -> str:
    """Returns by what an image is found, whatever its file is called."""
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()


def train_ids(label_ids: Pixels) -> Pixels:
    """Returns the train ids that cityscapesScripts has for label ids, 255 where it has none."""
    known = {id_: label.trainId for id_, label in id2label.items() if 0 <= id_ < 256}
    table = np.full(256, UNKNOWN, np.uint8)
    for id_, train_id in known.items():
        table[id_] = train_id if 0 <= train_id < NUM_CLASSES else UNKNOWN
    return table[label_ids]


@dataclass(frozen=True)
class Item:
    """An image of the run, and its label."""

    content: str
    style: str
    image: Pixels
    label_ids: Pixels

    @property
    def train_ids(self) -> Pixels:
        return train_ids(self.label_ids)

    @property
    def classes(self) -> set[int]:
        """The train ids of the classes that it shows."""
        return {int(id_) for id_ in np.unique(self.train_ids)} - {UNKNOWN}


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    program: Path
    root: Path

    @classmethod
    def convert(cls, program: Path, folder: Path) -> Run:
        """Converts a few contents of the demo into its styles, in a few steps."""
        settings = folder / "run.toml"
        demo = REPOSITORY / "infra/demo"
        settings.write_text(SETTINGS.format(demo=demo, contents=CONTENTS))
        subprocess.run([str(program), "run", str(settings)], check=True)
        return cls(program, folder / "out")

    def export(self, layout: str, out: Path, *options: str) -> Path:
        """Exports it into a folder, of which a part is for validation; returns that folder."""
        command = [self.program, "export", "small", "--as", layout, "--root", self.root]
        chosen = ["--out", out, "--val", VALIDATION, "--licence", LICENCE, *options]
        subprocess.run([str(word) for word in [*command, *chosen]], check=True)
        return out

    @cached_property
    def items(self) -> dict[str, Item]:
        """Every item by the digest of its image."""
        stored = self.root / "runs/small"
        found = {}
        for path in sorted((stored / "images").glob("*/*.png")):
            label = pixels(stored / "labels" / path.name)
            label_ids = np.where(label < 34, label, 0).astype(np.uint8)
            item = Item(path.stem, path.parent.name, pixels(path), label_ids)
            found[digest(item.image)] = item
        assert len(found) == CONTENTS * STYLES
        return found

    def item_of(self, image: Pixels) -> Item:
        """Returns the item whose image has exactly these pixels."""
        return self.items[digest(image)]
