"""`--as fiftyone`, read by FiftyOne's importer; there is no database here to put it into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone
import numpy as np
import pytest
from cityscapesscripts.helpers.labels import id2label
from fiftyone.core import odm
from fiftyone.utils.data import importers

from converted import COUNTS, NUM_CLASSES, Export, Run, pixels

# What a sample has in every dataset.
OWN = {"id", "filepath", "tags", "metadata", "created_at", "last_modified_at"}


@pytest.fixture(scope="module")
def folder(exported: Export) -> Path:
    return exported("fiftyone")


@pytest.fixture(scope="module")
def importer(folder: Path) -> Iterator[Any]:
    """What `Dataset.from_dir` reads the folder with."""
    importer = fiftyone.types.FiftyOneDataset().get_dataset_importer_cls()(str(folder))
    with importers._handle_legacy_formats(importer) as importer:
        yield importer


def test_samples_are_pairs_with_what_is_told_of_them(importer: Any, folder: Path, run: Run) -> None:
    assert len(importer) == len(run.items)
    names: set[tuple[str, str]] = set()
    splits: Counter[str] = Counter()
    for sample in importer:
        assert Path(sample.filepath).is_relative_to(folder)
        item = run.item_of(pixels(Path(sample.filepath)))
        np.testing.assert_array_equal(sample.ground_truth.get_mask(), item.label_ids)
        assert (sample.content, sample.style, sample.run) == (item.content, item.style, "small")
        assert sample.tags[0] == sample.split
        assert len(sample.classes) == len(item.classes)
        assert 0 < sample.ssim <= 1
        assert sample.doubtful is False
        names.add((item.content, item.style))
        splits[sample.split] += 1
    assert len(names) == len(run.items)
    assert splits == COUNTS


def test_fields_are_of_the_types_that_are_declared(importer: Any) -> None:
    schema = importer.get_sample_field_schema()
    declared = {name: odm.get_field_kwargs(field) for name, field in schema.items()}
    assert declared["ground_truth"]["embedded_doc_type"] is fiftyone.Segmentation
    fields = {name: odm.create_field(name, **kind) for name, kind in declared.items()}
    for sample in importer:
        assert set(sample.field_names) - OWN == set(fields)
        for name, field in fields.items():
            if sample[name] is not None:
                field.validate(sample[name])


def test_masks_are_named_by_cityscapes_classes(importer: Any) -> None:
    targets = importer.get_dataset_info()["default_mask_targets"]
    named = odm.DatasetDocument.default_mask_targets.to_python(targets)
    assert len(named) == NUM_CLASSES
    assert named == {id_: id2label[id_].name for id_ in named}


def test_each_picture_is_a_file_of_the_layout(importer: Any, folder: Path) -> None:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    stems = {Path(sample.filepath).stem for sample in importer}
    folders = ("data", "fields/ground_truth")
    assert found == {f"{of}/{stem}.png" for of in folders for stem in stems}
