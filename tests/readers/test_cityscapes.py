"""`--as cityscapes`, read by cityscapesScripts, which also judges its labels."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling import (
    CArgs,
    evaluateImgLists,
    getPrediction,
)
from cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling import args as defaults
from cityscapesscripts.helpers import csHelpers
from cityscapesscripts.helpers.labels import trainId2label
from PIL import Image

from converted import COUNTS, NUM_CLASSES, UNKNOWN, Export, Item, Run, pixels

KINDS = {"labelIds", "labelTrainIds", "color"}


@pytest.fixture(scope="module")
def folder(exported: Export) -> Path:
    return exported("cityscapes")


@pytest.fixture(scope="module")
def images(folder: Path) -> list[Path]:
    return sorted((folder / "leftImg8bit").rglob("*.png"))


def label_of(image: Path, kind: str) -> Path:
    """Returns the label that MMSegmentation and torchvision find for an image."""
    name = image.name.replace("_leftImg8bit.png", f"_gtFine_{kind}.png")
    folder = re.sub(r"/leftImg8bit/", "/gtFine/", str(image.parent))
    return Path(folder) / name


def test_every_name_is_taken_apart_as_one_of_cityscapes(folder: Path, images: list[Path]) -> None:
    labels = sorted((folder / "gtFine").rglob("*.png"))
    assert len(images) == sum(COUNTS.values())
    assert len(labels) == len(images) * len(KINDS)
    cores: Counter[str] = Counter()
    for path in [*images, *labels]:
        of = csHelpers.getCsFileInfo(str(path))
        assert of.city == csHelpers.getDirectory(str(path)) == path.parent.name
        assert re.fullmatch(r"\d{6}", of.frameNb)
        assert of.ext == "png"
        kinds = {"leftImg8bit": {""}, "gtFine": KINDS}
        assert of.type2 in kinds[of.type]
        cores[csHelpers.getCoreImageFileName(str(path))] += 1
    assert set(cores.values()) == {1 + len(KINDS)}


def test_splits_are_folders_and_lists(folder: Path, images: list[Path]) -> None:
    split_of = {image.stem: image.relative_to(folder).parts[1] for image in images}
    assert Counter(split_of.values()) == COUNTS
    for split, count in COUNTS.items():
        names = (folder / f"{split}.txt").read_text().splitlines()
        assert len(set(names)) == count
        assert all(
            (folder / f"leftImg8bit/{split}/{name}_leftImg8bit.png").is_file() for name in names
        )


def test_images_and_labels_are_those_of_the_run(images: list[Path], run: Run) -> None:
    seen: list[Item] = []
    for image in images:
        item = run.item_of(pixels(image))
        seen.append(item)
        label_ids, train_ids = (
            pixels(label_of(image, kind)) for kind in ("labelIds", "labelTrainIds")
        )
        np.testing.assert_array_equal(label_ids, item.label_ids)
        np.testing.assert_array_equal(train_ids, item.train_ids)
        colours = pixels(label_of(image, "color"))
        for train_id in item.classes:
            shown = colours[train_ids == train_id][:, :3]
            assert np.all(shown == trainId2label[train_id].color)
    assert len({(item.content, item.style) for item in seen}) == len(run.items)


def scores(folder: Path, predictions: Path) -> dict[str, float]:
    """Returns the IoU of each class, of predictions of what is for validation."""
    args = CArgs()
    vars(args).update(vars(defaults))
    args.predictionPath, args.predictionWalk = str(predictions), None
    args.quiet, args.JSONOutput = True, False
    # Labels tell no instances.
    args.evalInstLevelScore = False
    truth = [str(path) for path in sorted(folder.glob("gtFine/val/*/*_gtFine_labelIds.png"))]
    assert len(truth) == COUNTS["val"]
    predicted = [getPrediction(args, path) for path in truth]
    found = evaluateImgLists(predicted, truth, args)["classScores"]
    return {name: score for name, score in found.items() if not np.isnan(score)}


def test_labels_are_perfect_predictions_of_themselves_and_shifted_ones_are_not(
    folder: Path, images: list[Path], run: Run, tmp_path: Path
) -> None:
    same, shifted = tmp_path / "same", tmp_path / "shifted"
    same.mkdir()
    shifted.mkdir()
    shown: set[int] = set()
    for image in images:
        if "/val/" in str(image):
            label = label_of(image, "labelIds")
            shutil.copy(label, same / label.name)
            Image.fromarray(np.roll(pixels(label), 16, axis=1)).save(shifted / label.name)
            shown |= run.item_of(pixels(image)).classes
    perfect = scores(folder, same)
    assert perfect == dict.fromkeys((trainId2label[id_].name for id_ in shown), 1.0)
    assert np.mean(list(scores(folder, shifted).values())) < 0.9


def rare_class_sampling(
    folder: Path, min_pixels: int
) -> tuple[dict[int, int], dict[int, list[str]]]:
    """Returns the pixels of each class and the names of the labels that have enough of it.

    **Source:** Hoyer et al. 2022 (arXiv:2111.14887), and how DAFormer reads the two files.
    """
    pixels_of: dict[int, int] = {}
    for sample in json.loads((folder / "sample_class_stats.json").read_text()):
        sample.pop("file")
        for train_id, count in sample.items():
            pixels_of[int(train_id)] = pixels_of.get(int(train_id), 0) + count
    having = json.loads((folder / "samples_with_class.json").read_text())
    files = {
        int(train_id): [file.split("/")[-1] for file, count in samples if count > min_pixels]
        for train_id, samples in having.items()
    }
    return pixels_of, files


def test_rare_classes_are_sampled_by_what_labels_for_training_show(
    folder: Path, images: list[Path], run: Run
) -> None:
    pixels_of, files = rare_class_sampling(folder, min_pixels=100)
    counted = np.zeros(NUM_CLASSES, int)
    expected: dict[int, set[str]] = {}
    for image in images:
        if "/train/" not in str(image):
            continue
        counts = np.bincount(run.item_of(pixels(image)).train_ids.ravel(), minlength=UNKNOWN + 1)
        counted += counts[:NUM_CLASSES]
        for train_id in np.flatnonzero(counts[:NUM_CLASSES] > 100):
            expected.setdefault(int(train_id), set()).add(label_of(image, "labelTrainIds").name)
    assert pixels_of == {id_: count for id_, count in enumerate(counted.tolist()) if count}
    assert set(files) == set(pixels_of)
    assert {id_: set(names) for id_, names in files.items() if names} == expected
    # The names are those of the labels that the dataset lists, each of which is found by it.
    listed = {path.name for path in folder.glob("gtFine/train/*/*_gtFine_labelTrainIds.png")}
    assert {name for names in files.values() for name in names} <= listed


def test_what_each_label_shows_is_said_of_its_path(folder: Path) -> None:
    by_path = json.loads((folder / "sample_class_stats_dict.json").read_text())
    assert len(by_path) == COUNTS["train"]
    for path, shown in by_path.items():
        counts = np.bincount(pixels(folder / path).ravel(), minlength=UNKNOWN + 1)
        assert {int(id_): count for id_, count in shown.items()} == {
            id_: count for id_, count in enumerate(counts[:UNKNOWN].tolist()) if count
        }
