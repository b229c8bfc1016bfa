"""Pictures and labels: read as the worker reads them, and told in one line where they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from demo.dataset import in_colour
from downstream.arms import ArmOptions, Example, build_arms
from downstream.classes import CLASSES, TRAIN_ID_OF_LABEL_ID, UNKNOWN
from downstream.labels import LabelFile, LabelKind, read_label
from downstream.pictures import (
    Size,
    centre,
    framed,
    framed_ids,
    opened,
    stored_size,
    upright,
    upright_size,
)
from downstream.real import open_real
from downstream.runs import RunOptions, open_run
from downstream.tests.drawn import HEIGHT, SIZE, WIDTH, drawn, exif, refused, silent, write_pair


def test_a_label_says_the_same_in_every_encoding(tmp_path: Path) -> None:
    _, ids = drawn(1, "day")
    train_ids = TRAIN_ID_OF_LABEL_ID[np.asarray(ids)]
    encodings = {
        LabelKind.LABEL_IDS: ids,
        LabelKind.TRAIN_IDS: Image.fromarray(train_ids),
        LabelKind.COLOUR: in_colour(ids, "RGBA"),
    }
    for kind, image in encodings.items():
        image.save(tmp_path / "label.png")
        found = read_label(LabelFile(tmp_path / "label.png", kind))
        np.testing.assert_array_equal(found, train_ids, err_msg=kind)
    write_pair(tmp_path, "a", (Image.new("RGB", ids.size), ids))
    palette = tmp_path / "labels/a.png"
    for kind in LabelKind:
        np.testing.assert_array_equal(read_label(LabelFile(palette, kind)), train_ids)


def test_what_levels_are_is_believed_before_what_their_name_promises(tmp_path: Path) -> None:
    path = tmp_path / "label.png"
    sky, road = CLASSES[10], CLASSES[0]
    Image.fromarray(np.array([[sky.label_id, road.label_id]], np.uint8)).save(path)
    found = read_label(LabelFile(path, LabelKind.TRAIN_IDS))
    assert found.tolist() == [[10, 0]]
    stated = read_label(LabelFile(path, LabelKind.TRAIN_IDS, stated=True))
    assert stated.tolist() == [[UNKNOWN, 7]]


def test_a_label_that_shows_no_class_is_refused(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "label.png")
    told = refused(lambda: read_label(LabelFile(tmp_path / "label.png", LabelKind.LABEL_IDS)))
    assert "shows none of the 19 classes" in told


def test_pictures_and_labels_are_framed_as_the_worker_does(tmp_path: Path) -> None:
    # Those of the worker's own tests.
    assert centre(Size(1914, 1052), Size(1024, 512)) == (0, 48, 1914, 1004)
    assert centre(Size(1001, 250), Size(2, 1)) == (250, 0, 750, 250)
    assert framed_ids(np.array([[0, 1, 2, 3, 4]], np.uint8), Size(2, 1)).shape == (1, 2)
    picture, _ = drawn(1, "day")
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(framed(upright(tmp_path / "a.png"), SIZE), np.asarray(picture))


def test_an_image_has_the_size_that_it_is_shown_at(tmp_path: Path) -> None:
    picture, ids = drawn(1, "day")
    turned = Image.Exif()
    turned[0x0112] = 6
    write_pair(tmp_path, "a", (picture, ids.rotate(-90, expand=True)))
    picture.save(tmp_path / "images/a.png", exif=turned)
    assert upright_size(tmp_path / "images/a.png") == Size(HEIGHT, WIDTH)
    label = LabelFile(tmp_path / "labels/a.png", LabelKind.PALETTE_IDS)
    assert Example(tmp_path / "images/a.png", label, "").load(Size(32, 64))[0].shape == (64, 32, 3)
    assert len(open_real(tmp_path, Size(32, 64)).images) == 1
    picture.save(tmp_path / "images/a.png")
    told = refused(lambda: Example(tmp_path / "images/a.png", label, "").load(SIZE))
    assert "labels/a.png is 64x128 and its image" in told


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_as_its_orientation_says(tmp_path: Path, orientation: int) -> None:
    picture, path = drawn(1, "day")[0], tmp_path / "a.png"
    picture.save(path, exif=exif(orientation))
    expected = ImageOps.exif_transpose(Image.open(path))
    np.testing.assert_array_equal(np.asarray(upright(path)), np.asarray(expected))
    assert upright_size(path) == expected.size
    assert stored_size(path) == picture.size


def test_a_picture_whose_exif_data_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", drawn(1, "day"))
    path = tmp_path / "images/a.png"
    for damaged in (b"Exif\0\0no TIFF at all", exif(6)[:12]):
        drawn(1, "day")[0].save(path, exif=damaged)
        actions: list[Callable[[Path], object]] = [upright, upright_size]
        for action in actions:
            assert refused(partial(action, path)).startswith(f"{path} cannot be decoded (")
        told = refused(lambda: open_real(tmp_path, SIZE))
        assert told.endswith("): copy or download it again")


@pytest.mark.parametrize("action", [opened, upright, upright_size, stored_size])
def test_a_picture_that_is_not_there_is_told_as_that_and_damage_as_damage(
    tmp_path: Path, action: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.png"
    told = refused(lambda: action(path))
    assert told == f"{path} is not there: copy or make it again"
    path.write_bytes(b"PNG")
    assert refused(lambda: action(path)).startswith(f"{path} cannot be decoded (")


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
def test_what_else_is_damaged_in_exif_data_is_of_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    text, number = b"\x01\x0f\x00\x02", b"\x01\x0f\x00\x05"
    assert text in exif(6)
    drawn(1, "day")[0].save(path, exif=exif(6).replace(text, number))
    assert upright(path).size == (HEIGHT, WIDTH)


@pytest.mark.usefixtures("fake_run")
def test_labels_are_taken_as_they_are_stored_whatever_their_exif_data_says(tmp_path: Path) -> None:
    label = tmp_path / "gta5/labels/00001.png"
    Image.open(label).save(label, exif=exif(6))
    arms = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), silent)
    assert {example.load(SIZE)[1].shape for example in arms[0].examples} == {(HEIGHT, WIDTH)}
