"""Segmenters that cannot be exported are refused in one line that says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from onnx_export import arguments
from onnx_export.errors import CheckpointError
from onnx_export.segmenter.cli import main
from onnx_export.segmenter.export import refuse_other_classes
from onnx_export.segmenter.folder import Folder
from tests.networks import Exported
from tests.refusals import change, cut, without
from tests.segmenters import LRASPP, lraspp, write_lraspp, write_mask2former, write_segformer

CITYSCAPES = ("--classes", "cityscapes")


@pytest.fixture(scope="module")
def weights(workspace: Path) -> Path:
    return write_lraspp(workspace / "lraspp-of-errors.pth")


@pytest.fixture(scope="module")
def whole(workspace: Path) -> Path:
    return write_segformer(workspace / "segformer-of-errors")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A folder of its own for a test that damages it."""
    return shutil.copytree(whole, tmp_path / "segformer")


def refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, *options: object
) -> tuple[int, str]:
    """Runs the command line; returns its exit code and its one line."""
    out = tmp_path / "refused-out"
    code = main([str(option) for option in (*options, "--out", out)])
    line = capsys.readouterr().err.strip()
    assert "\n" not in line, line
    assert not out.exists()
    return code, line


def test_classes_that_are_not_said_are_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    code, line = refused(capsys, tmp_path, "--torchvision", LRASPP, "--weights", weights)
    assert code == 2
    assert f"torchvision {LRASPP} has 19 classes without names" in line
    assert "--classes TABLE, or ade20k, cityscapes, voc" in line


def test_a_network_that_torchvision_does_not_have_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    given = ("--torchvision", "lraspp_resnet18", "--weights", weights, *CITYSCAPES)
    code, line = refused(capsys, tmp_path, *given)
    assert code == 2
    assert "--torchvision lraspp_resnet18 is none of its segmenters: deeplabv3_mobilenet" in line
    assert line.endswith(": give one of these, or another by --factory")


def test_weights_of_another_network_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    given = ("--torchvision", "deeplabv3_mobilenet_v3_large", "--weights", weights, *CITYSCAPES)
    code, line = refused(capsys, tmp_path, *given)
    assert code == 3
    assert f"{weights} has no classifier.4.weight" in line
    state = lraspp(19).state_dict()
    del state["classifier.high_classifier.bias"]
    torch.save(state, tmp_path / "cut.pth")
    given = ("--torchvision", LRASPP, "--weights", tmp_path / "cut.pth", *CITYSCAPES)
    code, line = refused(capsys, tmp_path, *given)
    assert code == 3
    assert f"lacks 1 of {LRASPP}'s tensors, classifier.high_classifier.bias" in line


@pytest.mark.parametrize(
    ("factory", "code", "reason"),
    [
        ("no_such_package:net", 2, "--factory no_such_package:net: No module named"),
        ("tests.segmenters:none", 2, "tests.segmenters has no function 'none'"),
        ("builtins:dict", 2, "makes a dict: name a factory of torch modules"),
        ("tests.segmenters:broken_scores", 3, "answers (2, 3) to a batch of images, expected"),
        ("tests.segmenters:halves", 3, "fails on images of 160 x 96"),
        ("tests.segmenters:flat", 3, "gives the same scores for every pixel"),
    ],
)
def test_a_factory_that_makes_no_segmenter_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, factory: str, code: int, reason: str
) -> None:
    found, line = refused(capsys, tmp_path, "--factory", factory, *CITYSCAPES)
    assert (found, reason in line) == (code, True), line


