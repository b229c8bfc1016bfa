"""Another VAE, and one that computes in another precision than the UNet."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file

from onnx_export.checkpoint import Checkpoint, Choices
from onnx_export.contract import ModelContract, Precision
from tests.chain import MakeChain
from tests.contracts import MODEL, read_contract
from tests.reference import Reference
from tests.refusals import UNET, VAE, Accepted, refused, rewrite
from tests.test_numbers import relative_error

FP16 = {"dtype": "fp16", "weights": "fp16"}
SINGLE = Precision("fp32", "fp32")


@pytest.fixture
def other_vae(copy: Path, tmp_path: Path) -> Path:
    """A VAE of its own in a folder of its own."""
    folder = shutil.copytree(copy / "vae", tmp_path / "vae")
    rewrite(folder / Path(VAE).name, lambda t: {name: 1.5 * x for name, x in t.items()})
    return folder


def test_another_vae_takes_the_place_of_the_checkpoints(copy: Path, other_vae: Path) -> None:
    expected = load_file(other_vae / Path(VAE).name)
    plain = Checkpoint.open(copy)
    for folder in (other_vae, other_vae.parent):
        chosen = Checkpoint.open(copy, Choices(vae=folder))
        found = chosen.vae().state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
        assert chosen.sha256() != plain.sha256()
    shutil.rmtree(copy / "vae")
    assert Checkpoint.open(copy, Choices(vae=other_vae)).sha256() == chosen.sha256()


def test_a_folder_without_a_vae_is_named(
    capsys: pytest.CaptureFixture[str], copy: Path, other_vae: Path
) -> None:
    code, line = refused(capsys, copy, "--vae", copy / "tokenizer")
    assert code == 3
    assert f"{copy / 'tokenizer'} has no config.json" in line
    assert "give --vae the folder of a VAE in diffusers' layout" in line
    (other_vae / Path(VAE).name).unlink()
    code, line = refused(capsys, copy, "--vae", other_vae)
    assert code == 3
    assert f"{other_vae} has no diffusion_pytorch_model.safetensors" in line


def test_a_vae_in_single_precision_beside_a_unet_in_half(
    sd2: Path, sd2_chain: MakeChain, latents: np.ndarray, images: np.ndarray
) -> None:
    chain, reference = sd2_chain(**FP16, vae_precision=SINGLE), Reference(sd2)
    contract = chain.contract
    assert contract["format_version"] == 3
    assert (contract["dtype"], contract["weights"]) == ("fp16", "fp16")
    assert contract["vae"] == {"dtype": "fp32", "weights": "fp32"}
    dtypes = {
        t["dtype"] for part in ("vae_encoder", "vae_decoder") for t in contract[part]["inputs"]
    }
    assert dtypes == {"float32"}
    np.testing.assert_allclose(chain.encode(images), reference.encode(images), atol=1e-4)
    np.testing.assert_allclose(chain.decode(latents), reference.decode(latents), atol=1e-4)
    predicted = chain.predict(latents.astype(np.float16), 500)
    assert predicted.dtype == np.float16
    expected = reference.predict(latents, 500, chain.prompt_embedding())
    assert relative_error(predicted, expected) < 0.01
    stored = (chain.folder / "model.json").read_text(encoding="utf-8")
    assert read_contract(ModelContract, chain.folder).to_json() == stored
    assert not MODEL.is_valid(contract | {"vae": {"dtype": "fp32"}})
    assert not MODEL.is_valid(contract | {"vae": {"dtype": "fp32", "weights": "bf16"}})
    assert MODEL.is_valid(contract | {"vae": None})


def test_a_precision_that_is_the_unets_makes_no_other_contract(sd2_chain: MakeChain) -> None:
    chain = sd2_chain()
    assert "vae" not in chain.contract
    assert chain.contract["format_version"] == 2
    assert read_contract(ModelContract, chain.folder).vae_precision == SINGLE


def test_a_vae_that_overflows_half_precision_is_right_in_single(
    capsys: pytest.CaptureFixture[str], accepted: Accepted, copy: Path
) -> None:
    name = "decoder.conv_in.weight"
    rewrite(copy / VAE, lambda t: t | {name: t[name] * (60000.0 / t[name].abs().max())})
    code, line = refused(capsys, copy, "--dtype", "fp16")
    assert code == 3
    assert "export with --vae-dtype fp32" in line
    accepted(copy, **FP16, vae_precision=SINGLE)
    unet = "conv_in.weight"
    rewrite(copy / UNET, lambda t: t | {unet: t[unet] * (60000.0 / t[unet].abs().max())})
    code, line = refused(capsys, copy, "--dtype", "fp16", "--vae-dtype", "fp32")
    assert code == 3
    assert "the UNet computes" in line


def test_attention_that_is_to_be_upcast_is_in_single_precision(sd2_chain: MakeChain) -> None:
    """Of a UNet in half precision: its scores may be beyond what that can hold."""
    chain = sd2_chain(**FP16)
    found = 0
    for segment in chain.segments:
        graph = onnx.load(chain.folder / segment["file"], load_external_data=False).graph
        made_by = {output: node for node in graph.node for output in node.output}
        for node in graph.node:
            if node.op_type == "MultiHeadAttention":
                found += 1
                for name in node.input:
                    cast = made_by[name]
                    assert (cast.op_type, cast.attribute[0].i) == ("Cast", onnx.TensorProto.FLOAT)
    assert found > 0
