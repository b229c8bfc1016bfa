"""Exported networks of features give what the packages they come from give."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from pytorch_fid import fid_score, inception
from safetensors.torch import save_file

from onnx_export.features.adapter import Adapter
from onnx_export.features.cli import main
from onnx_export.features.export import Settings, export
from onnx_export.features.inception import PUBLISHED_SHA256_PREFIX, WEIGHTS_NAME
from onnx_export.weights import StateDict
from tests.networks import Exported, liven, patches, pictures

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def state() -> StateDict:
    """Seeded weights with the names and shapes of pytorch-fid's file."""
    network = torchvision.models.inception_v3(
        weights=None, num_classes=1008, aux_logits=False, init_weights=False
    )
    tensors = liven(network, 299).state_dict()
    return {key: tensor for key, tensor in tensors.items() if "num_batches" not in key}


@pytest.fixture(scope="module")
def checkpoint(state: StateDict, workspace: Path) -> Path:
    path = workspace / "inception.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path, workspace: Path) -> Exported:
    export(Settings(checkpoint, workspace / "inception"))
    return Exported(workspace / "inception", "features")


@pytest.fixture(scope="module")
def resnet(workspace: Path) -> Path:
    path = workspace / "resnet18.pth"
    network = liven(torchvision.models.resnet18(num_classes=10), 18)
    torch.save(network.state_dict(), path)
    return path


def resnet18(path: Path) -> torch.nn.Module:
    network = torchvision.models.resnet18(num_classes=10)
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


@pytest.mark.parametrize("size", [(64, 96), (361, 427)])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_inception_equals_pytorch_fids(
    exported: Exported,
    state: StateDict,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    batch: int,
) -> None:
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: state)
    reference = inception.InceptionV3([3]).eval()
    images = pictures(batch, batch, 3, *size)
    with torch.no_grad():
        expected = reference(torch.from_numpy(images))[0][:, :, 0, 0].numpy()
    features = exported(images)
    assert features.shape == (batch, 2048)
    assert expected.std() > 0.01
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4 * expected.std())


def test_the_features_contract_describes_the_file(exported: Exported, checkpoint: Path) -> None:
    contract, session = exported.contract, exported.session
    assert contract["format_version"] == 1
    assert contract["producer"] == "onnx_export 0.1.0"
    assert contract["name"] == "pytorch-fid Inception-v3 pool3"
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert contract["source"] == {"name": "inception.pth", "sha256": digest}
    assert contract["published_fid"] is False
    assert contract["resize"] == {"width": 299, "height": 299, "filter": "bilinear"}
    assert contract["num_features"] == 2048
    images = {"name": "images", "dtype": "float32", "shape": ["batch", 3, "height", "width"]}
    assert contract["inputs"] == [images]
    features = {"name": "features", "dtype": "float32", "shape": ["batch", 2048]}
    assert contract["outputs"] == [features]
    assert session.get_inputs()[0].shape == images["shape"]
    assert session.get_outputs()[0].shape == features["shape"]
    for entry in (contract, contract["data"]):
        found = hashlib.sha256((exported.folder / entry["file"]).read_bytes()).hexdigest()
        assert entry["sha256"] == found
    names = {p.name for p in exported.folder.iterdir()}
    assert names == {"features.json", "features.onnx", "features.data"}


