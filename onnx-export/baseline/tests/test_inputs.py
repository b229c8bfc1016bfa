"""Pictures and label maps are prepared as the released code prepares them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from baseline.inputs import UNKNOWN, read_image, read_labels, two_to_one
from baseline.tests.conftest import GOLDEN, RELEASED, Golden


@pytest.mark.parametrize("name", RELEASED)
@pytest.mark.parametrize("which", ["content", "style"])
def test_files_become_the_goldens_arrays(name: str, which: str) -> None:
    golden = Golden.open(name)
    size = golden.meta["width"], golden.meta["height"]
    image = read_image(GOLDEN / "inputs" / golden.meta[f"{which}_image"], size)
    assert np.abs(image.astype(int) - golden.arrays[f"image_{which}"]).max() <= 1
    labels = read_labels(GOLDEN / "inputs" / golden.meta[f"{which}_label"], size)
    assert (labels.image == golden.arrays[f"label_{which}"]).mean() >= 0.995
    assert (labels.latent == golden.arrays[f"label_{which}_latent"]).mean() >= 0.995


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((1914, 1052), (48, 1004), (0, 1914)),
        ((2048, 1024), (0, 1024), (0, 2048)),
        ((9, 3), (0, 3), (2, 8)),
    ],
)
def test_the_middle_is_cut_out(
    size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    width, height = size
    index = np.arange(width * height, dtype=np.int32).reshape(height, width)
    cut = np.asarray(two_to_one(Image.fromarray(index)))
    assert np.array_equal(cut, index[slice(*rows), slice(*columns)])


def test_a_colour_of_no_class_is_unknown(tmp_path: Path) -> None:
    colours = np.zeros((64, 128, 3), np.uint8)
    colours[:, :64] = (128, 64, 128)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    labels = read_labels(tmp_path / "colours.png", (128, 64))
    assert set(np.unique(labels.image)) == {0, UNKNOWN}
    assert (labels.image[:, :64] == 0).all()
    assert labels.latent.shape == (8, 16)
    assert (labels.latent[:, :6] == 0).all()
    assert (labels.latent[:, 8:] == UNKNOWN).all()


def test_label_ids_without_a_palette_are_ids_too(tmp_path: Path) -> None:
    ids = np.full((64, 128), 7, np.uint8)
    ids[:, 64:] = 26
    Image.fromarray(ids).save(tmp_path / "ids.png")
    labels = read_labels(tmp_path / "ids.png", (128, 64))
    assert set(np.unique(labels.image[:, :64])) == {0}
    assert set(np.unique(labels.image[:, 64:])) == {13}
