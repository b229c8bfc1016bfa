"""The exported network of priors gives what the authors' program took as features."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Dinov2Model

from onnx_export.contract import PriorContract
from onnx_export.prior.cli import main
from onnx_export.prior.network import Grid, grid_of, stretched
from onnx_export.write import files_sha256
from tests.contracts import REPOSITORY, read_contract
from tests.networks import Exported

GOLDEN = REPOSITORY / "tests/fixtures/golden-ast"
CHECKPOINT = GOLDEN / "dinov2"
FIXTURE = REPOSITORY / "tests/fixtures/prior"
SIZE = ("--height", "128", "--width", "256")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    out = tmp_path_factory.mktemp("prior") / "out"
    assert main([str(CHECKPOINT), "--out", str(out), *SIZE]) == 0
    return Exported(out, "prior")


def features_of(exported: Exported, image: np.ndarray) -> np.ndarray:
    """Returns unit features `(numbers, height, width)` of an image `(height, width, 3)`."""
    (found,) = exported.session.run(
        ["features"], {"image": (image.transpose(2, 0, 1)[None] / 255).astype(np.float32)}
    )
    unit = found[0] / np.linalg.norm(found[0], axis=1, keepdims=True)
    grid = (image.shape[0] // 14, image.shape[1] // 14)
    return unit.T.reshape(-1, *grid)


@pytest.mark.parametrize("folder", ["ast-night-default", "ast-snow-rare", "ast-night-strong"])
def test_features_are_those_of_the_authors(exported: Exported, folder: str) -> None:
    golden = np.load(GOLDEN / folder / "golden.npz")
    meta = json.loads((GOLDEN / folder / "meta.json").read_text())
    found = features_of(exported, golden["dinov2_image_style"])
    np.testing.assert_allclose(found, golden["dinov2_style"], atol=1e-5)
    for k, name in enumerate(meta["prototype_images"]):
        own, other = (GOLDEN / "inputs" / name, GOLDEN / "../golden/inputs" / name)
        image = cropped(Image.open(own if own.exists() else other)).resize((280, 140))
        found = features_of(exported, np.asarray(image))
        np.testing.assert_allclose(found, golden[f"prototype{k}_features"], atol=1e-5)


def cropped(image: Image.Image) -> Image.Image:
    """Returns the middle of an image, twice as wide as it is high."""
    width, height = image.size
    cut = (height - width // 2) / 2
    assert cut >= 0
    return image.convert("RGB").crop((0, cut, width, height - cut))


def test_positions_are_stretched_by_the_authors_factor_and_not_by_transformers() -> None:
    model = Dinov2Model.from_pretrained(CHECKPOINT)
    positions = model.embeddings.position_embeddings.detach()
    ours = stretched(positions[:, 1:], Grid(10, 20, 14))
    patches = torch.zeros(1, 201, positions.shape[2])
    theirs = model.embeddings.interpolate_pos_encoding(patches, 140, 280)[:, 1:].detach()
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() > 1e-3
    # As they are, where they fit.
    assert torch.equal(stretched(positions[:, 1:], Grid(37, 37, 14)), positions[:, 1:])


def test_the_contract_describes_the_file(exported: Exported) -> None:
    contract = read_contract(PriorContract, exported.folder)
    assert contract.num_features == 96
    assert [(t.name, t.shape) for t in contract.part.inputs] == [("image", (1, 3, 140, 280))]
    assert [(t.name, t.shape) for t in contract.part.outputs] == [("features", (1, 200, 96))]
    assert contract.source.name == contract.name == "dinov2"


def test_the_source_is_digested_with_the_names_of_its_files(exported: Exported) -> None:
    source = read_contract(PriorContract, exported.folder).source
    files = [CHECKPOINT / name for name in ("config.json", "model.safetensors")]
    assert source.sha256 == files_sha256(CHECKPOINT, files)
    assert source == read_contract(PriorContract, FIXTURE).source


def test_an_image_of_two_patches_is_enough(tmp_path: Path) -> None:
    size = ("--height", "14", "--width", "28")
    assert main([str(CHECKPOINT), "--out", str(tmp_path / "out"), *size]) == 0


def test_patches_cover_the_height_in_the_images_proportions() -> None:
    assert grid_of(512, 1024, 14) == Grid(37, 74, 14)
    assert grid_of(512, 1024, 14).image_size() == (518, 1036)
    assert grid_of(128, 256, 14).image_size() == (140, 280)
    assert grid_of(140, 140, 14) == Grid(10, 10, 14)
    assert grid_of(512, 768, 14) == Grid(37, 56, 14)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "dinov2_with_registers"}, "without registers"),
        ({"layer_norm_eps": None}, "lacks layer_norm_eps"),
        ({"patch_size": [14, 14]}, "has patch_size [14, 14], expected one number: give a DINOv2"),
        ({"patch_size": 0}, "has patch_size 0, expected one number"),
        ({"hidden_size": 48}, "of another shape"),
        ({"use_mask_token": False}, "weights that its config.json has no place for"),
        ({"num_hidden_layers": 5}, "lacks"),
    ],
)
def test_half_a_checkpoint_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], words: str
) -> None:
    folder = tmp_path / "dinov2"
    shutil.copytree(CHECKPOINT, folder)
    config = json.loads((folder / "config.json").read_text()) | change
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(kept))
    assert main([str(folder), "--out", str(tmp_path / "out"), *SIZE]) == 3
    line = capsys.readouterr().err.strip()
    assert words in line
    assert "\n" not in line
    assert not (tmp_path / "out").exists()


def test_an_image_smaller_than_a_patch_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(CHECKPOINT), "--out", str(tmp_path / "out"), "--height", "8", "--width", "256"]
    assert main(given) == 2
    assert "--height 8 must be 14 to 8192" in capsys.readouterr().err
