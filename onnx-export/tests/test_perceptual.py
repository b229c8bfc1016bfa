"""The exported LPIPS gives what the `lpips` package gives."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import lpips
import numpy as np
import pytest
import torch
import torchvision

from onnx_export.perceptual.cli import main
from onnx_export.perceptual.network import is_published
from tests.networks import Exported, liven, pictures

BACKBONES = {
    "alex": torchvision.models.alexnet,
    "vgg": torchvision.models.vgg16,
    "squeeze": torchvision.models.squeezenet1_1,
}


def backbone(net: str) -> torch.nn.Module:
    """Returns torchvision's network, seeded, with a classifier of nothing: it is large."""
    with torch.device("meta"):
        network = BACKBONES[net](weights=None)
    network.classifier = torch.nn.Identity()
    return liven(network.to_empty(device="cpu"), 64)


def reference(net: str, monkeypatch: pytest.MonkeyPatch) -> lpips.LPIPS:
    """Returns the package's own network, given the backbone where it would have downloaded it."""
    made = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}[net]
    monkeypatch.setattr(torchvision.models, made, lambda **_: backbone(net))
    return lpips.LPIPS(net=net, verbose=False)


@pytest.mark.parametrize("net", BACKBONES)
def test_the_distance_equals_the_packages(
    net: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = tmp_path / f"{net}.pth", tmp_path / "out"
    state = backbone(net).state_dict() | {"classifier.1.weight": torch.zeros(2, 2)}
    torch.save(state, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["--net", net, "--backbone", str(weights), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    exported = Exported(out, "perceptual")
    expected_of = reference(net, monkeypatch)
    for shape in ((1, 3, 64, 64), (3, 3, 75, 101)):
        first, second = pictures(1, *shape), pictures(2, *shape)
        with torch.no_grad():
            pair = (torch.from_numpy(first), torch.from_numpy(second))
            expected = expected_of(*pair, normalize=True)[:, 0, 0, 0].numpy()
        distance = exported(first, second)
        assert distance.shape == (shape[0],)
        assert expected.min() > 0.01
        np.testing.assert_allclose(distance, expected, rtol=1e-4)
        assert np.abs(exported(first, first)).max() == 0.0


def test_the_perceptual_contract_describes_the_file(tmp_path: Path) -> None:
    weights, out = tmp_path / "alexnet.pth", tmp_path / "out"
    torch.save(backbone("alex").state_dict(), weights)
    assert main(["--net", "alex", "--backbone", str(weights), "--out", str(out)]) == 0
    contract = Exported(out, "perceptual").contract
    image = {"dtype": "float32", "shape": ["batch", 3, "height", "width"]}
    assert contract == {
        "format_version": 1,
        "producer": "onnx_export 0.1.0",
        "name": "LPIPS v0.1 alex",
        "source": {
            "name": "alexnet.pth",
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        },
        "published_lpips": False,
        "resize": None,
        "file": "perceptual.onnx",
        "sha256": hashlib.sha256((out / "perceptual.onnx").read_bytes()).hexdigest(),
        "data": {
            "file": "perceptual.data",
            "sha256": hashlib.sha256((out / "perceptual.data").read_bytes()).hexdigest(),
        },
        "inputs": [{"name": name, **image} for name in ("first", "second")],
        "outputs": [{"name": "distance", "dtype": "float32", "shape": ["batch"]}],
    }


def test_only_torchvisions_first_backbones_give_published_distances() -> None:
    rest = 56 * "0"
    assert is_published("alex", "7be5be79" + rest)
    assert is_published("alex", "4df8aa71" + rest)
    assert is_published("vgg", "397923af" + rest)
    assert is_published("squeeze", "b8a52dc0" + rest)
    assert is_published("squeeze", "f364aa15" + rest)
    assert not is_published("alex", "397923af" + rest)
    assert not is_published("alex", rest + "7be5be79")


def test_another_backbone_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    weights, out = tmp_path / "squeezenet.pth", tmp_path / "out"
    torch.save(backbone("squeeze").state_dict(), weights)
    given = ["--backbone", str(weights), "--out", str(out)]
    assert main(["--net", "alex", *given]) == 3
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    assert f"{weights} lacks" in line
    assert "give torchvision's alexnet-owt-7be5be79.pth, or say with --net" in line
    torch.save({"weight": torch.zeros(1)}, weights)
    assert main(["--net", "alex", *given]) == 3
    assert "has no tensors named features.*" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "has features.0.weight with 23232 of 23232 values that are not finite"),
        (0.0, "gives the distances"),
    ],
)
def test_a_backbone_that_tells_nothing_apart_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, value: float, reason: str
) -> None:
    weights, out = tmp_path / "alexnet.pth", tmp_path / "out"
    state = {name: torch.zeros_like(t) for name, t in backbone("alex").state_dict().items()}
    state["features.0.weight"] += value
    torch.save(state, weights)
    assert main(["--net", "alex", "--backbone", str(weights), "--out", str(out)]) == 3
    assert reason in capsys.readouterr().err
    assert not out.exists()
