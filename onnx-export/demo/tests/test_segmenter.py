"""The demo's segmenter tells the classes of streets in every look."""

import json
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from demo import segmenter_training
from demo.dataset import CONTENT_SEEDS, STYLES
from demo.feature_training import FIRST_HELD_OUT_SEED as FIRST_HELD_OUT_FEATURES_SEED
from demo.feature_training import FIRST_SEED as FIRST_FEATURES_SEED
from demo.looks import LOOKS
from demo.pictures import FIRST_SEED as FIRST_PICTURE_SEED
from demo.pictures import HEIGHT, WIDTH
from demo.references import FIRST_SEED as FIRST_REFERENCE_SEED
from demo.segmenter import NAME, NORMALISATION, export_segmenter, make_segmenter, normalised
from demo.segmenter_training import (
    FIRST_HELD_OUT_SEED,
    FIRST_SEED,
    LabelledStreets,
    SegmenterTraining,
    batches_of,
    confusion_of,
    schedule,
    train_segmenter,
    weights_of_classes,
)
from downstream.classes import CLASSES, NUM_CLASSES, UNKNOWN
from downstream.networks import logits_of
from downstream.proof.scenes import (
    FIRST_CONTENT_SEED,
    FIRST_TEST_SEED,
    FIRST_TRAIN_SEED,
)
from downstream.scores import mean_iou
from downstream.testing import confusion
from onnx_export.write import file_sha256
from tests.networks import Exported

COMMITTED = Path(__file__).parents[3] / "infra/demo/segmenter"
MAX_BYTES = 3_000_000
SMALL = SegmenterTraining(steps=2, scenes=4, held_out=1, batch=2, seed=5)
LEAST_MEAN_IOU = 60.0
LOST_BY_SHIFTING = 5.0


def images_of(streets: LabelledStreets) -> np.ndarray:
    return (streets.pictures.float() / 255.0).numpy()


def test_the_committed_segmenter_is_whole_and_small() -> None:
    contract = json.loads((COMMITTED / "segmenter.json").read_text())
    for entry in (contract, contract["data"]):
        assert entry["sha256"] == file_sha256(COMMITTED / entry["file"])
    assert (contract["name"], contract["resize"]) == (NAME, None)
    assert contract["normalisation"]["mean"] == list(NORMALISATION.mean)
    assert [entry["train_id"] for entry in contract["classes"]] == list(range(NUM_CLASSES))
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) <= MAX_BYTES


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_the_committed_segmenter_knows_every_look(look: str) -> None:
    """Of streets that it was not trained on, and not looked at while it was made."""
    streets = LabelledStreets.draw(FIRST_HELD_OUT_SEED + 10_000, 6 * [look])
    found = Exported(COMMITTED, "segmenter")(images_of(streets))
    assert mean_iou(confusion(streets.labels.numpy(), found)) > LEAST_MEAN_IOU


def test_the_committed_segmenter_agrees_with_labels_in_their_place_alone() -> None:
    streets = LabelledStreets.draw(FIRST_HELD_OUT_SEED + 20_000, ["day", "night", "snow", "autumn"])
    found = Exported(COMMITTED, "segmenter")(images_of(streets))
    labels = streets.labels.numpy()
    aligned = mean_iou(confusion(labels, found))
    for axis in (1, 2):
        for pixels in (-8, -4, 4, 8):
            shifted = mean_iou(confusion(np.roll(labels, pixels, axis), found))
            assert shifted < aligned - LOST_BY_SHIFTING, (axis, pixels, shifted, aligned)


def test_an_exported_segmenter_predicts_what_the_trained_one_does(tmp_path: Path) -> None:
    checkpoint = tmp_path / "street-segmenter.safetensors"
    train_segmenter(checkpoint, SMALL)
    export_segmenter(checkpoint, tmp_path / "segmenter")
    network = make_segmenter().eval()
    network.load_state_dict(load_file(checkpoint))
    images = images_of(LabelledStreets.draw(FIRST_SEED, ["day", "night"]))
    with torch.no_grad():
        expected = logits_of(network, normalised(torch.from_numpy(images))).argmax(1).numpy()
    found = Exported(tmp_path / "segmenter", "segmenter")(images)
    assert (found != expected).mean() < 1e-3


