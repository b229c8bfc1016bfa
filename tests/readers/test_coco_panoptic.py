"""`--as coco-panoptic`, read and judged by panopticapi; pycocotools measures its segments."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cityscapesscripts.helpers.labels import id2label
from panopticapi.evaluation import pq_compute_single_core
from panopticapi.utils import rgb2id
from pycocotools import mask
from pycocotools.coco import COCO

from converted import COUNTS, NUM_CLASSES, Export, Item, Run, pixels


@pytest.fixture(scope="module")
def folder(exported: Export) -> Path:
    return exported("coco-panoptic")


@pytest.fixture(params=COUNTS)
def split(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def panoptic(folder: Path, split: str) -> dict[str, Any]:
    return json.loads((folder / f"annotations/panoptic_{split}.json").read_text())


def segment_ids(folder: Path, split: str, annotation: dict[str, Any]) -> np.ndarray:
    """Returns the id of each pixel's segment, 0 where there is none."""
    return rgb2id(pixels(folder / f"panoptic_{split}" / annotation["file_name"]))


def indexed(panoptic: dict[str, Any]) -> COCO:
    """Returns COCO's index of images and segments, each of which is an annotation of its image."""
    coco = COCO()
    segments = [
        {**segment, "image_id": annotation["image_id"], "segment_id": segment["id"]}
        for annotation in panoptic["annotations"]
        for segment in annotation["segments_info"]
    ]
    numbered = [{**segment, "id": number} for number, segment in enumerate(segments, 1)]
    coco.dataset = {**panoptic, "annotations": numbered}
    coco.createIndex()
    return coco


def test_images_are_those_of_the_run_and_of_their_annotations(
    folder: Path, split: str, panoptic: dict[str, Any], run: Run
) -> None:
    coco = indexed(panoptic)
    assert len(coco.getImgIds()) == len(panoptic["annotations"]) == COUNTS[split]
    names: set[tuple[str, str]] = set()
    for annotation, image in zip(panoptic["annotations"], panoptic["images"], strict=True):
        assert coco.loadImgs(annotation["image_id"]) == [image]
        stored = pixels(folder / split / image["file_name"])
        assert stored.shape == (image["height"], image["width"], 3)
        item = run.item_of(stored)
        assert (image["content"], image["style"]) == (item.content, item.style)
        assert segment_ids(folder, split, annotation).shape == stored.shape[:2]
        names.add((item.content, item.style))
    assert len(names) == COUNTS[split]


def test_each_class_of_a_label_is_a_segment_of_its_size(
    folder: Path, split: str, panoptic: dict[str, Any], run: Run
) -> None:
    coco = indexed(panoptic)
    for annotation in panoptic["annotations"]:
        image = coco.loadImgs(annotation["image_id"])[0]
        item: Item = run.item_of(pixels(folder / split / image["file_name"]))
        ids = segment_ids(folder, split, annotation)
        np.testing.assert_array_equal(
            ids, np.where(item.train_ids < NUM_CLASSES, item.label_ids, 0)
        )
        segments = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        assert {id2label[segment["category_id"]].trainId for segment in segments} == item.classes
        assert len(segments) == len(item.classes)
        for segment in segments:
            of_segment = np.asfortranarray(ids == segment["segment_id"], np.uint8)
            encoded = mask.encode(of_segment)
            assert mask.area(encoded) == segment["area"]
            assert mask.toBbox(encoded).tolist() == segment["bbox"]


def test_categories_are_those_of_cityscapes(panoptic: dict[str, Any]) -> None:
    categories = {category["id"]: category for category in panoptic["categories"]}
    assert len(categories) == NUM_CLASSES
    for id_, category in categories.items():
        label = id2label[id_]
        assert not label.ignoreInEval
        assert category["name"] == label.name
        assert category["isthing"] == int(label.hasInstances)
        assert tuple(category["color"]) == label.color


def test_its_segments_are_perfect_predictions_of_themselves(
    folder: Path, split: str, panoptic: dict[str, Any]
) -> None:
    categories = {category["id"]: category for category in panoptic["categories"]}
    pairs = [(annotation, copy.deepcopy(annotation)) for annotation in panoptic["annotations"]]
    masks = str(folder / f"panoptic_{split}")
    judged = pq_compute_single_core(0, pairs, masks, masks, categories)
    shown = {
        id_
        for annotation in panoptic["annotations"]
        for id_ in (segment["category_id"] for segment in annotation["segments_info"])
    }
    for isthing in (None, True, False):
        of_kind = {
            id_
            for id_, of in categories.items()
            if isthing is None or bool(of["isthing"]) == isthing
        }
        quality, of_classes = judged.pq_average(categories, isthing=isthing)
        assert (quality["pq"], quality["n"]) == (1.0, len(of_kind & shown))
        assert {id_ for id_, of in of_classes.items() if of["pq"] == 1.0} == of_kind & shown
    assert not any(
        segment["iscrowd"]
        for annotation in panoptic["annotations"]
        for segment in annotation["segments_info"]
    )
