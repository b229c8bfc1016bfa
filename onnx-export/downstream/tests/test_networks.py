"""The networks that arms are trained with, their weights and their recipes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from downstream import cli
from downstream.errors import ExperimentError
from downstream.networks import NETWORKS, build, digest_of_weights, logits_of
from downstream.perform import Request, perform
from downstream.pictures import Size
from downstream.recipes import RECIPES, Recipe, recipe


def test_the_command_knows_every_network_and_recipe() -> None:
    assert set(cli.NETWORKS) == set(NETWORKS)
    assert set(cli.RECIPES) == set(RECIPES)
    assert {network.recipe for network in NETWORKS.values()} <= set(RECIPES)


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


@pytest.fixture(scope="module")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of whole weights, that no test changes."""
    folder = tmp_path_factory.mktemp("segformer")
    build(NETWORKS["segformer-b0"], None, 1).network.save_pretrained(folder)  # type: ignore[operator, union-attr]
    return folder


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def halve_weights(folder: Path) -> None:
    halve(folder / "model.safetensors")


def halve_weights_of_torch(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(1000)}, folder / "pytorch_model.bin")
    halve(folder / "pytorch_model.bin")


def leave_a_pointer(folder: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '0'}\nsize 9\n"
    (folder / "model.safetensors").write_text(pointer)


def have_deep_settings(folder: Path) -> None:
    (folder / "config.json").write_text('{"a": ' + 100_000 * "[" + 100_000 * "]" + "}")


def have_a_list_of_settings(folder: Path) -> None:
    (folder / "config.json").write_text("[1]")


def have_one_width(folder: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"hidden_sizes": 7}))


@pytest.mark.parametrize(
    "damage",
    [
        halve_weights, halve_weights_of_torch, leave_a_pointer, have_deep_settings,
        have_a_list_of_settings, have_one_width,
    ],
)  # fmt: skip
def test_a_segformer_s_folder_that_is_damaged_is_told_in_one_line(
    tmp_path: Path, segformer: Path, damage: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(segformer, tmp_path / "segformer")
    damage(folder)
    with pytest.raises(ExperimentError, match=r"cannot be used .*: download it again") as refused:
        build(NETWORKS["segformer-b0"], folder, 2)
    assert str(refused.value).startswith(f"{folder} ")
    assert "\n" not in str(refused.value)


def test_weights_for_which_memory_is_not_enough_are_not_told_as_damaged(
    tmp_path: Path, segformer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    torch.save({}, tmp_path / "lraspp.pth")
    for said in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")):

        def fail(*_: object, said: Exception = said, **__: object) -> None:
            raise said

        loads = transformers.SegformerForSemanticSegmentation
        monkeypatch.setattr(loads, "from_pretrained", fail)
        monkeypatch.setattr(torch, "load", fail)
        for name, weights in (("segformer-b0", segformer), ("lraspp", tmp_path / "lraspp.pth")):
            with pytest.raises(type(said)) as raised:
                build(NETWORKS[name], weights, 2)
            assert raised.value is said


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
