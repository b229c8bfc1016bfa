"""The demo's real photographs: streets drawn in the looks of the style pictures.

What is converted into a style should look like these. No other part of the demo has seen them.
"""

import logging
from pathlib import Path

from PIL import Image

from .dataset import STYLES
from .looks import LOOKS
from .pictures import HEIGHT, WIDTH
from .scene import make_scene

log = logging.getLogger(__name__)

FIRST_SEED = 3_000_000


def reference_picture(look: str, index: int) -> Image.Image:
    """Returns a picture of a street that is drawn in this look only."""
    looks = sorted(style.look for style in STYLES)
    seed = FIRST_SEED + index * len(looks) + looks.index(look)
    return make_scene(seed).render(LOOKS[look], WIDTH, HEIGHT)[0]


def write_references(out: Path, count: int) -> None:
    """Writes `count` pictures of each style's look as `out/{look}/{number}.png`."""
    for style in STYLES:
        folder = out / style.look
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            reference_picture(style.look, index).save(folder / f"{index + 1:05}.png")
        log.info("%s: %d pictures, for the style %s", folder, count, style.image_name)
