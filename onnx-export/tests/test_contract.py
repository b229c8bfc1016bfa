"""`model.json` tells the truth about the folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPTextModel, CLIPTokenizer

from onnx_export.checkpoint import PARTS, Checkpoint
from onnx_export.contract import as_json
from onnx_export.write import files_sha256
from tests.chain import Chain, MakeChain
from tests.conftest import HEIGHT, WIDTH


def test_every_digest_is_right_and_every_file_is_listed(sd15_chain: Chain) -> None:
    contract, folder = sd15_chain.contract, sd15_chain.folder
    parts = [contract["vae_encoder"], contract["vae_decoder"], *contract["segments"]]
    entries = [contract["prompt"], *parts, *(part["data"] for part in parts)]
    for entry in entries:
        assert entry["sha256"] == hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest()
    listed = {entry["file"] for entry in entries} | {"model.json"}
    assert listed == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_contract_describes_the_sessions(sd15_chain: Chain) -> None:
    for segment, session in zip(sd15_chain.segments, sd15_chain.sessions, strict=True):
        for tensors, found in (
            (segment["inputs"], session.get_inputs()),
            (segment["outputs"], session.get_outputs()),
        ):
            assert [(t["name"], t["shape"]) for t in tensors] == [(f.name, f.shape) for f in found]


def test_the_contract_carries_sizes_schedule_and_freeu(sd15_chain: Chain) -> None:
    contract = sd15_chain.contract
    assert contract["format_version"] == 2
    assert (contract["width"], contract["height"]) == (WIDTH, HEIGHT)
    assert contract["latent"] == {"channels": 4, "width": WIDTH // 8, "height": HEIGHT // 8}
    assert (contract["dtype"], contract["weights"]) == ("fp32", "fp32")
    assert contract["vae_scale"] == 0.18215
    assert contract["schedule"] == {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
        "set_alpha_to_one": False,
        "timestep_spacing": "leading",
        "prediction_type": "epsilon",
    }
    assert contract["freeu"] == {
        "kind": "cross-image",
        "backbone_widest": 1.2,
        "frequencies_widest": 0.9,
        "backbone_half": 1.4,
        "frequencies_half": 0.2,
    }
    assert contract["prompt"]["text"] is None


def test_the_prompt_is_encoded_when_there_is_a_text_encoder(
    sd2: Path, sd2_chain: MakeChain
) -> None:
    chain = sd2_chain(freeu=None, prompt="a street")
    tokenizer = CLIPTokenizer.from_pretrained(sd2 / "tokenizer")
    tokens = tokenizer("a street", padding="max_length", max_length=77, return_tensors="pt")
    with torch.no_grad():
        expected = CLIPTextModel.from_pretrained(sd2 / "text_encoder")(tokens.input_ids)[0]
    embedding = chain.prompt_embedding()
    assert (embedding.dtype, embedding.shape) == (np.dtype(np.float32), (1, 77, 24))
    np.testing.assert_allclose(embedding, expected.numpy(), atol=1e-6)
    assert chain.contract["prompt"]["text"] == "a street"
    assert np.abs(embedding - sd2_chain().prompt_embedding()).max() > 1e-3


def test_exporting_twice_gives_the_same_bytes(
    sd2: Path, sd2_chain: MakeChain, tmp_path: Path
) -> None:
    """The second time through the command line, in a process of its own."""
    first, second = sd2_chain().folder, tmp_path / "again"
    command: list[str | Path] = [sys.executable, "-m", "onnx_export", sd2, "--out", second]
    subprocess.run([*command, "--height", str(HEIGHT), "--width", str(WIDTH)], check=True)
    files = {p.relative_to(first) for p in first.rglob("*") if p.is_file()}
    assert files == {p.relative_to(second) for p in second.rglob("*") if p.is_file()}
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


def test_the_sampler_is_the_methods_whatever_the_checkpoint_was_saved_with(
    sd2: Path, sd15_chain: Chain, tmp_path: Path
) -> None:
    copy = shutil.copytree(sd2, tmp_path / "copy")
    path = copy / "scheduler/scheduler_config.json"
    settings = json.loads(path.read_text())
    settings |= {"timestep_spacing": "linspace", "steps_offset": 0, "set_alpha_to_one": True}
    path.write_text(json.dumps(settings | {"_class_name": "EulerDiscreteScheduler"}))
    assert as_json(Checkpoint.open(copy).schedule) == sd15_chain.contract["schedule"]


def test_weights_that_exist_only_as_fp16_variant_are_found(sd2: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sd2, tmp_path / "copy")
    weights = copy / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".fp16.safetensors"))
    assert Checkpoint.open(copy).unet().dtype == torch.float32


def test_the_source_digest_is_of_what_is_read_and_of_nothing_else(
    sd2: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(sd2, tmp_path / "copy")
    original, without_text = (Checkpoint.open(sd2).sha256(with_text) for with_text in (True, False))
    assert Checkpoint.open(copy).sha256() == original
    weights = copy / "unet/diffusion_pytorch_model.safetensors"
    for unused in ("README.md", "unet/diffusion_pytorch_model.bin", "tokenizer/notes.txt"):
        (copy / unused).write_text("not read")
    shutil.copy(weights, weights.with_suffix(".fp16.safetensors"))
    assert Checkpoint.open(copy).sha256() == original
    for read in ("tokenizer/merges.txt", "text_encoder/config.json"):
        content = (copy / read).read_bytes()
        (copy / read).write_bytes(content + b"\n")
        assert Checkpoint.open(copy).sha256() != original
        assert Checkpoint.open(copy).sha256(with_text=False) == without_text
        (copy / read).write_bytes(content)
    assert Checkpoint.open(copy).sha256() == original
    (copy / "scheduler/scheduler_config.json").write_text(
        (copy / "scheduler/scheduler_config.json").read_text() + "\n"
    )
    assert Checkpoint.open(copy).sha256(with_text=False) != without_text


def test_a_folder_with_nothing_to_spare_has_the_digest_of_all_its_files(sd2: Path) -> None:
    """As every earlier export has."""
    files = [path for part in PARTS for path in (sd2 / part).rglob("*") if path.is_file()]
    assert Checkpoint.open(sd2).sha256() == files_sha256(sd2, files)
