"""The fixture `tests/fixtures/segmenter`: a segmenter that a test can work out by itself.

python -m tests.nearest_colour          writes ../tests/fixtures/segmenter
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import torch
from torch import nn

from downstream.classes import CLASSES
from onnx_export.factory import Factory
from onnx_export.segmenter.export import Settings, export
from onnx_export.segmenter.sources import Made

FIXTURE = Path(__file__).parents[2] / "tests/fixtures/segmenter"
BLACK = (0, 0, 0)
NAME = "nearest colour of Cityscapes"


@torch.no_grad()
def nearest_colour() -> nn.Module:
    """Returns a 1 x 1 convolution with the highest score for the nearest of twenty colours.

    They are those of Cityscapes by train id, and black. The score of a colour is
    `2 x.colour - |colour|^2`: the negative squared distance, less what all have in common.
    """
    colours = torch.tensor([*(of.colour for of in CLASSES), BLACK]) / 255.0
    network = nn.Conv2d(3, len(colours), 1)
    network.weight.copy_(2.0 * colours[:, :, None, None])
    network.bias.copy_(-colours.square().sum(1))  # type: ignore[union-attr]
    return network


def table() -> dict[str, str | None]:
    """Returns which class is which: black is none."""
    named: dict[str, str | None] = {str(index): of.name for index, of in enumerate(CLASSES)}
    return named | {str(len(CLASSES)): None}


def write_fixture(folder: Path) -> None:
    """Writes the network and its contract, beside what else the folder has."""
    with tempfile.TemporaryDirectory() as given:
        classes, made = Path(given) / "classes.json", Path(given) / "segmenter"
        classes.write_text(json.dumps(table()), encoding="utf-8")
        factory = Factory("--factory", "tests.nearest_colour:nearest_colour")
        export(Settings(Made(factory, None), made, str(classes), name=NAME))
        folder.mkdir(parents=True, exist_ok=True)
        for path in made.iterdir():
            shutil.copy(path, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.nearest_colour")
    parser.add_argument("--out", type=Path, default=FIXTURE, metavar="DIR")
    write_fixture(parser.parse_args().out)