def test_a_network_for_one_size_is_exported_at_that_size(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ("--factory", "tests.segmenters:halves", *CITYSCAPES)
    assert "--resize WxH" in refused(capsys, tmp_path, *given)[1]
    torch.manual_seed(1)
    assert main([*given, "--resize", "16x16", "--out", str(tmp_path / "out")]) == 0


def test_a_network_that_is_traced_at_one_size_alone_is_exported_at_that_size(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["--factory", "tests.segmenters:ByNumbers", *CITYSCAPES, "--out", str(tmp_path / "out")]
    assert main(given) == 3
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr().err.splitlines()[1:] == [
        "onnx_export.segmenter: tests.segmenters:ByNumbers can only be traced for images of "
        "[batch, 3, 96, 160] and not for any size: give the size it was made for with --resize "
        "WxH, if it is of one size, or wrap it in a --factory"
    ]
    assert main([*given, "--resize", "24x16"]) == 0
    images = np.random.default_rng(5).random((1, 3, 31, 46), np.float32)
    assert Exported(tmp_path / "out", "segmenter")(images).shape == (1, 31, 46)


def test_a_network_that_cannot_be_traced_is_told_with_what_helps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ("--factory", "tests.segmenters:ByWhatItSees", *CITYSCAPES, "--out", tmp_path / "out")
    assert main([str(option) for option in given]) == 3
    line = capsys.readouterr().err.splitlines()[-1]
    assert "tests.segmenters:ByWhatItSees cannot be traced: " in line
    assert line.endswith(", or wrap it in a --factory")


def test_a_network_of_masks_is_refused_without_a_size(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = write_mask2former(tmp_path / "mask2former")
    capsys.readouterr()
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert code == 2
    assert "transformers mask2former is a network of masks" in line
    assert "--resize WxH" in line


def test_weights_that_are_not_finite_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for value, reason in ((float("nan"), "values that are not finite"), (3e38, "not finite for")):
        state = lraspp(19).state_dict()
        state["classifier.low_classifier.weight"].fill_(value)
        torch.save(state, tmp_path / "w.pth")
        given = ("--torchvision", LRASPP, "--weights", tmp_path / "w.pth", *CITYSCAPES)
        code, line = refused(capsys, tmp_path, *given)
        assert (code, reason in line) == (3, True), line


def test_more_classes_than_can_be_read_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ("--factory", "tests.segmenters:Answers", "--option", "num_classes=1025", *CITYSCAPES)
    code, line = refused(capsys, tmp_path, *given)
    assert code == 3
    assert "has 1025 classes, and at most 1024 can be read" in line


def test_half_a_folder_is_refused_naming_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    missing = tmp_path / "missing"
    assert f"{missing} is not a folder" in refused(capsys, tmp_path, "--transformers", missing)[1]
    cut(folder / "model.safetensors", 8)
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert (code, "model.safetensors is truncated" in line) == (3, True), line
    (folder / "model.safetensors").unlink()
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert (code, "download the weights" in line) == (3, True), line
    (folder / "preprocessor_config.json").unlink()
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert (code, "give --mean and --std" in line) == (2, True), line
    (folder / "config.json").unlink()
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert (code, "config.json is missing" in line) == (3, True), line


def test_what_the_folder_says_is_not_said_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    given = ("--transformers", folder, "--mean", "0,0,0", "--std", "1,1,1")
    code, line = refused(capsys, tmp_path, *given)
    assert code == 2
    assert "preprocessor_config.json says what the network's input is to be" in line


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"architectures": ["SegformerForImageClassification"]}, "expected one ...ForSemantic"),
        ({"architectures": None}, "has the architectures None"),
        ({"architectures": ["NewForSemanticSegmentation"]}, "does not have: give another network"),
        ({"id2label": {"0": "road", "2": "sky"}}, "not one name for each index from 0 on"),
        ({"id2label": ["road", "sky"]}, "not one name for each index from 0 on"),
        ({"depths": [1, 1, 1, 2]}, "config.json and its weights belong to different models"),
    ],
)
def test_a_configuration_of_something_else_is_refused(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    folder: Path,
    settings: dict[str, object],
    reason: str,
) -> None:
    change(folder / "config.json", **settings)
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert (code, reason in line) == (3, True), line


def test_a_class_that_cityscapes_does_not_have_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    names = json.loads((folder / "config.json").read_text())["id2label"]
    change(folder / "config.json", id2label=names | {"3": "tree"})
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert code == 2
    assert "transformers segformer: class 3 ('tree') is no class of Cityscapes" in line
    assert "give --classes TABLE" in line


def test_a_folder_whose_preprocessor_flips_channels_unsaid_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    change(folder / "preprocessor_config.json", image_processor_type="MobileViTImageProcessor")
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert (code, "wrap the network in a --factory that flips them" in line) == (3, True), line
    change(folder / "preprocessor_config.json", do_flip_channel_order=False)
    assert Folder(folder).load(None).normalisation.std == (0.2, 0.25, 0.3)


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_a_file_that_is_too_deep_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path, file: str
) -> None:
    (folder / file).write_text('{"a": ' + 100_000 * "[" + 100_000 * "]" + "}")
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert code == 3
    assert f"{folder / file} is not JSON (maximum recursion depth exceeded" in line


