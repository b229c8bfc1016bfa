"""`--as huggingface`, read by Hugging Face's `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from cards import shown
from converted import COUNTS, Export, Run

# `datasets` has a name of its own for what is for validation.
SPLITS = {"train": COUNTS["train"], "validation": COUNTS["val"]}


@pytest.fixture(scope="module")
def folder(exported: Export) -> Path:
    return exported("huggingface")


@pytest.fixture(scope="module")
def loaded(folder: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(str(folder), verification_mode="all_checks")


def test_splits_and_features_are_those_of_the_card(
    folder: Path, loaded: datasets.DatasetDict
) -> None:
    assert {split: rows.num_rows for split, rows in loaded.items()} == SPLITS
    promised = datasets.load_dataset_builder(str(folder)).info
    assert {name: split.num_examples for name, split in promised.splits.items()} == SPLITS
    for rows in loaded.values():
        assert rows.features == promised.features
        assert isinstance(rows.features["image"], datasets.Image)
        assert isinstance(rows.features["label"], datasets.Image)
        assert rows.features["style"] == datasets.Value("string")
        assert rows.features["ssim"] == datasets.Value("float64")
    assert len(list(folder.glob("data/train-*.parquet"))) > 1


def test_rows_are_pairs_with_what_is_told_of_them(loaded: datasets.DatasetDict, run: Run) -> None:
    names: set[tuple[str, str]] = set()
    for rows in loaded.values():
        for row in rows:
            item = run.item_of(np.asarray(row["image"]))
            assert row["label"].mode == "L"
            np.testing.assert_array_equal(np.asarray(row["label"]), item.train_ids)
            assert (row["content"], row["style"]) == (item.content, item.style)
            assert (row["width"], row["height"]) == row["image"].size
            assert len(row["classes"].split(", ")) == len(item.classes)
            assert 0 < row["ssim"] <= 1
            names.add((item.content, item.style))
    assert len(names) == len(run.items)


def test_rows_are_streamed(folder: Path, run: Run) -> None:
    rows = datasets.load_dataset(str(folder), split="train", streaming=True)
    row = next(iter(rows))
    item = run.item_of(np.asarray(row["image"]))
    np.testing.assert_array_equal(np.asarray(row["label"]), item.train_ids)


def test_the_card_shows_how_it_is_loaded(folder: Path) -> None:
    found: dict[str, Any] = {}
    exec(shown(folder), found)
    assert found["dataset"].num_rows == SPLITS["train"]


@pytest.mark.parametrize("name", ["2024", "no"])
def test_a_split_may_have_a_name_that_is_no_text_in_yaml(
    run: Run, tmp_path: Path, name: str
) -> None:
    folder = run.export("huggingface", tmp_path / "set", "--split", name)
    loaded = datasets.load_dataset(str(folder), verification_mode="all_checks")
    counts = {name: COUNTS["train"], "validation": COUNTS["val"]}
    assert {split: rows.num_rows for split, rows in loaded.items()} == counts
