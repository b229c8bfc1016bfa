"""`croissant.json` of every layout, validated by mlcroissant, which reads the pictures by it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pytest

from converted import COUNTS, LICENCE, NUM_CLASSES, Export, Pixels, Run, digest

LAYOUTS = ("cityscapes", "webdataset", "huggingface", "coco-panoptic", "fiftyone")


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def folder(exported: Export, layout: str) -> Path:
    return exported(layout)


@pytest.fixture
def dataset(folder: Path) -> mlcroissant.Dataset:
    return mlcroissant.Dataset(jsonld=folder / "croissant.json")


def test_there_is_no_issue(dataset: mlcroissant.Dataset) -> None:
    issues = dataset.metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())
    assert dataset.metadata.license == ["for research only", LICENCE]
    assert dataset.metadata.name == "synth2real-small"


def pictures(dataset: mlcroissant.Dataset, layout: str) -> Iterator[tuple[str, str, Pixels]]:
    """Returns every picture with what it is and its path, as the records have them."""
    if layout == "huggingface":
        for row in dataset.records("rows"):
            name = f"{row['rows/content'].decode()}, {row['rows/style'].decode()}"
            for of in ("image", "label"):
                yield of, name, np.asarray(row[f"rows/{of}"])
        return
    for of in ("image", "label"):
        for record in dataset.records(f"{of}s"):
            path = record[f"{of}s/path"].decode()
            yield of, path, np.asarray(record[f"{of}s/content"])


def expected_label(run: Run, layout: str, image: Pixels) -> Pixels:
    item = run.item_of(image)
    if layout == "fiftyone":
        return item.label_ids
    if layout == "coco-panoptic":
        return np.where(item.train_ids < NUM_CLASSES, item.label_ids, 0)
    return item.train_ids


def test_records_are_the_pictures_of_the_run(
    dataset: mlcroissant.Dataset, folder: Path, layout: str, run: Run
) -> None:
    found: dict[str, dict[str, Pixels]] = {"image": {}, "label": {}}
    for of, path, picture in pictures(dataset, layout):
        found[of][path] = picture
    images = found["image"].values()
    assert {digest(image) for image in images} == set(run.items)
    assert len(found["image"]) == len(found["label"]) == len(run.items)

    if layout == "huggingface":
        pairs = {name: name for name in found["image"]}
    else:
        with (folder / "items.csv").open(newline="") as table:
            pairs = {row["image"]: row["label"] for row in csv.DictReader(table)}
    for image, label in pairs.items():
        # Some labels are made RGB on the way; the ids are in the first channel.
        ids = found["label"][label]
        ids = ids[..., 0] if ids.ndim == 3 else ids
        np.testing.assert_array_equal(ids, expected_label(run, layout, found["image"][image]))


def test_items_are_told_with_their_splits_and_figures(
    dataset: mlcroissant.Dataset, run: Run
) -> None:
    records: list[dict[str, Any]] = list(dataset.records("items"))
    assert Counter(record["items/split"].decode() for record in records) == COUNTS
    styles = {record["items/style"].decode() for record in records}
    assert styles == {item.style for item in run.items.values()}
    assert all(0 < record["items/ssim"] <= 1 for record in records)
