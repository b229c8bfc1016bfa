"""What tests share: drawn datasets, runs stored as the program stores them, a small training."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import ExifTags, Image

from demo.dataset import with_palette
from demo.looks import LOOKS
from demo.scene import make_scene
from downstream.networks import NETWORKS
from downstream.pictures import Size
from downstream.recipes import recipe
from downstream.training import Training
from onnx_export.errors import ExportError

WIDTH, HEIGHT = 128, 64
SIZE = Size(WIDTH, HEIGHT)
FIRST_SEED = 6_000_000
FIRST_REAL_SEED = 6_500_000

# Which convert without a diffusion model, in one way each.
WITHOUT_PRESET = ("reinhard", "histogram", "fda", "identity", "translator")

Drawn = tuple[Image.Image, Image.Image]


def silent(_line: str) -> None:
    """Says nothing."""


def refused(action: Callable[[], object]) -> str:
    """Returns the one line with which `action` is refused."""
    with pytest.raises(ExportError) as refusal:
        action()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


class EndedError(Exception):
    """A process that ended in the middle."""


def training(steps: int = 6, **changes: object) -> Training:
    """Returns a training of a small network, changed as is said."""
    size = Size(64, 32)
    of = recipe("small", steps=steps, batch=2, crop=size)
    whole = Training(NETWORKS["unet"], None, None, of, size, torch.device("cpu"))
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def exif(orientation: int) -> bytes:
    """Returns EXIF data with a maker and a resolution beside the orientation."""
    data = Image.Exif()
    data[ExifTags.Base.Orientation] = orientation
    data[ExifTags.Base.Make], data[ExifTags.Base.XResolution] = "of no matter", 72.0
    return data.tobytes()


def drawn(seed: int, look: str) -> Drawn:
    """Returns the picture and the label ids of a street."""
    return make_scene(seed).render(LOOKS[look], WIDTH, HEIGHT, supersampling=2)


def write_pair(root: Path, name: str, pair: Drawn) -> None:
    """Writes a picture and its label as GTA5 has them."""
    for folder, image in (("images", pair[0]), ("labels", with_palette(pair[1]))):
        path = root / folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)


def write_real(root: Path, look: str, count: int, first: int = 0) -> Path:
    """Draws labelled real images of a look; none is a content."""
    for at in range(first, first + count):
        write_pair(root, f"{at:05}", drawn(FIRST_REAL_SEED + at, look))
    return root


def converted_well(look: str) -> Callable[[int], Drawn]:
    """Returns the planted good conversion: the same street drawn in the look."""
    return lambda seed: drawn(seed, look)


def shifted_labels(look: str, pixels: int) -> Callable[[int], Drawn]:
    """Returns the planted bad one: the look is right, and labels lie below what they name."""

    def convert(seed: int) -> Drawn:
        image, label = drawn(seed, look)
        return image, Image.fromarray(np.roll(np.asarray(label), pixels, axis=0))

    return convert


@dataclass(frozen=True)
class Stored:
    """A run as it is stored, of contents and styles that are there already."""

    root: Path
    name: str
    contents: Path
    styles: Path
    size: Size
    method: str = "cactif"

    @property
    def folder(self) -> Path:
        """Where it is stored."""
        return self.root / "runs" / self.name

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Writes record, plan and manifest."""
        contents = list_pairs(self.contents)
        made_of = {of["name"]: _sha256(self.contents / of["image"]["path"]) for of in contents}
        rows = [
            {**row, "content_sha256": made_of[row["content"]] if row["status"] == "done" else None}
            for row in rows
        ]
        styles = list_pairs(self.styles)
        plan = json.dumps({"contents": contents, "styles": styles, "shards": []})
        sha256 = hashlib.sha256(plan.encode()).hexdigest()
        preset = {} if self.method in WITHOUT_PRESET else {"preset": "released-code"}
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"plan-{sha256}.json").write_text(plan)
        record = {
            "format_version": 4,
            "run": self.name,
            "plan_hash": hashlib.sha256(self.name.encode()).hexdigest(),
            "inputs": {"content": str(self.contents), "style": str(self.styles), "model": "/model"},
            "frozen": {
                "method": {"method": self.method, **preset},
                "model": {"width": self.size.width, "height": self.size.height},
                "styles": {style["name"]: _style_sha256(self.styles, style) for style in styles},
                "num_items": len(rows),
                "plan_sha256": sha256,
            },
        }
        (self.folder / "run.json").write_text(json.dumps(record))
        parquet.write_table(pyarrow.Table.from_pylist(rows), self.folder / "manifest.parquet")

    def store(self, content: str, style: str, pair: Drawn) -> dict[str, Any]:
        """Stores an output with its label, and returns its row."""
        paths = (
            self.folder / "images" / style / f"{content}.png",
            self.folder / "labels" / f"{content}.png",
        )
        for path, picture in zip(paths, (pair[0], with_palette(pair[1])), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        image, label = map(_sha256, paths)
        return {"content": content, "style": style, "status": "done", "image_sha256": image,
                "label_sha256": label}  # fmt: skip


@dataclass(frozen=True)
class FakeRun:
    """A run whose contents and styles are drawn with it, and whose outputs are planted."""

    root: Path
    name: str
    contents: int
    look: str
    convert: Callable[[int], Drawn]
    styles: Sequence[str] = ("night",)
    status: Callable[[int], str] = field(default=lambda _: "done")
    method: str = "cactif"

    @property
    def stored(self) -> Stored:
        """Where it is stored, and how."""
        inputs = self.root / "gta5", self.root / "style"
        return Stored(self.root, self.name, *inputs, SIZE, self.method)

    @property
    def folder(self) -> Path:
        """Where it is stored."""
        return self.stored.folder

    def write(self) -> Path:
        """Writes contents, styles and the run, and returns its folder."""
        contents = [f"{at:05}" for at in range(self.contents)]
        for at, name in enumerate(contents):
            if not (self.stored.contents / "labels" / f"{name}.png").is_file():
                write_pair(self.stored.contents, name, drawn(FIRST_SEED + at, "day"))
        for at, style in enumerate(self.styles):
            pair = drawn(FIRST_SEED + 900_000 + at, self.look)
            write_pair(self.stored.styles, style, pair)
        rows = [self._row(at, of, style) for style in self.styles for at, of in enumerate(contents)]
        self.stored.write(rows)
        return self.folder

    def _row(self, at: int, content: str, style: str) -> dict[str, Any]:
        status = self.status(at)
        if status == "done":
            return self.stored.store(content, style, self.convert(FIRST_SEED + at))
        return {"content": content, "style": style, "status": status, "image_sha256": None,
                "label_sha256": None}  # fmt: skip


@dataclass(frozen=True)
class Converted:
    """A run whose outputs are its contents: what a program writes that converts nothing."""

    root: Path
    name: str
    method: str
    contents: Path
    styles: Path
    size: Size

    def write(self) -> None:
        """Writes the run."""
        stored = Stored(self.root, self.name, self.contents, self.styles, self.size, self.method)
        rows = []
        for content in list_pairs(self.contents):
            paths = (content["image"]["path"], content["label"]["file"]["path"])
            image, label = (Image.open(self.contents / path) for path in paths)
            for style in list_pairs(self.styles):
                rows.append(stored.store(content["name"], style["name"], (image, label)))
        stored.write(rows)


def list_pairs(root: Path) -> list[dict[str, Any]]:
    """Returns the pairs below a folder as a plan lists them."""
    found = []
    for image in sorted((root / "images").iterdir()):
        names = ((image.stem, image.name, "palette-ids"), *_published(image.stem))
        name, label, kind = next(of for of in names if (root / "labels" / of[1]).is_file())
        found.append({
            "name": name,
            "image": _listed_file(root, image.relative_to(root)),
            "label": {
                "file": _listed_file(root, Path("labels") / label),
                "reading": {"kind": kind, "stated": False},
            },
        })  # fmt: skip
    return found


def _published(stem: str) -> list[tuple[str, str, str]]:
    suffixes = {"_rgb_anon": "_gt_labelColor", "_leftImg8bit": "_gtFine_color"}
    return [
        (name, f"{name}{label}.png", "colour")
        for image, label in suffixes.items()
        for name in [stem.removesuffix(image)]
    ]


def _listed_file(root: Path, path: Path) -> dict[str, Any]:
    return {"path": str(path), "size_bytes": (root / path).stat().st_size}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _style_sha256(root: Path, style: dict[str, Any]) -> str:
    files = (style["image"]["path"], style["label"]["file"]["path"])
    digests = [_sha256(root / path) for path in files]
    return hashlib.sha256(json.dumps(digests, separators=(",", ":")).encode()).hexdigest()
