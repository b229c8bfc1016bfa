"""What is read of runs and real images, and what is refused in one line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demo.dataset import in_colour
from downstream.arms import ArmOptions, Example, build_arms
from downstream.classes import CLASSES, TRAIN_ID_OF_LABEL_ID, UNKNOWN
from downstream.cli import main
from downstream.colour import ColourTransfer
from downstream.errors import ExperimentError
from downstream.labels import LabelFile, LabelKind, read_label
from downstream.perform import Request, perform
from downstream.pictures import Size, centre, framed, framed_ids, upright, upright_size
from downstream.real import open_real
from downstream.runs import RunOptions, open_run
from downstream.store import Store
from downstream.tests.drawn import (
    FIRST_SEED,
    HEIGHT,
    WIDTH,
    FakeRun,
    converted_well,
    drawn,
    shifted_labels,
    write_pair,
    write_real,
)
from onnx_export.errors import ExportError

SIZE = Size(WIDTH, HEIGHT)


def silent(_line: str) -> None:
    """Says nothing."""


def refused(action: Callable[[], object]) -> str:
    """Returns the one line with which `action` is refused."""
    with pytest.raises(ExportError) as refusal:
        action()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


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


@pytest.mark.usefixtures("fake_run")
def test_all_arms_are_of_one_size_and_of_the_same_contents(tmp_path: Path) -> None:
    other = FakeRun(tmp_path, "other", 4, "night", converted_well("night"), status=but_the_first)
    other.write()
    train = open_real(write_real(tmp_path / "train", "night", 2, 50), SIZE)
    options = RunOptions(tmp_path, partial=True)
    runs = [open_run(name, options) for name in ("good", "other")]
    arms = build_arms(runs, None, ArmOptions(), silent)
    assert [arm.key for arm in arms] == [
        "source", "colour-transfer", "run.good", "run.other", "source-and-run.good",
        "source-and-run.other",
    ]  # fmt: skip
    names = [[example.image.name for example in arm.examples] for arm in arms]
    assert all(of == names[0] for of in names)
    assert sorted(names[0]) == ["00001.png", "00002.png", "00003.png"]
    said: list[str] = []
    with_oracle = build_arms(runs, train, ArmOptions(), said.append)
    assert {len(arm.examples) for arm in with_oracle} == {2}
    assert said == [
        "every arm has 2 images, as many as there are real ones to train on, of 3 contents: "
        "without --real-train all are used"
    ]
    assert "ask for at most 2" in refused(
        lambda: build_arms(runs, train, ArmOptions(images=3), silent)
    )


def but_the_first(at: int) -> str:
    return "quarantined" if at == 0 else "done"


@pytest.mark.usefixtures("fake_run")
def test_source_and_run_has_half_of_each(tmp_path: Path) -> None:
    arms = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), silent)
    source, _, run, both = (set(arm.examples) for arm in arms)
    assert (len(both & source), len(both & run)) == (2, 2)


def test_styles_take_turns_and_can_be_chosen(tmp_path: Path) -> None:
    styles = ("dusk", "night")
    FakeRun(tmp_path, "two", 4, "night", converted_well("night"), styles).write()
    everything = open_run("two", RunOptions(tmp_path))
    run = build_arms([everything], None, ArmOptions(), silent)[2]
    of = [example.image.parent.name for example in run.examples]
    assert of == ["dusk", "night", "dusk", "night"]
    chosen = open_run("two", RunOptions(tmp_path, styles=("ni*",)))
    assert {item.style for item in chosen.items} == {"night"}
    told = refused(lambda: open_run("two", RunOptions(tmp_path, styles=("snow",))))
    assert told == "run two has no style snow: it has dusk, night"


def test_source_is_trained_on_its_own_labels_and_a_run_on_those_that_it_stored(
    tmp_path: Path,
) -> None:
    FakeRun(tmp_path, "bad", 2, "night", shifted_labels("night", 16)).write()
    arms = build_arms([open_run("bad", RunOptions(tmp_path))], None, ArmOptions(), silent)
    source, _, run, _ = (arm.examples[0].load(SIZE) for arm in arms)
    np.testing.assert_array_equal(np.roll(source[1], 16, axis=0), run[1])
    seed = FIRST_SEED + int(arms[0].examples[0].image.stem)
    np.testing.assert_array_equal(source[0], np.asarray(drawn(seed, "day")[0]))


@pytest.mark.parametrize("transfer", ColourTransfer)
def test_a_colour_transfer_gives_the_style_s_means_and_keeps_what_is_where(
    transfer: ColourTransfer,
) -> None:
    content, style = (np.asarray(drawn(seed, look)[0]) for seed, look in ((1, "day"), (2, "night")))
    moved = transfer.apply(content, style)
    means = [image.mean(axis=(0, 1)) for image in (content, moved, style)]
    assert np.abs(means[1] - means[2]).max() < 0.2 * np.abs(means[0] - means[2]).max()
    grey = [image.mean(axis=2).reshape(-1) for image in (content, moved)]
    assert np.corrcoef(grey)[0, 1] > 0.7


def test_a_real_image_whose_pixels_are_a_style_is_refused_whatever_its_file(
    request_of: Request, fake_run: FakeRun, real: Path
) -> None:
    picture = Image.open(fake_run.root / "style/images/night.png")
    picture.save(real / "images/00000.png", compress_level=1)
    told = refused(lambda: perform(request_of))
    assert "images/00000.png has the pixels of night, a style of run good" in told
    assert not request_of.out.exists()


def test_a_style_that_is_not_there_or_another_is_refused(
    request_of: Request, fake_run: FakeRun
) -> None:
    style = fake_run.root / "style/images/night.png"
    drawn(99, "night")[0].save(style)
    assert "is not what the run was made with" in refused(lambda: perform(request_of))
    style.unlink()
    told = refused(lambda: perform(request_of))
    assert told.endswith("is not there: give the folder of the run's styles by --style-root")


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


@pytest.mark.parametrize("status", ["failed", "gone"])
def test_a_run_that_is_not_complete_is_refused_unless_it_may_be(
    tmp_path: Path, status: str, request_of: Request
) -> None:
    run = FakeRun(tmp_path, "good", 4, "night", converted_well("night"),
                  status=lambda at: "failed" if at == 0 else "done")  # fmt: skip
    run.write()
    if status == "gone":
        record = json.loads((run.folder / "run.json").read_text())
        record["frozen"]["num_items"] = 5
        (run.folder / "run.json").write_text(json.dumps(record))
    told = refused(lambda: perform(request_of))
    assert told.startswith("run good is not complete (3 of ")
    assert "`synth2real resume good`, or give --partial" in told
    done = perform(dataclasses.replace(request_of, partial=True))
    assert done.document["partial"] is True
    assert done.document["runs"][0]["partial"] is True
    assert "run good is partial: 3 of " in done.table


def test_a_run_without_manifest_and_one_that_is_not_there_are_refused(
    request_of: Request, fake_run: FakeRun
) -> None:
    (fake_run.folder / "manifest.parquet").unlink()
    assert "`synth2real collect good` makes it" in refused(lambda: perform(request_of))
    nowhere = dataclasses.replace(request_of, runs=("none",))
    assert refused(lambda: perform(nowhere)).startswith("there is no run none (no ")
    bucket = dataclasses.replace(request_of, runs=("s3://bucket/runs/a",))
    assert "`aws s3 sync`" in refused(lambda: perform(bucket))


def test_an_output_that_is_away_is_told_before_anything_is_trained(
    request_of: Request, fake_run: FakeRun
) -> None:
    (fake_run.folder / "images/night/00002.png").unlink()
    assert "its manifest says that it is done" in refused(lambda: perform(request_of))
    assert not request_of.out.exists()


def test_a_content_that_the_run_was_not_made_with_is_refused(
    request_of: Request, fake_run: FakeRun
) -> None:
    content = fake_run.root / "gta5/images/00002.png"
    drawn(99, "day")[0].save(content)
    assert refused(lambda: perform(request_of)) == (
        f"run good: {content} is not what the run was made with: give the folder of the run's "
        "contents by --content-root"
    )


@pytest.mark.parametrize("file", ["images/night/00002.png", "labels/00002.png"])
def test_an_output_that_was_altered_is_refused(
    request_of: Request, fake_run: FakeRun, file: str
) -> None:
    altered = fake_run.folder / file
    Image.open(altered).rotate(180).save(altered)
    told = refused(lambda: perform(request_of))
    assert told == f"run good: {altered} was altered: `synth2real audit` tells more"
    assert not request_of.out.exists()


@pytest.mark.usefixtures("fake_run")
def test_runs_of_two_sizes_are_not_compared(tmp_path: Path) -> None:
    run = open_run("good", RunOptions(tmp_path))
    other = dataclasses.replace(run, name="other", size=Size(64, 32))
    told = refused(lambda: build_arms([run, other], None, ArmOptions(), silent))
    assert told.startswith("run good is 128x64 and run other is 64x32")
    assert "given twice" in refused(lambda: build_arms([run, run], None, ArmOptions(), silent))


def test_a_folder_of_another_experiment_or_of_something_else_is_refused(
    request_of: Request, fake_run: FakeRun
) -> None:
    perform(request_of)
    told = refused(lambda: perform(dataclasses.replace(request_of, steps=3)))
    assert told == (
        f"{request_of.out} holds another experiment (its recipe.steps is 2, not 3): give another "
        "--out, or move it away"
    )
    resized = dataclasses.replace(request_of, size=(48, 24))
    assert "(its size[0] is 32, not 48)" in refused(lambda: perform(resized))
    other = dataclasses.replace(request_of, out=fake_run.folder)
    assert "holds something that is no experiment" in refused(lambda: perform(other))


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    with store.locked():
        assert "another process works on" in refused(
            lambda: Store(store.folder).locked().__enter__()
        )
    with Store(store.folder).locked():
        pass


@pytest.mark.usefixtures("fake_run")
def test_fewer_than_three_seeds_are_refused(request_of: Request) -> None:
    told = refused(lambda: perform(dataclasses.replace(request_of, seeds=2)))
    assert told == "2 seeds do not tell how figures vary: give --seeds 3 or more"


@pytest.mark.usefixtures("fake_run")
def test_the_command_says_in_one_line_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["good", "--root", str(tmp_path), "--real", str(tmp_path / "nothing")]
    assert main(arguments) == ExperimentError.exit_code
    told = capsys.readouterr().err
    assert told.startswith("downstream: there is no image in ")
    assert told.count("\n") == 1
    with pytest.raises(SystemExit) as wrong:
        main([*arguments, "--seeds", "0"])
    assert wrong.value.code == 2
    with pytest.raises(SystemExit) as wrong:
        main([*arguments, "--loaders", "-1"])
    assert wrong.value.code == 2
    assert capsys.readouterr().err.endswith("--loaders (-1) must be at least 0\n")