def test_only_pytorch_fids_own_file_gives_published_figures(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the digest made up: the file itself is too large to keep here."""
    from onnx_export.features import inception as ours

    assert WEIGHTS_NAME == "pt_inception-2015-12-05-6726825d.pth"
    assert PUBLISHED_SHA256_PREFIX == "6726825d"
    for digest, published in (("6726825d" + 56 * "0", True), (56 * "0" + "6726825d", False)):
        monkeypatch.setattr(ours, "file_sha256", lambda _, digest=digest: digest)
        assert ours.load_inception(checkpoint).published_fid is published


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_a_torchvision_network_gives_its_layers_mean(
    resnet: Path, tmp_path: Path, name: str
) -> None:
    code = main(
        [str(resnet), "--out", str(tmp_path / "out"), "--extractor", "torchvision.models:resnet18",
         "--option", "num_classes=10", "--layer", "layer4", "--resize", "96x64", "--filter", name,
         "--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)),
         "--name", "a small one"]
    )  # fmt: skip
    assert code == 0
    exported = Exported(tmp_path / "out", "features")
    assert exported.contract["name"] == "a small one"
    assert exported.contract["num_features"] == 512
    assert exported.contract["resize"] == {"width": 96, "height": 64, "filter": name}
    assert exported.contract["published_fid"] is False

    images = pictures(8, 3, 3, 150, 111)
    network = resnet18(resnet)
    network.fc = torch.nn.Identity()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    resized = torch.nn.functional.interpolate(torch.from_numpy(images), (64, 96), mode=name)
    with torch.no_grad():
        expected = network((resized - mean) / std).numpy()
    np.testing.assert_allclose(exported(images), expected, rtol=1e-4, atol=1e-4 * expected.std())


def test_a_network_for_any_size_is_not_resized(resnet: Path, tmp_path: Path) -> None:
    weights = tmp_path / "resnet18.safetensors"
    save_file(torch.load(resnet, weights_only=True), weights)
    adapter = Adapter("torchvision.models:resnet18", "avgpool", None, options={"num_classes": 10})
    export(Settings(weights, tmp_path / "out", adapter))
    exported = Exported(tmp_path / "out", "features")
    assert exported.contract["resize"] is None
    assert exported.contract["name"] == "torchvision.models:resnet18 avgpool"
    network = resnet18(resnet)
    network.fc = torch.nn.Identity()
    for shape in ((1, 3, 64, 64), (2, 3, 97, 131)):
        images = pictures(9, *shape)
        with torch.no_grad():
            expected = network(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(
            exported(images), expected, rtol=1e-4, atol=1e-4 * expected.std()
        )


def test_a_layer_of_tokens_is_flattened_at_one_size_and_refused_at_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = tmp_path / "patches.safetensors", tmp_path / "out"
    network = liven(patches(), 3)
    save_file(network.state_dict(), weights)
    given = [str(weights), "--out", str(out), "--extractor", "tests.networks:patches"]
    assert main([*given, "--layer", "1", "--filter", "none"]) == 3
    error = capsys.readouterr().err
    assert (
        "gives more features for larger images: give the size it was made for with --resize WxH"
        in error
    )
    assert not out.exists()

    assert main([*given, "--layer", "1", "--resize", "40x24"]) == 0
    exported, images = Exported(out, "features"), pictures(10, 2, 3, 24, 40)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).flatten(1).numpy()
    assert exported.contract["num_features"] == expected.shape[1] == 4 * 5 * 3
    np.testing.assert_allclose(exported(images), expected, rtol=1e-4, atol=1e-5)


def test_a_network_made_for_another_size_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"image_size": 32, "patch_size": 16, "num_layers": 1, "num_heads": 2,
               "hidden_dim": 16, "mlp_dim": 16}  # fmt: skip
    weights = tmp_path / "vit.safetensors"
    save_file(torchvision.models.VisionTransformer(**options).state_dict(), weights)
    code = main(
        [str(weights), "--out", str(tmp_path / "out"), "--layer", "encoder.ln", "--filter", "none",
         "--extractor", "torchvision.models:VisionTransformer",
         *(f"--option={key}={value}" for key, value in options.items())]
    )  # fmt: skip
    assert code == 3
    assert "give the size it was made for with --resize WxH" in capsys.readouterr().err


def test_statistics_of_the_program_are_those_of_pytorch_fid(
    program: Path,
    exported: Exported,
    state: StateDict,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for number, image in enumerate(pictures(7, 24, 3, 96, 128)):
        pixels = (255 * image.transpose(1, 2, 0)).round().astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: state)
    network = inception.InceptionV3([3]).eval()
    files = sorted(tmp_path.glob("*.png"))
    mu, sigma = fid_score.calculate_activation_statistics(files, network, 8, 2048, "cpu", 0)

    out = tmp_path / "statistics.npz"
    command: list[str | Path] = [program, "reference-stats", "--images", tmp_path]
    subprocess.run([*command, "--model", exported.folder, "--out", out], check=True)
    with np.load(out) as found:
        np.testing.assert_allclose(found["mu"], mu, rtol=1e-4, atol=1e-4 * mu.std())
        np.testing.assert_allclose(found["sigma"], sigma, rtol=1e-3, atol=1e-4 * sigma.max())
        assert found["n"] == len(files)
        distance = fid_score.calculate_frechet_distance(found["mu"], found["sigma"], mu, sigma)
    assert abs(distance) < 1e-3 * np.trace(sigma)
