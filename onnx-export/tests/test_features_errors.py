"""Networks of features that cannot be exported are refused in one line that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import torchvision

from onnx_export.features.cli import main

RESNET = ("--extractor", "torchvision.models:resnet18", "--option", "num_classes=10")
AT_64 = ("--resize", "64x64")


@pytest.fixture(scope="module")
def resnet(workspace: Path) -> Path:
    path = workspace / "untrained-resnet18.pth"
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), path)
    return path


def refused(
    capsys: pytest.CaptureFixture[str], checkpoint: Path, *options: object
) -> tuple[int, str]:
    """Runs the command line; returns its exit code and its one line."""
    out = checkpoint.parent / "refused-out"
    code = main([str(a) for a in (checkpoint, "--out", out, *options)])
    line = capsys.readouterr().err.strip()
    assert "\n" not in line, line
    assert not out.exists()
    return code, line


def test_a_file_that_is_no_state_dict_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    code, line = refused(capsys, path)
    assert code == 3
    assert f"{path} is not a file: give a state dict" in line
    path.write_text("<html>not found</html>")
    code, line = refused(capsys, path)
    assert code == 3
    assert f"{path} cannot be read as a state dict" in line
    assert line.endswith(": download it again, or save the network's state_dict()")
    torch.save({"state_dict": {"a": torch.zeros(1)}}, path)
    code, line = refused(capsys, path)
    assert code == 3
    assert "save the network's state_dict()" in line
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"short")
    code, line = refused(capsys, path)
    assert code == 3
    assert f"{path} cannot be read as a state dict" in line


def test_a_file_with_code_in_it_is_not_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    torch.save({"a": Trap()}, tmp_path / "weights.pth")
    code, line = refused(capsys, tmp_path / "weights.pth")
    assert code == 3
    assert "cannot be read as a state dict" in line
    assert not (tmp_path / "sprung").exists()


def test_another_network_than_pytorch_fids_is_refused(
    capsys: pytest.CaptureFixture[str], resnet: Path
) -> None:
    code, line = refused(capsys, resnet)
    assert code == 3
    assert f"{resnet} is not pytorch-fid's Inception" in line
    assert "Missing key(s)" in line
    assert "pt_inception-2015-12-05-6726825d.pth" in line


def test_torchvisions_own_inception_is_not_pytorch_fids(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    network = torchvision.models.inception_v3(
        weights=None, num_classes=1000, aux_logits=True, init_weights=False
    )
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    code, line = refused(capsys, tmp_path / "inception.pth")
    assert code == 3
    assert "is not pytorch-fid's Inception" in line
    assert "AuxLogits" in line


def test_weights_that_do_not_fit_are_named(
    capsys: pytest.CaptureFixture[str], resnet: Path, tmp_path: Path
) -> None:
    given = (*RESNET, "--layer", "avgpool", *AT_64)
    path = tmp_path / "resnet18.pth"

    state = torch.load(resnet, weights_only=True)
    del state["layer1.0.conv1.weight"]
    torch.save(state, path)
    code, line = refused(capsys, path, *given)
    assert code == 3
    assert "lacks 1 of torchvision.models:resnet18's tensors, layer1.0.conv1.weight" in line

    state = torch.load(resnet, weights_only=True)
    torch.save(state | {"head.weight": torch.zeros(1)}, path)
    code, line = refused(capsys, path, *given)
    assert code == 3
    assert "has 1 tensors that torchvision.models:resnet18 does not have, head.weight" in line

    torch.save(state | {"fc.weight": torch.zeros(1000, 512)}, path)
    code, line = refused(capsys, path, *given)
    assert code == 3
    assert "fc.weight of shape (1000, 512), and torchvision.models:resnet18 needs (10, 512)" in line
    assert "--option NAME=VALUE" in line


def test_a_layer_that_is_not_there_is_named_with_near_ones(
    capsys: pytest.CaptureFixture[str], resnet: Path
) -> None:
    code, line = refused(capsys, resnet, *RESNET, "--layer", "average_pool", *AT_64)
    assert code == 2
    assert "--layer average_pool: torchvision.models:resnet18 has no such layer" in line
    assert "avgpool" in line


def test_a_layer_that_runs_more_than_once_is_refused(
    capsys: pytest.CaptureFixture[str], resnet: Path
) -> None:
    code, line = refused(capsys, resnet, *RESNET, "--layer", "layer1.0.relu", *AT_64)
    assert code == 3
    assert "--layer layer1.0.relu gave ['Tensor', 'Tensor']" in line


@pytest.mark.parametrize(
    ("extractor", "options", "reason"),
    [
        ("no_such_package:net", (), "install the package"),
        ("torchvision.models:resnet17", (), "has no function 'resnet17'"),
        ("torchvision.models:resnet18", ("--option", "depth=18"), "depth"),
        ("builtins:dict", (), "makes a dict"),
    ],
)
def test_a_factory_that_makes_no_network_is_named(
    capsys: pytest.CaptureFixture[str],
    resnet: Path,
    extractor: str,
    options: tuple[str, ...],
    reason: str,
) -> None:
    given = ("--extractor", extractor, *options, "--layer", "avgpool", *AT_64)
    code, line = refused(capsys, resnet, *given)
    assert code == 2
    assert f"--extractor {extractor}" in line
    assert reason in line


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--layer", "avgpool"), "--layer needs --extractor MODULE:FACTORY"),
        (("--extractor", "resnet18", "--layer", "avgpool"), "neither pytorch-fid nor"),
        ((*RESNET, *AT_64), "needs --layer"),
        ((*RESNET, "--layer", "avgpool"), "--resize WxH, or --filter none"),
        ((*RESNET, "--layer", "avgpool", *AT_64, "--filter", "none"), "contradicts --filter none"),
        ((*RESNET, "--layer", "avgpool", "--resize", "64"), "is not WIDTHxHEIGHT"),
        ((*RESNET, "--layer", "avgpool", *AT_64, "--mean", "1,2"), "is not three numbers"),
        ((*RESNET, "--layer", "avgpool", *AT_64, "--mean", "nan,0,0"), "is not three numbers"),
        ((*RESNET, "--layer", "avgpool", *AT_64, "--std", "0,1,1"), "three numbers above 0"),
        ((*RESNET, "--layer", "avgpool", *AT_64, "--std", "1,inf,1"), "is not three numbers"),
        ((*RESNET, "--layer", "avgpool", *AT_64, "--std", "1,1e-300,1"), "float32 cannot hold"),
        ((*RESNET, "--layer", "avgpool", *AT_64, "--option", "depth"), "is not NAME=VALUE"),
    ],
)
def test_contradicting_options_are_wrong_usage(
    capsys: pytest.CaptureFixture[str],
    resnet: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    reason: str,
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([str(resnet), "--out", str(tmp_path / "out"), *options])
    assert exit_.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_replaced_only_when_forced(
    capsys: pytest.CaptureFixture[str], resnet: Path, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("keep")
    given = [str(resnet), "--out", str(tmp_path), *RESNET, "--layer", "avgpool", *AT_64]
    assert main(given) == 2
    assert "is not empty: name another folder or add --force" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "keep"
    assert main([*given, "--force"]) == 2
    assert "has no features.json, so that it is no earlier export" in capsys.readouterr().err
    assert (tmp_path / "precious").read_text() == "keep"
    (tmp_path / "features.json").touch()
    assert main([*given, "--force"]) == 0
    assert not (tmp_path / "precious").exists()
    assert (tmp_path / "features.json").stat().st_size > 0


def test_a_network_is_not_replaced_by_its_own_export(
    capsys: pytest.CaptureFixture[str], resnet: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "resnet18.pth"
    shutil.copy(resnet, checkpoint)
    (tmp_path / "features.json").touch()
    given = ["--force", "--out", str(tmp_path), *RESNET, "--layer", "avgpool", *AT_64]
    assert main([str(checkpoint), *given]) == 2
    assert "has the checkpoint" in capsys.readouterr().err
    assert checkpoint.is_file()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(
    capsys: pytest.CaptureFixture[str], resnet: Path, tmp_path: Path, value: float
) -> None:
    state = torch.load(resnet, weights_only=True)
    state["layer2.0.conv1.weight"][3, 2, 1, 0] = value
    torch.save(state, tmp_path / "resnet18.pth")
    code, line = refused(capsys, tmp_path / "resnet18.pth", *RESNET, "--layer", "avgpool", *AT_64)
    assert code == 3
    assert "has layer2.0.conv1.weight with 1 of 73728 values that are not finite" in line


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("bn1.running_var", torch.full((64,), -0.5), "with a variance of -0.5"),
        ("fc.bias", torch.full((10,), 1e300, dtype=torch.float64), "that are not finite"),
        ("fc.bias", torch.ones(10, dtype=torch.int8), "fc.bias as torch.int8, and"),
        ("conv1.weight", torch.full((64, 3, 7, 7), 3e38), "features that are not finite"),
        ("bn1.weight", torch.zeros(64), "the same features for two different pictures"),
    ],
)
def test_weights_that_make_no_features_are_refused(
    capsys: pytest.CaptureFixture[str],
    resnet: Path,
    tmp_path: Path,
    name: str,
    tensor: torch.Tensor,
    reason: str,
) -> None:
    state = torch.load(resnet, weights_only=True)
    torch.save(state | {name: tensor}, tmp_path / "resnet18.pth")
    code, line = refused(capsys, tmp_path / "resnet18.pth", *RESNET, "--layer", "avgpool", *AT_64)
    assert code == 3
    assert reason in line


def test_a_pointer_of_git_lfs_is_no_state_dict(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\nsize 46830571\n"
    (tmp_path / "resnet18.pth").write_text(pointer)
    code, line = refused(capsys, tmp_path / "resnet18.pth", *RESNET, "--layer", "avgpool", *AT_64)
    assert code == 3
    assert "resnet18.pth is a Git LFS pointer" in line
