"""The demo's network of features tells the looks apart, and its references are new streets."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from demo.classes import Label
from demo.dataset import CONTENT_SEEDS, STYLES
from demo.feature_training import (
    FIRST_HELD_OUT_SEED,
    FIRST_SEED,
    FeatureTraining,
    Streets,
    accuracies,
    answers_loss,
    shares_of_cells,
    train_features,
)
from demo.features import NAME, NUM_FEATURES, StreetFeatures, export_features, normalised
from demo.looks import LOOKS
from demo.pictures import FIRST_SEED as FIRST_PICTURE_SEED
from demo.references import FIRST_SEED as FIRST_REFERENCE_SEED
from demo.references import reference_picture, write_references
from onnx_export.write import file_sha256

COMMITTED = Path(__file__).parents[3] / "infra/demo/features"
MAX_BYTES = 400_000


def features_of(folder: Path, images: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(folder / "features.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images})[0]


def as_images(pictures: list[Image.Image]) -> np.ndarray:
    stacked = np.stack([np.asarray(picture) for picture in pictures])
    return (stacked.transpose(0, 3, 1, 2) / 255.0).astype(np.float32)


def test_the_committed_network_is_whole_and_small() -> None:
    contract = json.loads((COMMITTED / "features.json").read_text())
    for entry in (contract, contract["data"]):
        assert entry["sha256"] == file_sha256(COMMITTED / entry["file"])
    assert (contract["name"], contract["published_fid"]) == (NAME, False)
    assert contract["num_features"] == NUM_FEATURES
    assert contract["resize"] == {"width": 256, "height": 128, "filter": "bilinear"}
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) <= MAX_BYTES


def test_the_committed_references_were_made_with_the_committed_network() -> None:
    references = sorted(COMMITTED.with_name("reference").glob("*.npz"))
    assert [path.stem for path in references] == sorted(style.look for style in STYLES)
    for path in references:
        with np.load(path, allow_pickle=False) as arrays:
            made_with = arrays["extractor_sha256"].tobytes().hex()
            assert made_with == file_sha256(COMMITTED / "features.json"), path
            assert arrays["mu"].shape == (NUM_FEATURES,)


def test_the_committed_network_tells_looks_apart() -> None:
    """Every picture is nearer to the other pictures of its own look than to those of any other."""
    looks = [style.look for style in STYLES]
    features = np.stack(
        [
            features_of(COMMITTED, as_images([reference_picture(look, i) for i in range(8)]))
            for look in looks
        ]
    )
    assert features.shape == (len(looks), 8, NUM_FEATURES)
    assert features.min() >= 0.0
    for own, pictures in enumerate(features):
        for index, picture in enumerate(pictures):
            centres = features.mean(axis=1)
            centres[own] = np.delete(pictures, index, axis=0).mean(axis=0)
            assert np.linalg.norm(centres - picture, axis=1).argmin() == own, (looks[own], index)


def test_an_exported_network_gives_the_pooled_layer(tmp_path: Path) -> None:
    checkpoint = tmp_path / "street-features.safetensors"
    train_features(checkpoint, FeatureTraining(steps=2, scenes=8, held_out=4, batch=4))
    export_features(checkpoint, tmp_path / "features")
    network = StreetFeatures().eval()
    network.load_state_dict(load_file(checkpoint))
    pictures = Streets.draw(FIRST_SEED, 3).pictures
    with torch.no_grad():
        expected = network.pool(network.trunk(normalised(pictures))).flatten(1).numpy()
    images = (pictures.permute(0, 3, 1, 2).float() / 255.0).numpy()
    features = features_of(tmp_path / "features", images)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_training_twice_gives_the_same_weights(tmp_path: Path) -> None:
    training = FeatureTraining(steps=2, scenes=8, held_out=4, batch=4, seed=5)
    for name in ("first", "second"):
        train_features(tmp_path / name, training)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_accuracy_counts_answers_and_balances_classes() -> None:
    streets = Streets.draw(FIRST_HELD_OUT_SEED, 4)

    class Knowing(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            assert len(images) == 4
            return torch.eye(4)[streets.looks], 2.0 * streets.shown - 1.0

    class Ignorant(torch.nn.Module):
        def forward(self, _: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.eye(4)[[0, 0, 0, 0]], torch.ones(streets.shown.shape)

    assert accuracies(Knowing(), streets) == (1.0, 1.0)
    assert accuracies(Ignorant(), streets) == (0.25, 0.5)
    targets = (streets.looks, streets.shown)
    images = torch.zeros(4)
    assert answers_loss(Knowing()(images), *targets) < answers_loss(Ignorant()(images), *targets)


def test_no_two_parts_of_the_demo_see_the_same_street() -> None:
    starts = [FIRST_PICTURE_SEED, FIRST_SEED, FIRST_HELD_OUT_SEED, FIRST_REFERENCE_SEED]
    assert starts == sorted(starts)
    assert min(b - a for a, b in pairwise(starts)) >= 100_000
    assert max(*CONTENT_SEEDS, *(style.seed for style in STYLES)) < FIRST_PICTURE_SEED


def test_references_are_pictures_of_the_styles_looks(tmp_path: Path) -> None:
    write_references(tmp_path / "few", 2)
    write_references(tmp_path / "more", 3)
    looks = {style.look for style in STYLES}
    assert looks == {path.name for path in (tmp_path / "more").iterdir()} == set(LOOKS) - {"day"}
    for look in looks:
        names = sorted(path.name for path in (tmp_path / "more" / look).iterdir())
        assert names == ["00001.png", "00002.png", "00003.png"]
        images = [np.asarray(Image.open(tmp_path / "more" / look / name)) for name in names]
        assert {image.shape for image in images} == {(256, 512, 3)}
        assert not np.array_equal(images[0], images[1])
        for name in names[:2]:
            few, more = (tmp_path / which / look / name for which in ("few", "more"))
            assert few.read_bytes() == more.read_bytes()


@pytest.mark.parametrize("look", sorted(LOOKS))
def test_streets_are_labelled_with_their_look(look: str) -> None:
    streets = Streets.draw(FIRST_SEED, 8)
    chosen = streets.looks == list(LOOKS).index(look)
    assert chosen.sum() == 2
    assert streets.shown.shape == (8, len(Label), 8, 16)
    assert streets.shown[:, list(Label).index(Label.SKY), 0].any()
    assert not streets.shown[:, list(Label).index(Label.SKY), -1].any()


def test_a_cells_shares_are_counted_per_class() -> None:
    ids = np.full((16, 48), Label.ROAD, np.uint8)
    ids[:4, 16:32] = Label.CAR
    shares = shares_of_cells(ids)
    assert shares.shape == (len(Label), 1, 3)
    assert shares[list(Label).index(Label.ROAD), 0].tolist() == [1.0, 0.75, 1.0]
    assert shares[list(Label).index(Label.CAR), 0].tolist() == [0.0, 0.25, 0.0]
