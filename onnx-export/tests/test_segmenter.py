"""Exported segmenters predict what the packages they come from predict."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from downstream.classes import CLASSES
from downstream.networks import UNet
from onnx_export.factory import Factory
from onnx_export.segmenter.cli import main
from onnx_export.segmenter.folder import MASKS, Folder
from onnx_export.segmenter.network import NOT_JUDGED, MaskScores
from onnx_export.segmenter.sources import state_sha256
from tests.nearest_colour import FIXTURE, NAME, write_fixture
from tests.networks import Exported, liven, pictures
from tests.segmenters import (
    LRASPP,
    MEAN,
    NAMES,
    PREPROCESSOR,
    STD,
    TRAIN_IDS,
    AlwaysAnswers,
    Answers,
    assert_same_classes,
    highest,
    lraspp,
    normalised,
    of_precision,
    write_lraspp,
    write_mask2former,
    write_segformer,
)

SIZES = [(2, 64, 96), (1, 75, 131)]


def exported(out: Path, *options: object) -> Exported:
    """Exports by the command line."""
    assert main([str(option) for option in (*options, "--out", out)]) == 0
    return Exported(out, "segmenter")


@pytest.fixture(scope="module")
def weights(workspace: Path) -> Path:
    return write_lraspp(workspace / "lraspp.pth")


@pytest.fixture(scope="module")
def of_torchvision(workspace: Path, weights: Path) -> Exported:
    return exported(
        workspace / "lraspp",
        *("--torchvision", LRASPP, "--weights", weights, "--classes", "cityscapes"),
    )


@pytest.fixture(scope="module")
def segformer(workspace: Path) -> Path:
    return write_segformer(workspace / "segformer")


@pytest.fixture(scope="module")
def of_transformers(workspace: Path, segformer: Path) -> Exported:
    return exported(workspace / "segformer-onnx", "--transformers", segformer)


@pytest.mark.parametrize("shape", SIZES)
def test_a_network_of_torchvision_predicts_as_it_does_there(
    of_torchvision: Exported, shape: tuple[int, int, int]
) -> None:
    images = pictures(50, shape[0], 3, *shape[1:])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    network = lraspp(19)
    given = (torch.from_numpy(images) - mean) / std
    expected = highest(lambda: network(given)["out"], images)
    assert_same_classes(of_torchvision(images), expected)


@pytest.mark.parametrize("shape", SIZES)
def test_a_segformer_predicts_as_transformers_says(
    of_transformers: Exported, segformer: Path, shape: tuple[int, int, int]
) -> None:
    from transformers import SegformerForSemanticSegmentation, SegformerImageProcessor

    images = pictures(51, shape[0], 3, *shape[1:])
    network = SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    with torch.no_grad():
        answer = network(normalised(images))
    processor = SegformerImageProcessor()
    found = processor.post_process_semantic_segmentation(answer, [shape[1:]] * shape[0])
    assert_same_classes(of_transformers(images), np.stack(found))


def test_a_mask2former_predicts_as_transformers_says(tmp_path: Path) -> None:
    from transformers import Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessor

    folder = write_mask2former(tmp_path / "mask2former")
    graph = exported(tmp_path / "out", "--transformers", folder, "--resize", "64x32")
    network = Mask2FormerForUniversalSegmentation.from_pretrained(folder).eval()
    processor = Mask2FormerImageProcessor()
    for batch, *size in SIZES:
        images = pictures(52, batch, 3, *size)
        resized = functional.interpolate(normalised(images), (32, 64), mode="bilinear")
        with torch.no_grad():
            answer = network(resized)
        found = processor.post_process_semantic_segmentation(answer, [tuple(size)] * batch)
        assert_same_classes(graph(images), np.stack(found))


@pytest.mark.parametrize("kind", sorted(MASKS))
def test_masks_are_summed_as_transformers_sums_them(kind: str) -> None:
    import transformers

    processor = {
        "Mask2FormerForUniversalSegmentation": transformers.Mask2FormerImageProcessor,
        "MaskFormerForInstanceSegmentation": transformers.MaskFormerImageProcessor,
    }[kind]()
    generator = torch.Generator().manual_seed(55)
    answer = SimpleNamespace(
        masks_queries_logits=torch.randn(2, 9, 6, 8, generator=generator),
        class_queries_logits=torch.randn(2, 9, 5, generator=generator),
    )
    images = np.zeros((2, 3, 31, 46), np.float32)
    scores = MaskScores(AlwaysAnswers(answer), MASKS[kind])
    expected = processor.post_process_semantic_segmentation(answer, [(31, 46)] * 2)
    assert_same_classes(
        highest(lambda: scores(torch.from_numpy(images)), images), np.stack(expected)
    )


@pytest.mark.parametrize("shape", SIZES)
def test_any_network_predicts_as_its_factory_makes_it(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    network, file = liven(UNet(8), 43), tmp_path / "unet.pth"
    torch.save(network.state_dict(), file)
    graph = exported(
        tmp_path / "out",
        *("--factory", "downstream.networks:UNet", "--option", "width=8", "--weights", file),
        *("--classes", "cityscapes", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25"),
        *("--resize", "48x40", "--name", "a small one"),
    )
    assert graph.contract["name"] == "a small one"
    assert graph.contract["resize"] == {"width": 48, "height": 40, "filter": "bilinear"}
    assert graph.contract["normalisation"] == {"mean": [0.5] * 3, "std": [0.25] * 3}
    images = pictures(53, shape[0], 3, *shape[1:])
    resized = functional.interpolate(torch.from_numpy(images), (40, 48), mode="bilinear")
    expected = highest(lambda: network((resized - 0.5) / 0.25), images)
    assert_same_classes(graph(images), expected)


def test_scores_may_be_an_entry_of_the_answer_and_an_export_has_the_same_bytes_again(
    tmp_path: Path,
) -> None:
    network, file = liven(Answers(), 44), tmp_path / "answers.pth"
    torch.save(network.state_dict(), file)
    given = ("--factory", "tests.segmenters:Answers", "--classes", "cityscapes", "--weights", file)
    graph = exported(tmp_path / "out", *given)
    images = pictures(54, 2, 3, 31, 46)
    expected = highest(lambda: network(torch.from_numpy(images))["out"], images)
    assert_same_classes(graph(images), expected)
    assert graph.contract["source"]["name"] == "answers.pth"
    again = exported(tmp_path / "again", *given)
    for path in graph.folder.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes(), path.name


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_network_of_another_precision_predicts_as_it_does_in_float32(
    tmp_path: Path, dtype: str
) -> None:
    given = ("--factory", "tests.segmenters:of_precision", "--option", f"dtype={dtype}")
    graph = exported(tmp_path / "out", *given, "--classes", "cityscapes")
    made = of_precision(dtype)
    assert graph.contract["source"]["sha256"] == state_sha256(made.state_dict())
    images = pictures(56, 2, 3, 31, 46)
    expected = highest(lambda: made.float()(torch.from_numpy(images))["out"], images)
    assert_same_classes(graph(images), expected)


def test_weights_are_not_rounded_to_the_precision_of_their_factory(tmp_path: Path) -> None:
    state, file = of_precision("float32").state_dict(), tmp_path / "answers.pth"
    torch.save(state, file)
    factory = Factory("--factory", "tests.segmenters:of_precision", {"dtype": "bfloat16"})
    found = factory.load(file).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_the_digest_of_weights_is_of_their_bytes() -> None:
    state = {
        "matrix": torch.arange(12.0).view(3, 4).T,
        "count": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "nothing": torch.zeros(0, 3),
    }
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    assert state_sha256(state) == digest.hexdigest()
    one, other = ({"w": torch.tensor([of], dtype=torch.bfloat16)} for of in (1.0, 2.0))
    assert state_sha256(one) != state_sha256(other)


def test_the_segmenters_contract_describes_the_file(
    of_torchvision: Exported, weights: Path
) -> None:
    contract, session = of_torchvision.contract, of_torchvision.session
    assert contract["format_version"] == 1
    assert contract["producer"] == "onnx_export 0.1.0"
    assert contract["name"] == f"torchvision {LRASPP}"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert contract["source"] == {"name": "lraspp.pth", "sha256": digest}
    assert contract["resize"] is None
    assert contract["normalisation"] == {"mean": list(MEAN), "std": list(STD)}
    assert contract["classes"] == [
        {"name": of.name, "train_id": index} for index, of in enumerate(CLASSES)
    ]
    images = {"name": "images", "dtype": "float32", "shape": ["batch", 3, "height", "width"]}
    classes = {"name": "classes", "dtype": "int64", "shape": ["batch", "height", "width"]}
    assert (contract["inputs"], contract["outputs"]) == ([images], [classes])
    assert session.get_inputs()[0].shape == images["shape"]
    assert session.get_outputs()[0].shape == classes["shape"]
    for entry in (contract, contract["data"]):
        found = hashlib.sha256((of_torchvision.folder / entry["file"]).read_bytes()).hexdigest()
        assert entry["sha256"] == found
    names = {path.name for path in of_torchvision.folder.iterdir()}
    assert names == {"segmenter.json", "segmenter.onnx", "segmenter.data"}


def test_a_folders_own_names_and_numbers_are_taken(of_transformers: Exported) -> None:
    contract = of_transformers.contract
    assert contract["name"] == "transformers segformer"
    assert contract["classes"] == [
        {"name": name, "train_id": train_id}
        for name, train_id in zip(NAMES, TRAIN_IDS, strict=True)
    ]
    assert contract["normalisation"] == {
        "mean": PREPROCESSOR["image_mean"],
        "std": PREPROCESSOR["image_std"],
    }


def test_the_digest_of_a_folder_is_of_what_is_read_of_it(
    of_transformers: Exported, segformer: Path
) -> None:
    def digest() -> str:
        return Folder(segformer).load(None).source.sha256

    first = of_transformers.contract["source"]
    assert first == {"name": "segformer", "sha256": digest()}
    (segformer / "README.md").write_text("of no matter")
    assert digest() == first["sha256"]
    for name in ("preprocessor_config.json", "config.json"):
        path = segformer / name
        before = path.read_text()
        path.write_text(before + "\n")
        assert digest() != first["sha256"], name
        path.write_text(before)
    assert digest() == first["sha256"]


def test_the_fixture_is_what_its_script_writes(tmp_path: Path) -> None:
    write_fixture(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (FIXTURE / path.name).read_bytes(), path.name


@pytest.mark.parametrize("batch", [1, 2])
def test_the_fixture_predicts_the_nearest_colour(batch: int) -> None:
    fixture = Exported(FIXTURE, "segmenter")
    assert fixture.contract["name"] == NAME
    colours = np.array([*(of.colour for of in CLASSES), (0, 0, 0)], np.float32)
    rng = np.random.default_rng(7)
    expected = rng.integers(len(colours), size=(batch, 9, 14))
    pixels = colours[expected] + rng.uniform(-4, 4, (*expected.shape, 3))
    images = np.clip(pixels / 255.0, 0, 1).transpose(0, 3, 1, 2).astype(np.float32)
    assert np.array_equal(fixture(images), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_pixel_with_a_score_that_is_not_finite_has_no_class(bad: float) -> None:
    fixture = Exported(FIXTURE, "segmenter")
    colours = np.array([of.colour for of in CLASSES], np.float32) / 255.0
    images = colours.T.reshape(1, 3, 1, -1).copy()
    images[0, 0, 0, 3] = bad
    expected = np.arange(len(CLASSES))
    expected[3] = NOT_JUDGED
    assert fixture(images).tolist() == [[expected.tolist()]]


def test_the_first_of_equal_scores_is_taken(tmp_path: Path) -> None:
    """Three classes score alike for a grey pixel, the second and third for one without red."""
    network = torch.nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        network.weight.copy_(torch.eye(3)[:, :, None, None])
        network.bias.zero_()  # type: ignore[union-attr]
    file, table = tmp_path / "own.pth", tmp_path / "classes.json"
    torch.save(network.state_dict(), file)
    table.write_text(json.dumps({"0": "road", "1": "sky", "2": "car"}))
    graph = exported(
        tmp_path / "out",
        *("--factory", "torch.nn:Conv2d", "--option", "in_channels=3", "--option"),
        *("out_channels=3", "--option", "kernel_size=1", "--weights", file, "--classes", table),
    )
    grey, no_red = np.full(3, 0.5, np.float32), np.array([0, 0.5, 0.5], np.float32)
    images = np.stack([grey, no_red, grey[::-1]]).T.reshape(1, 3, 1, 3)
    assert graph(np.ascontiguousarray(images)).tolist() == [[[0, 1, 0]]]
