"""What a training is shown at each step, and who loads it."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from downstream import batches
from downstream.arms import Arm, ArmOptions, Example, build_arms
from downstream.batches import Pictures, StepBatches
from downstream.classes import UNKNOWN
from downstream.errors import ExperimentError
from downstream.pictures import Size
from downstream.recipes import recipe
from downstream.runs import RunOptions, open_run
from downstream.tests.drawn import training
from downstream.training import train


@pytest.mark.usefixtures("fake_run")
def test_every_arm_sees_the_same_places_at_every_step(tmp_path: Path) -> None:
    arms = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), print)
    small = recipe("small", crop=Size(32, 16), batch=3)
    size = Size(128, 64)
    batches = [StepBatches(Pictures(arm.examples, size), small, 7) for arm in arms]
    for step in (0, 5):
        shown = [of[step].labels for of in batches]
        assert shown[0].shape == (3, 16, 32)
        assert all(torch.equal(labels, shown[0]) for labels in shown)
        assert torch.equal(batches[0][step].images, batches[0][step].images)
    assert not torch.equal(batches[0][0].images, batches[2][0].images)


@pytest.mark.usefixtures("fake_run")
def test_every_picture_is_shown_once_before_any_comes_again(tmp_path: Path) -> None:
    arm = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), print)[0]
    loaded: list[int] = []

    class Watched(Pictures):
        def __getitem__(self, at: int) -> tuple[np.ndarray, np.ndarray]:
            loaded.append(at)
            return super().__getitem__(at)

    batches = StepBatches(Watched(arm.examples, Size(32, 16)), recipe("small", batch=2), 0)
    for step in range(4):
        batches[step]
    assert sorted(loaded[:4]) == sorted(loaded[4:]) == [0, 1, 2, 3]


@pytest.mark.usefixtures("fake_run")
def test_a_crop_beyond_the_image_is_unknown(tmp_path: Path) -> None:
    arm = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), print)[0]
    wide = recipe("small", crop=Size(40, 30), batch=1)
    labels = StepBatches(Pictures(arm.examples, Size(32, 16)), wide, 0)[0].labels
    assert labels.shape == (1, 30, 40)
    assert (labels == UNKNOWN).sum() >= 30 * 40 - 32 * 16


@dataclasses.dataclass(frozen=True)
class Counted(Example):
    """Notes in a file that it was read, by whatever process."""

    def load(self, size: Size) -> tuple[np.ndarray, np.ndarray]:
        with self.image.with_suffix(".read").open("a") as notes:
            notes.write("read\n")
        return super().load(size)


class Fatal(Example):
    """Kills the process that reads it."""

    def load(self, size: Size) -> tuple[np.ndarray, np.ndarray]:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().load(size)


def source_of(kind: type[Example], root: Path) -> Arm:
    arm = build_arms([open_run("good", RunOptions(root))], None, ArmOptions(), print)[0]
    examples = tuple(kind(of.image, of.label, of.digest) for of in arm.examples)
    return dataclasses.replace(arm, examples=examples)


@pytest.mark.usefixtures("fake_run")
def test_an_error_in_a_loader_is_told_as_one_here_is(tmp_path: Path) -> None:
    arm = source_of(Example, tmp_path)
    damages: tuple[Callable[[Path], object], ...] = (
        lambda of: Image.new("RGB", (128, 64)).save(of, exif=b"Exif\0\0no TIFF at all"),
        lambda of: of.write_bytes(b"PNG"),
        Path.unlink,
    )
    for damage in damages:
        damage(arm.examples[0].image)
        told = []
        for loaders in (0, 1):
            with pytest.raises(ExperimentError) as refused:
                train(training(loaders=loaders), arm, 0, tmp_path / "none.pt")
            told.append(str(refused.value))
        assert told[0] == told[1]
        assert str(arm.examples[0].image) in told[0]
        assert "\n" not in told[0]


@pytest.mark.usefixtures("fake_run")
def test_a_loader_that_was_killed_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"^a loader, .*, was killed, .*: fewer --loaders"):
        train(training(loaders=1), source_of(Fatal, tmp_path), 0, tmp_path / "none.pt")


@pytest.mark.usefixtures("fake_run")
@pytest.mark.parametrize(("loaders", "reads"), [(0, 13), (1, 13), (2, 16)])
def test_loaders_divide_the_memory_for_images_among_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaders: int, reads: int
) -> None:
    # Each of four pictures is shown four times, and there is memory for one.
    shown = training(8, loaders=loaders)
    monkeypatch.setattr(batches, "CACHE_BYTES", 4 * shown.size.width * shown.size.height)
    arm = source_of(Counted, tmp_path)
    train(shown, arm, 0, tmp_path / "none.pt")
    notes = {of.image.with_suffix(".read") for of in arm.examples}
    assert sum(len(path.read_text().split()) for path in notes) == reads