def test_a_preprocessor_without_numbers_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, folder: Path
) -> None:
    without(folder / "preprocessor_config.json", "image_std")
    code, line = refused(capsys, tmp_path, "--transformers", folder)
    assert (code, "preprocessor_config.json has image_std as None" in line) == (3, True), line


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "one of the arguments --torchvision --transformers --factory is required"),
        (("--torchvision", LRASPP), "--torchvision needs --weights FILE"),
        (("--torchvision", LRASPP, "--factory", "a:b"), "not allowed with"),
        (("--transformers", "d", "--weights", "w.pth"), "--weights contradicts --transformers"),
        (("--transformers", "d", "--option", "a=1"), "--option needs --factory"),
        (("--factory", "a:b", "--mean", "0,0,0"), "--mean and --std go together"),
        (("--factory", "a:b", "--std", "0,1,1", "--mean", "0,0,0"), "three numbers above 0"),
        (
            ("--factory", "a:b", "--mean", "0,-1e300,0", "--std", "1,1,1"),
            "'0,-1e300,0' has a number that float32 cannot hold: expected none beyond 3.4e+38",
        ),
        (
            ("--factory", "a:b", "--mean", "0,0,0", "--std", "1,1e300,1"),
            "'1,1e300,1' has a number that float32 cannot hold: expected none beyond 3.4e+38",
        ),
        (
            ("--factory", "a:b", "--mean", "0,0,0", "--std", "1,1,1e-300"),
            "'1,1,1e-300' has a number that float32 cannot hold: expected none below 1.2e-38",
        ),
        (("--factory", "a"), "'a' is not MODULE:FACTORY"),
        (("--factory", "a:b", "--resize", "0x4"), "is not WIDTHxHEIGHT"),
    ],
)
def test_contradicting_options_are_wrong_usage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, options: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([*options, "--out", str(tmp_path / "out")])
    assert exit_.value.code == 2
    assert reason in capsys.readouterr().err


def test_the_bounds_of_arguments_are_those_of_float32() -> None:
    bounds = torch.finfo(torch.float32)
    assert (bounds.tiny, bounds.max) == (arguments.SMALLEST, arguments.LARGEST)
    for bound in (str(arguments.SMALLEST), str(arguments.LARGEST)):
        assert arguments.spread(f"1,1,{bound}")[2] == float(bound)


def test_a_folder_with_something_in_it_is_replaced_only_when_forced(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("keep")
    given = ["--factory", "tests.nearest_colour:nearest_colour", "--out", str(tmp_path)]
    table = tmp_path.parent / f"{tmp_path.name}.json"
    table.write_text(json.dumps({str(index): min(index, 18) for index in range(20)}))
    given += ["--classes", str(table)]
    assert main(given) == 2
    assert "is not empty: name another folder or add --force" in capsys.readouterr().err
    assert main([*given, "--force"]) == 2
    assert "has no segmenter.json, so that it is no earlier export" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "keep"
    (tmp_path / "segmenter.json").touch()
    assert main([*given, "--force"]) == 0
    assert not (tmp_path / "precious").exists()


def test_a_folder_is_not_replaced_by_its_own_export(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "segmenter.json").touch()
    assert main(["--transformers", str(folder), "--out", str(folder), "--force"]) == 2
    assert "has the checkpoint" in capsys.readouterr().err
    assert (folder / "config.json").is_file()


def test_a_graph_that_predicts_something_else_is_refused() -> None:
    scores = np.zeros((2, 3, 40, 50), np.float32)
    scores[:, 0] = 1.0
    scores[1, 1] = 1.0 - 1e-5
    expected = np.zeros((2, 40, 50), np.int64)
    found = expected.copy()
    found[1] = 1  # as good as equal
    found[0, 0, :4] = 1
    refuse_other_classes("segmenter", found, expected, scores)
    found[0, 0, 4] = 1
    with pytest.raises(CheckpointError, match=r"predicts another class .* for 0\.12% of pixels"):
        refuse_other_classes("segmenter", found, expected, scores)
    with pytest.raises(CheckpointError, match=r"gives \(1, 40, 50\), and the checkpoint \(2, 40"):
        refuse_other_classes("segmenter", found[:1], expected, scores)
