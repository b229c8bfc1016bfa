"""Experiments: resumed to the same figures, the same for any number of processes, well told."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from PIL import Image

from downstream import batches, cli
from downstream.arms import Arm, ArmKind, ArmOptions, Example, build_arms
from downstream.batches import Pictures, StepBatches
from downstream.classes import UNKNOWN
from downstream.errors import ExperimentError
from downstream.networks import NETWORKS, build, digest_of_weights, logits_of
from downstream.perform import Request, perform
from downstream.pictures import Size
from downstream.progress import Progress
from downstream.real import open_real
from downstream.recipes import RECIPES, Recipe, recipe
from downstream.runs import RunOptions, open_run
from downstream.store import Store, write_whole
from downstream.tests.drawn import FakeRun, write_real
from downstream.training import Training, train
from downstream.work import Task, Work, run_tasks

ARMS = ("source", "colour-transfer", "run.good")


class EndedError(Exception):
    """A process that ended in the middle."""


def training(steps: int = 6, **changes: object) -> Training:
    size = Size(64, 32)
    of = recipe("small", steps=steps, batch=2, crop=size)
    whole = Training(NETWORKS["unet"], None, None, of, size, torch.device("cpu"))
    return dataclasses.replace(whole, **changes)  # type: ignore[arg-type]


def weights_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.usefixtures("fake_run")
@pytest.mark.parametrize("name", ["unet", "segformer-b0"])
def test_a_training_that_was_ended_goes_on_to_the_same_weights(tmp_path: Path, name: str) -> None:
    kind = NETWORKS[name]
    arm = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), print)[0]
    whole = weights_of(train(training(network=kind), arm, 1, tmp_path / "whole.pt"))
    checkpoint = tmp_path / "ended.pt"
    often = training(checkpoint_seconds=0.0, network=kind)

    def end(steps: int, _loss: float) -> None:
        if steps == 4:
            raise EndedError

    with pytest.raises(EndedError):
        train(often, arm, 1, checkpoint, end)
    seen: list[int] = []
    goes_on = training(network=kind)
    again = train(goes_on, arm, 1, checkpoint, lambda steps, _: seen.append(steps))
    assert seen == [5, 6]
    for name, value in weights_of(again).items():
        assert torch.equal(value, whole[name]), name
    other = weights_of(train(goes_on, arm, 2, checkpoint))
    assert any(not torch.equal(value, whole[name]) for name, value in other.items())


@pytest.mark.usefixtures("fake_run")
def test_a_checkpoint_that_cannot_be_read_is_trained_again(tmp_path: Path) -> None:
    arm = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), print)[0]
    (tmp_path / "cut.pt").write_bytes(b"PK")
    seen: list[int] = []
    train(training(2), arm, 0, tmp_path / "cut.pt", lambda steps, _: seen.append(steps))
    assert seen == [1, 2]


@pytest.mark.usefixtures("fake_run")
def test_what_is_there_is_not_made_again_and_what_is_damaged_is(request_of: Request) -> None:
    first = perform(request_of)
    store = Store(request_of.out)
    results = sorted(path.name for path in (request_of.out / "results").iterdir())
    assert results == sorted(f"{arm}-{seed}.npz" for arm in ARMS for seed in range(3))
    assert not list((request_of.out / "checkpoints").glob("*"))
    made_at = {path: path.stat().st_mtime_ns for path in (request_of.out / "results").iterdir()}
    cut, gone = store.result("source", 1), store.result("run.good", 2)
    cut.write_bytes(cut.read_bytes()[:100])
    gone.unlink()
    damaged = store.result("colour-transfer", 0)
    whole = bytearray(damaged.read_bytes())
    whole[60:90] = bytes(30)
    damaged.write_bytes(whole)
    again = perform(request_of)
    assert again.document["arms"] == first.document["arms"]
    for path, before in made_at.items():
        assert (path.stat().st_mtime_ns == before) == (path not in (cut, gone, damaged)), path


def test_a_result_that_cannot_be_read_is_told_and_not_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.read("source", 0, 1) is None
    store.result("source", 0).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        store.read("source", 0, 1)


def test_a_file_is_written_beside_by_one_process_only_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "out/experiment.json"

    def write_within(file: IO[bytes]) -> None:
        write_whole(path, lambda other: other.write(b"inner"))
        file.write(b"outer")

    write_whole(path, write_within)
    assert path.read_bytes() == b"outer"

    def fail(_: IO[bytes]) -> None:
        raise EndedError

    with pytest.raises(EndedError):
        write_whole(path, fail)
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_half_written_is_no_other_experiment(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (tmp_path / "experiment.json.1-ab.new").write_text("{")
    store.begin({"runs": []})
    assert (tmp_path / "experiment.json").is_file()
    store.checkpoint("source", 0).parent.mkdir()
    store.checkpoint("source", 0).with_suffix(".pt.2-cd.new").write_bytes(b"PK")
    store.begin({"runs": []})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["experiment.json"]


@pytest.mark.usefixtures("fake_run")
def test_seeds_can_be_added(request_of: Request) -> None:
    three = perform(request_of).document["arms"][0]["miou"]["seeds"]
    four = perform(dataclasses.replace(request_of, seeds=4)).document["arms"][0]["miou"]["seeds"]
    assert four[:3] == three
    assert len(four) == 4


@pytest.mark.usefixtures("fake_run")
def test_trainings_at_a_time_give_what_one_after_the_other_gives(request_of: Request) -> None:
    one = perform(request_of)
    two = perform(dataclasses.replace(request_of, out=request_of.out.with_name("two"), jobs=2))
    assert two.document["arms"] == one.document["arms"]


@pytest.mark.usefixtures("fake_run")
def test_trained_networks_are_shared_by_experiments_with_the_same_arm(
    request_of: Request, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    shared = dataclasses.replace(request_of, trained=trained)
    first = perform(shared)
    kept = {path: path.stat().st_mtime_ns for path in trained.iterdir()}
    assert len(kept) == 3 * len(ARMS)
    other_test = write_real(tmp_path / "snow", "snow", 2, 20)
    second = perform(dataclasses.replace(shared, real=other_test, out=tmp_path / "second"))
    assert {path: path.stat().st_mtime_ns for path in trained.iterdir()} == kept
    assert second.document["arms"] != first.document["arms"]


@pytest.mark.usefixtures("fake_run")
def test_the_document_has_what_its_description_promises(
    request_of: Request, tmp_path: Path
) -> None:
    train_root = write_real(tmp_path / "train", "night", 4, 50)
    perform(dataclasses.replace(request_of, real_train=train_root, with_source_and_run=True))
    document = json.loads((request_of.out / "downstream.json").read_text())
    assert list(document) == [
        "format_version", "made_at", "experiment_sha256", "partial", "runs", "test", "width",
        "height", "network", "recipe", "images", "seeds", "bootstrap", "arms",
    ]  # fmt: skip
    assert [arm["kind"] for arm in document["arms"]] == [kind.value for kind in ArmKind]
    assert {arm["images"] for arm in document["arms"]} == {4}
    source, *others = document["arms"]
    assert source["against_source"] is None
    for arm in others:
        against = arm["against_source"]
        assert list(against) == ["difference", "low", "high", "images_only", "verdict"]
        assert against["difference"] == pytest.approx(arm["miou"]["mean"] - source["miou"]["mean"])
        assert against["verdict"] in ("helps", "harms", "no difference can be told")
        assert sorted(arm["classes"]) == sorted(document["test"]["classes"])
        assert len(arm["miou"]["seeds"]) == 3
    assert document["runs"][0]["styles"] == ["night"]
    text = (request_of.out / "downstream.txt").read_text()
    for arm in document["arms"]:
        assert arm["name"] in text
    picture = Image.open(request_of.out / "downstream.png")
    assert picture.width > 500


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


def test_the_command_knows_every_network_and_recipe() -> None:
    assert set(cli.NETWORKS) == set(NETWORKS)
    assert set(cli.RECIPES) == set(RECIPES)
    assert {network.recipe for network in NETWORKS.values()} <= set(RECIPES)


@pytest.mark.usefixtures("fake_run")
def test_a_network_that_gives_no_finite_numbers_is_told_and_not_kept(
    request_of: Request, tmp_path: Path
) -> None:
    wild = dataclasses.replace(
        request_of, steps=1, learning_rate=1e30, trained=tmp_path / "trained"
    )
    with pytest.raises(ExperimentError, match="gives numbers that are not finite: lower the"):
        perform(wild)
    assert not list(tmp_path.glob("trained/*"))
    assert not list(request_of.out.glob("results/*"))


def test_a_trained_network_that_is_damaged_is_trained_again(
    request_of: Request, fake_run: FakeRun
) -> None:
    shared = dataclasses.replace(request_of, trained=fake_run.root / "trained")
    first = perform(shared)
    for path in (fake_run.root / "trained").iterdir():
        path.write_bytes(b"PK")
    again = perform(dataclasses.replace(shared, out=request_of.out.with_name("again")))
    assert again.document["arms"] == first.document["arms"]


def test_the_recipes_have_the_published_settings() -> None:
    daformer = RECIPES["daformer"]
    assert (daformer.crop, daformer.batch, daformer.steps) == (Size(512, 512), 2, 40_000)
    assert (daformer.optimizer, daformer.learning_rate, daformer.head_rate) == ("adamw", 6e-5, 10.0)
    assert daformer.rate(0) == pytest.approx(1 / 1501)
    assert daformer.rate(20_000) == pytest.approx(0.5)
    poly: Recipe = RECIPES["deeplab"]
    assert poly.rate(10_000) == pytest.approx(0.75**0.9)
    assert recipe("daformer", steps=400).warmup == 15
    with pytest.raises(ExperimentError, match=r"the crop's height \(0\) must be at least 1"):
        recipe("small", crop=Size(4, 0))
    for rate in (0.0, float("inf"), float("nan")):
        with pytest.raises(ExperimentError, match="must be above 0 and finite"):
            recipe("small", learning_rate=rate)


@pytest.mark.parametrize("name", ["segformer-b0", "deeplabv3-mobilenet", "lraspp", "unet"])
def test_a_network_answers_with_the_classes_of_each_pixel(name: str) -> None:
    network = build(NETWORKS[name], None, 3)
    images = torch.zeros(2, 3, 64, 96)
    assert logits_of(network, images).shape == (2, 19, 64, 96)
    parts = dict(network.named_parameters())
    of_backbone = [part for part in parts if part.startswith(NETWORKS[name].backbone)]
    assert of_backbone
    assert (len(of_backbone) < len(parts)) == (name != "unet")
    again = dict(build(NETWORKS[name], None, 3).named_parameters())
    assert all(torch.equal(parts[part], again[part]) for part in parts)


def test_a_segformer_begins_with_the_weights_of_a_local_folder(tmp_path: Path) -> None:
    first = build(NETWORKS["segformer-b0"], None, 1)
    first.network.save_pretrained(tmp_path)  # type: ignore[operator, union-attr]
    second = build(NETWORKS["segformer-b0"], tmp_path, 2)
    name = "network.segformer.encoder.patch_embeddings.0.proj.weight"
    weights = [dict(of.named_parameters()) for of in (first, second)]
    found = name if name in weights[0] else next(iter(weights[0]))
    assert torch.equal(weights[0][found], weights[1][found])
    with pytest.raises(ExperimentError, match="which are not those of segformer-b1"):
        build(NETWORKS["segformer-b1"], tmp_path, 2)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ExperimentError, match=r"has no config\.json"):
        build(NETWORKS["segformer-b0"], tmp_path, 2)


def test_torchvision_s_networks_begin_with_a_classifier_s_weights(tmp_path: Path) -> None:
    from torchvision.models import mobilenet_v3_large

    torch.manual_seed(9)
    classifier = mobilenet_v3_large().state_dict()
    torch.save(classifier, tmp_path / "mobilenet.pth")
    network = build(NETWORKS["lraspp"], tmp_path / "mobilenet.pth", 0)
    name = "network.backbone.0.0.weight"
    assert torch.equal(network.state_dict()[name], classifier["features.0.0.weight"])
    torch.save({"other": torch.zeros(1)}, tmp_path / "mobilenet.pth")
    with pytest.raises(ExperimentError, match="of the backbone, such as"):
        build(NETWORKS["lraspp"], tmp_path, 0)
    with pytest.raises(ExperimentError, match="the small U-Net has none"):
        build(NETWORKS["unet"], tmp_path, 0)


def test_weights_have_a_digest_of_their_own_below_a_cache_and_without_what_a_download_leaves(
    tmp_path: Path,
) -> None:
    digests = []
    for at, folder in enumerate(
        (tmp_path / "here", tmp_path / ".cache/models", tmp_path / "other")
    ):
        (folder / ".cache").mkdir(parents=True)
        (folder / ".cache/lock").write_text(str(at))
        (folder / "weights.pth").write_bytes(b"other" if folder.name == "other" else b"some")
        digests.append((digest_of_weights(folder), digest_of_weights(folder / "weights.pth")))
    assert digests[0] == digests[1]
    assert all(one != other for one, other in zip(digests[1], digests[2], strict=True))
    (tmp_path / "here/parts").mkdir()
    (tmp_path / "here/weights.pth").rename(tmp_path / "here/parts/weights.pth")
    assert digest_of_weights(tmp_path / "here") != digests[0][0]


@pytest.mark.usefixtures("fake_run")
def test_a_batch_that_cannot_be_normalised_over_is_refused(request_of: Request) -> None:
    one = dataclasses.replace(request_of, network="lraspp", batch=1)
    with pytest.raises(ExperimentError, match=r"the batch \(1\) must be at least 2 for lraspp"):
        perform(one)


@pytest.mark.usefixtures("fake_run", "real")
def test_steps_that_were_done_before_are_no_work_of_now(tmp_path: Path) -> None:
    arm = build_arms([open_run("good", RunOptions(tmp_path))], None, ArmOptions(), print)[0]
    real = open_real(tmp_path / "real", Size(64, 32))
    often = training(checkpoint_seconds=0.0)
    work = Work(often, real, Store(tmp_path / "out"), tmp_path / "trained")

    def end(told: tuple[str, int, int]) -> None:
        counted.append(told[1:])
        if len(counted) == 4:
            raise EndedError

    counted: list[tuple[int, int]] = []
    with pytest.raises(EndedError):
        work.do(Task(arm, 0), end)
    assert counted == [(1, 0)] * 4
    progress = Progress(18, 0, None, iter(range(0, 1000, 2)).__next__)
    run_tasks(work, [Task(arm, 0)], 1, progress)
    assert (progress.done, progress.worked) == (6, 2)
    run_tasks(
        dataclasses.replace(work, store=Store(tmp_path / "other")), [Task(arm, 0)], 1, progress
    )
    assert (progress.done, progress.worked) == (12, 2)


SLEEPER = """
import multiprocessing, time
from downstream.progress import Progress
from downstream.work import run_tasks

