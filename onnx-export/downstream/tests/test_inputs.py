"""What is read of runs, the arms that are made of it, and what is refused in one line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from downstream.arms import ArmOptions, build_arms
from downstream.cli import main
from downstream.colour import ColourTransfer
from downstream.errors import ExperimentError
from downstream.perform import Request, perform
from downstream.pictures import Size
from downstream.real import open_real, refuse_styles
from downstream.runs import RunOptions, open_run
from downstream.tests.drawn import (
    FIRST_SEED,
    SIZE,
    FakeRun,
    converted_well,
    drawn,
    refused,
    shifted_labels,
    silent,
    write_real,
)


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


def test_a_style_that_is_not_there_or_another_is_refused(
    request_of: Request, fake_run: FakeRun
) -> None:
    style = fake_run.root / "style/images/night.png"
    drawn(99, "night")[0].save(style)
    assert "is not what the run was made with" in refused(lambda: perform(request_of))
    style.unlink()
    told = refused(lambda: perform(request_of))
    assert told.endswith("is not there: give the folder of the run's styles by --style-root")


@pytest.mark.parametrize("file", ["run.json", "experiment.json"])
def test_a_record_that_is_too_deep_is_named(
    request_of: Request, fake_run: FakeRun, file: str
) -> None:
    folder = fake_run.folder if file == "run.json" else request_of.out
    folder.mkdir(exist_ok=True)
    (folder / file).write_text('{"a": ' + 100_000 * "[" + 100_000 * "]" + "}")
    told = refused(lambda: perform(request_of))
    assert told.startswith(f"{folder / file} is not JSON (maximum recursion depth exceeded")


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


OTHER_KINDS = (
    "synthia-ids", "carla-tags", "carla-0.9.13-tags", "table-ids", "table-first-channel",
    "table-colours",
)  # fmt: skip


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_run_whose_labels_are_not_of_cityscapes_is_refused(
    request_of: Request, fake_run: FakeRun, kind: str
) -> None:
    told = (
        f"run good: the label of its content 00000 is of {kind}, and only palette-ids, label-ids, "
        "train-ids, colour are read: give a run of contents with labels of Cityscapes' ids or "
        "colours"
    )
    change_readings(fake_run.folder, "contents", kind=kind)
    assert refused(lambda: perform(request_of)) == told
    change_readings(fake_run.folder, "contents", kind="palette-ids", stored=kind)
    assert refused(lambda: perform(request_of)) == told
    assert not request_of.out.exists()


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_the_labels_of_styles_are_not_read_whatever_they_are(
    request_of: Request, fake_run: FakeRun, kind: str
) -> None:
    change_readings(fake_run.folder, "styles", kind=kind)
    run = open_run("good", RunOptions(request_of.root))
    refuse_styles(open_real(request_of.real, SIZE), [run], SIZE)


def change_readings(folder: Path, of: str, **reading: str) -> None:
    """Changes how a run reads the labels of its contents or styles."""
    record = json.loads((folder / "run.json").read_text())
    path = folder / f"plan-{record['frozen']['plan_sha256']}.json"
    plan = json.loads(path.read_text())
    for entry in plan[of]:
        entry["label"]["reading"] |= reading
    text = json.dumps(plan)
    record["frozen"]["plan_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.with_name(f"plan-{record['frozen']['plan_sha256']}.json").write_text(text)
    (folder / "run.json").write_text(json.dumps(record))


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
