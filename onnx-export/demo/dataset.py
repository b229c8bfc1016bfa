"""The demo's dataset: day scenes in GTA5's layout, styles in ACDC's and Cityscapes' layouts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .classes import COLOURS, palette
from .looks import LOOKS
from .scene import make_scene

CONTENT_SIZE = (957, 526)
CONTENT_SEEDS = (94, 238, 78, 229, 237, 252, 95, 349, 391, 138, 111, 28)


@dataclass(frozen=True)
class StyleImage:
    """One style picture: its look, its street, its size, and its two file names."""

    look: str
    seed: int
    size: tuple[int, int]
    image_name: str
    label_name: str
    label_mode: str


STYLES = (
    StyleImage("night", 142, (960, 540), "GOPR0001_frame_000001_rgb_anon.png",
               "GOPR0001_frame_000001_gt_labelColor.png", "RGB"),
    StyleImage("snow", 177, (960, 540), "GOPR0002_frame_000001_rgb_anon.png",
               "GOPR0002_frame_000001_gt_labelColor.png", "RGB"),
    StyleImage("autumn", 140, (1024, 512), "autumn_000001_000019_leftImg8bit.png",
               "autumn_000001_000019_gtFine_color.png", "RGBA"),
)  # fmt: skip


def dataset_files() -> Iterator[tuple[str, Image.Image]]:
    """Yields every file of the dataset: its path below the root, and its picture."""
    for number, seed in enumerate(CONTENT_SEEDS, start=1):
        image, labels = make_scene(seed).render(LOOKS["day"], *CONTENT_SIZE)
        yield f"gta5/images/{number:05}.png", image
        yield f"gta5/labels/{number:05}.png", with_palette(labels)
    for style in STYLES:
        image, labels = make_scene(style.seed).render(LOOKS[style.look], *style.size)
        yield f"style/images/{style.image_name}", image
        yield f"style/labels/{style.label_name}", in_colour(labels, style.label_mode)


def write_dataset(root: Path) -> None:
    """Writes the whole dataset below `root`."""
    for name, image in dataset_files():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, optimize=True)


def with_palette(labels: Image.Image) -> Image.Image:
    """Returns a label map as a palette PNG (mode P) whose indices are the label ids."""
    indexed = labels.copy()
    indexed.putpalette(palette())
    return indexed


def in_colour(labels: Image.Image, mode: str) -> Image.Image:
    """Returns a label map in Cityscapes' colours, as RGB or RGBA."""
    table = np.zeros((256, 3), np.uint8)
    for label, colour in COLOURS.items():
        table[label] = colour
    return Image.fromarray(table[np.asarray(labels)]).convert(mode)
