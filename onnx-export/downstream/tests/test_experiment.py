"""Experiments: they go on to the same figures, and say in a document what came out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from downstream.arms import ArmKind, ArmOptions, build_arms
from downstream.errors import ExperimentError
from downstream.networks import NETWORKS
from downstream.perform import Request, perform
from downstream.runs import RunOptions, open_run
from downstream.store import Store
from downstream.tests.drawn import EndedError, FakeRun, converted_well, training, write_real
from downstream.training import train

ARMS = ("source", "colour-transfer", "run.good")


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
    assert document["runs"][0]["preset"] == "released-code"
    text = (request_of.out / "downstream.txt").read_text()
    for arm in document["arms"]:
        assert arm["name"] in text
    picture = Image.open(request_of.out / "downstream.png")
    assert picture.width > 500


def test_a_run_of_a_method_without_presets_is_told_with_none(
    request_of: Request, tmp_path: Path
) -> None:
    FakeRun(tmp_path, "good", 4, "night", converted_well("night"), method="fda").write()
    perform(request_of)
    document = json.loads((request_of.out / "downstream.json").read_text())
    assert document["runs"][0]["method"] == "fda"
    assert document["runs"][0]["preset"] is None


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
