"""`--as webdataset`, read by WebDataset."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset

from cards import shown
from converted import COUNTS, STYLES, Export, Run

SAMPLE = ("png", "label.png", "json")


@pytest.fixture(scope="module")
def folder(exported: Export) -> Path:
    return exported("webdataset")


def archives(folder: Path, split: str) -> list[str]:
    return [str(path) for path in sorted(folder.glob(f"{split}-*.tar"))]


@pytest.mark.parametrize("split", COUNTS)
def test_samples_are_pairs_with_what_is_told_of_them(folder: Path, run: Run, split: str) -> None:
    urls = archives(folder, split)
    assert len(urls) > 1 or split == "val"
    assert all(Path(url).stat().st_size <= 1 << 20 for url in urls)
    dataset = webdataset.WebDataset(urls, shardshuffle=False).decode("pil").to_tuple(*SAMPLE)
    names: list[tuple[str, str]] = []
    for image, label, told in dataset:
        item = run.item_of(np.asarray(image))
        # Every image is RGB to this decoder: grey ones have three equal channels.
        assert (label.mode, label.size) == ("RGB", image.size)
        np.testing.assert_array_equal(np.asarray(label)[..., 0], item.train_ids)
        assert (told["content"], told["style"], told["split"]) == (item.content, item.style, split)
        assert (told["width"], told["height"]) == image.size
        assert len(told["classes"]) == len(item.classes)
        assert 0 < told["figures"]["ssim"] <= 1
        names.append((item.content, item.style))
    assert len(set(names)) == len(names) == COUNTS[split]
    contents = [content for content, _ in itertools.groupby(names, key=lambda name: name[0])]
    assert len(contents) == COUNTS[split] // STYLES, "all styles of a content stand together"


def test_the_card_shows_how_train_ids_are_read(folder: Path, run: Run) -> None:
    last = archives(folder, "train")[-1][-10:-4]
    found: dict[str, Any] = {}
    exec(shown(folder).replace("NNNNNN", last), found)
    samples = list(found["dataset"])
    assert len(samples) == COUNTS["train"]
    for image, train_ids, _ in samples:
        np.testing.assert_array_equal(train_ids, run.item_of(np.asarray(image)).train_ids)