class Sleeping:
    name = "sleeping"

    def do(self, task, tell):
        tell(("asleep", 1, 0))
        time.sleep(120)

class Watched(Progress):
    def step(self, what, steps):
        super().step(what, steps)
        if self.done == 2:
            print(*(process.pid for process in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    run_tasks(Sleeping(), [Sleeping(), Sleeping()], 2, Watched(2))
"""


def test_all_processes_end_when_the_one_that_started_them_is_killed(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    package = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "sleeper.py")], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": package},
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        started = [int(process) for process in parent.stdout.readline().split()]
        parent.kill()
    assert len(started) == 3, "two of the pool, and the manager of their words"
    until = time.monotonic() + 20
    while any(map(is_running, started)) and time.monotonic() < until:
        time.sleep(0.1)
    going_on = [process for process in started if is_running(process)]
    for process in going_on:
        os.kill(process, signal.SIGKILL)
    assert not going_on, "they go on without their parent"


def is_running(process: int) -> bool:
    """Returns whether a process is there, and no mere entry of one that ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


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
    damages: tuple[Callable[[Path], object], ...] = (lambda of: of.write_bytes(b"PNG"), Path.unlink)
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


def test_progress_is_plain_lines_elsewhere_and_one_line_on_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream in (io.StringIO(), Terminal()):
        now = [0.0]
        progress = Progress(100, 20, stream, lambda now=now: now[0])  # type: ignore[misc]
        for _ in range(4):
            now[0] += 20.0
            progress.step("source only", 10)
        progress.close()
        said = capsys.readouterr().err
        if stream.isatty():
            assert "\r\x1b[Ksource only: 30 of 100 steps  0.5 steps/s, ETA 2 min 20 s" in (
                stream.getvalue()
            )
            assert said == ""
        else:
            assert said.splitlines() == [
                "source only: 40 of 100 steps  0.5 steps/s, ETA 2 min 0 s",
                "source only: 60 of 100 steps  0.5 steps/s, ETA 1 min 20 s",
            ]