def test_training_twice_gives_the_same_weights(tmp_path: Path) -> None:
    for name in ("first", "second"):
        train_segmenter(tmp_path / name, SMALL)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_no_other_part_of_the_project_sees_the_segmenters_streets() -> None:
    starts = [FIRST_PICTURE_SEED, FIRST_FEATURES_SEED, FIRST_HELD_OUT_FEATURES_SEED,
              FIRST_REFERENCE_SEED, FIRST_CONTENT_SEED, FIRST_TEST_SEED, FIRST_TRAIN_SEED,
              FIRST_SEED, FIRST_HELD_OUT_SEED]  # fmt: skip
    assert starts == sorted(starts)
    assert min(b - a for a, b in pairwise(starts)) >= 100_000
    # Looks of the proof have seeds of their own.
    assert FIRST_SEED - FIRST_TRAIN_SEED >= 500_000
    assert max(*CONTENT_SEEDS, *(style.seed for style in STYLES)) < FIRST_PICTURE_SEED


def test_confusions_are_of_labels_and_what_is_taken_for_them() -> None:
    streets = LabelledStreets.draw(FIRST_HELD_OUT_SEED, ["day", "snow"])

    class Knowing(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            assert len(images) == 2
            known = streets.labels.long().clamp(max=NUM_CLASSES - 1)
            return nn.functional.one_hot(known, NUM_CLASSES).permute(0, 3, 1, 2).float()

    class OnlyRoad(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            scores = torch.zeros(len(images), NUM_CLASSES, 4, 8)
            scores[:, 0] = 1.0
            return scores

    labelled = np.bincount(streets.labels.flatten(), minlength=256)[:NUM_CLASSES]
    assert np.array_equal(confusion_of(Knowing(), streets), np.diag(labelled))
    assert np.array_equal(confusion_of(OnlyRoad(), streets)[:, 0], labelled)
    assert mean_iou(confusion_of(Knowing(), streets)) == 100.0


def test_rare_classes_weigh_more_and_pixels_one_on_average() -> None:
    labels = torch.tensor([0] * 90 + [1] * 9 + [2] + [UNKNOWN] * 50, dtype=torch.uint8)
    weights = weights_of_classes(labels)
    assert weights.shape == (NUM_CLASSES,)
    assert weights[1] / weights[0] == pytest.approx(10**0.5)
    shares = torch.tensor([0.9, 0.09, 0.01])
    assert (weights[:3] * shares).sum() == pytest.approx(1.0)
    assert torch.isfinite(weights).all()


def test_batches_show_parts_and_whole_pictures_with_a_label_for_each_pixel() -> None:
    streets = LabelledStreets.draw(FIRST_SEED, ["day", "night", "snow", "autumn"])
    batches = batches_of(streets, SegmenterTraining(batch=8))
    images, labels = next(batches)
    assert images.shape == (8, 3, HEIGHT // 2, WIDTH // 2)
    assert labels.shape == (8, HEIGHT // 2, WIDTH // 2)
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    assert labels.max() < len(CLASSES)
    again = next(batches_of(streets, SegmenterTraining(batch=8)))
    assert torch.equal(images, again[0])
    assert not torch.equal(images, next(batches)[0])


def test_labels_are_those_of_the_pixels_that_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenter_training, "changed", lambda images, _: images)
    streets = showing_their_labels(6)
    halves = functional.avg_pool2d(streets.pictures.float() / 255.0, 2)
    whole = {half.numpy().tobytes() for pair in (halves, halves.flip(-1)) for half in pair}
    are_whole = set()
    batches = batches_of(streets, SegmenterTraining(batch=8))
    for images, labels in islice(batches, 4):
        for channel in range(3):
            assert torch.equal(images[:, channel], labels.float())
        are_whole |= {image.numpy().tobytes() in whole for image in images}
    assert are_whole == {False, True}


def showing_their_labels(count: int) -> LabelledStreets:
    """Returns pictures that are white where their label is 1, in squares that halving keeps."""
    squares = np.random.default_rng(3).integers(2, size=(count, HEIGHT // 2, WIDTH // 2))
    labels = torch.from_numpy(squares.repeat(2, 1).repeat(2, 2).astype(np.uint8))
    return LabelledStreets(255 * labels[:, None].repeat(1, 3, 1, 1), labels)


def test_the_learning_rate_grows_at_first_and_ends_at_none() -> None:
    rates = [schedule(step, 100) for step in range(1, 101)]
    assert rates.index(max(rates)) == 4
    assert rates[0] < rates[4]
    assert rates[-1] == pytest.approx(0.0)
