"""Labelled real images: found by their names, and refused where a test on them proves nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from downstream import real as module_of_real
from downstream.classes import TRAIN_ID_OF_LABEL_ID, UNKNOWN
from downstream.labels import read_label
from downstream.perform import Request, perform
from downstream.pictures import upright
from downstream.real import open_real, refuse_contents
from downstream.tests.drawn import (
    HEIGHT,
    SIZE,
    WIDTH,
    FakeRun,
    drawn,
    exif,
    refused,
    write_pair,
    write_real,
)


def test_a_real_image_whose_pixels_are_a_style_is_refused_whatever_its_file(
    request_of: Request, fake_run: FakeRun, real: Path
) -> None:
    picture = Image.open(fake_run.root / "style/images/night.png")
    picture.save(real / "images/00000.png", compress_level=1)
    told = refused(lambda: perform(request_of))
    assert "images/00000.png has the pixels of night, a style of run good" in told
    assert not request_of.out.exists()


@pytest.mark.usefixtures("fake_run")
def test_a_real_image_without_label_is_refused(request_of: Request) -> None:
    (request_of.real / "labels/00001.png").unlink()
    told = refused(lambda: perform(request_of))
    assert "images/00001.png has no label (looked for 00001.png below" in told
    assert "add it" in told


def test_real_images_of_published_layouts_are_found_with_their_labels(tmp_path: Path) -> None:
    for folder, at, image, label in (
        ("cityscapes", "frankfurt/frankfurt_1", ("leftImg8bit", "_leftImg8bit"),
         ("gtFine", "_gtFine_labelIds")),
        ("acdc", "GOPR1/GOPR1_frame_1", ("rgb_anon/night", "_rgb_anon"),
         ("gt/night", "_gt_labelTrainIds")),
    ):  # fmt: skip
        for split in ("train", "val"):
            picture, ids = drawn(len(split), "night")
            if label[1].endswith("TrainIds"):
                ids = Image.fromarray(TRAIN_ID_OF_LABEL_ID[np.asarray(ids)])
            for (root, suffix), file in ((image, picture), (label, ids)):
                path = tmp_path / folder / root / split / f"{at}{suffix}.png"
                path.parent.mkdir(parents=True)
                file.save(path)
        assert len(open_real(tmp_path / folder, SIZE).images) == 2
        (of_val,) = open_real(tmp_path / folder, SIZE, "val").images
        assert "/val/" in str(of_val.image)
        assert read_label(of_val.label).min() < UNKNOWN
    told = refused(lambda: open_real(tmp_path / "acdc", SIZE, "test"))
    assert told.startswith("there is no image in a folder test of ")


def test_real_images_below_linked_folders_are_found(tmp_path: Path) -> None:
    elsewhere, real = tmp_path / "elsewhere", tmp_path / "real"
    write_pair(elsewhere, "night/a", drawn(1, "night"))
    write_pair(real, "b", drawn(2, "night"))
    for folder in ("images", "labels"):
        (real / folder / "linked").symlink_to(elsewhere / folder)
        (real / folder / "gone").symlink_to(tmp_path / "gone")
    assert [of.name for of in open_real(real, SIZE).images] == ["b", "linked/night/a"]
    assert [of.name for of in open_real(real, SIZE, "night").images] == ["linked/night/a"]


@pytest.mark.parametrize("where", ["images", "images/night", "."])
def test_links_that_lead_back_are_not_followed(tmp_path: Path, where: str) -> None:
    write_pair(tmp_path, "night/a", drawn(1, "night"))
    (tmp_path / "images/night/back").symlink_to(tmp_path / where)
    assert [of.name for of in open_real(tmp_path, SIZE).images] == ["night/a"]


def test_two_real_images_of_one_name_are_refused(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_pair(tmp_path, f"{split}/a", drawn(len(split), "night"))
    first = tmp_path / "images/val/a.png"
    for second in ("images/val/a.jpg", "rgb_anon/val/a.png"):
        (tmp_path / second).parent.mkdir(parents=True, exist_ok=True)
        drawn(9, "night")[0].save(tmp_path / second)
        one, other = sorted([first, tmp_path / second])
        told = refused(lambda: open_real(tmp_path, SIZE))
        assert told == f"{one} and {other} have one name (val/a): take one of them away"
        assert len(open_real(tmp_path, SIZE, "train").images) == 1
        (tmp_path / second).unlink()
    assert len(open_real(tmp_path, SIZE).images) == 2


def test_a_label_of_another_size_is_refused_before_anything_is_trained(
    request_of: Request, fake_run: FakeRun
) -> None:
    for root, image in ((request_of.real, "00001.png"), (fake_run.root / "gta5", "00002.png")):
        label = root / "labels" / image
        before = label.read_bytes()
        Image.open(label).resize((64, 32), Image.Resampling.NEAREST).save(label)
        told = refused(lambda: perform(request_of))
        told_of = f"{label} is 64x32 and its image {root / 'images' / image} is 128x64: give the"
        assert told.startswith(told_of)
        assert not request_of.out.exists()
        label.write_bytes(before)


@pytest.mark.usefixtures("fake_run")
def test_only_contents_that_may_show_a_real_image_are_decoded_to_look_whether_they_do(
    tmp_path: Path, real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = sorted((tmp_path / "gta5/images").iterdir())
    Image.open(contents[0]).resize((64, 32)).save(contents[0])
    Image.open(contents[1]).save(contents[1], exif=exif(6))
    test = open_real(real, SIZE)
    assert {of.centre for of in test.images} == {SIZE}
    decoded: list[Path] = []
    loaded: set[str] = set()
    load = PngImageFile.load

    def noted(path: Path) -> Image.Image:
        decoded.append(path)
        return upright(path)

    def noted_load(image: PngImageFile) -> object:
        loaded.add(str(image.filename))
        return load(image)

    monkeypatch.setattr(module_of_real, "upright", noted)
    monkeypatch.setattr(PngImageFile, "load", noted_load)
    refuse_contents(test, contents, SIZE)
    assert decoded == contents[1:]
    assert loaded == {str(path) for path in contents[1:]}
    # Though it is larger, its centre is the whole image.
    shown = Image.open(test.images[0].image)
    wider = Image.new("RGB", (WIDTH + 20, HEIGHT))
    wider.paste(shown, (10, 0))
    for image in (shown, wider):
        image.save(contents[0])
        told = refused(lambda: refuse_contents(test, contents, SIZE))
        assert f"has the pixels of {contents[0]}, a content that is trained on" in told


def test_a_real_image_that_a_run_trains_on_is_refused(
    request_of: Request, fake_run: FakeRun
) -> None:
    Image.open(fake_run.root / "gta5/images/00001.png").save(request_of.real / "images/00000.png")
    told = refused(lambda: perform(request_of))
    assert "images/00000.png has the pixels of " in told
    assert "00001.png, a content that is trained on: a test on it proves nothing" in told
    assert not request_of.out.exists()


@pytest.mark.usefixtures("fake_run")
def test_an_image_that_is_trained_on_and_tested_on_is_refused(
    request_of: Request, tmp_path: Path
) -> None:
    train = write_real(tmp_path / "train", "night", 3)
    told = refused(lambda: perform(dataclasses.replace(request_of, real_train=train)))
    assert "which is tested on: take one of them away" in told
