"""Half a checkpoint is refused before anything is exported, naming the file and what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from torch import Tensor

from onnx_export.checkpoint import Checkpoint
from onnx_export.loading import load_diffusers
from onnx_export.prompt import encode_prompt
from onnx_export.weight_files import DIFFUSERS, weight_files
from tests.refusals import TEXT, UNET, VAE, Accepted, change, cut, refused, rewrite, without

CONFIG = "config.json"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '0'}\nsize 3438167536\n"
WEIGHTS = (UNET, VAE, TEXT)
CONFIGS = (
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "scheduler/scheduler_config.json",
    "tokenizer/tokenizer_config.json",
)
FILES = (*WEIGHTS, *CONFIGS, "tokenizer/vocab.json", "tokenizer/merges.txt")


@pytest.mark.parametrize("file", FILES)
def test_a_pointer_of_git_lfs_is_told_from_the_file(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str
) -> None:
    (copy / file).write_text(POINTER)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} is a Git LFS pointer of {len(POINTER)} bytes" in line
    assert "git lfs pull" in line


@pytest.mark.parametrize("file", FILES)
def test_an_empty_file_is_named(capsys: pytest.CaptureFixture[str], copy: Path, file: str) -> None:
    (copy / file).write_bytes(b"")
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} is empty (0 bytes): download it again" in line


@pytest.mark.parametrize("file", FILES)
def test_a_link_that_leads_nowhere_is_named(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str
) -> None:
    (copy / file).unlink()
    (copy / file).symlink_to("../../blobs/gone")
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} is a link to ../../blobs/gone, which is not there" in line


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_missing_is_named_with_what_is_there(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str
) -> None:
    half = (copy / file).with_name(f"{Path(file).name}.incomplete")
    (copy / file).rename(half)
    code, line = refused(capsys, copy)
    assert code == 3
    assert str((copy / file).parent) in line
    assert Path(file).name in line.replace(half.name, "")
    assert half.name in line


@pytest.mark.parametrize("file", WEIGHTS)
def test_weights_cut_short_are_told_with_both_sizes(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str
) -> None:
    whole = (copy / file).stat().st_size
    cut(copy / file, 10)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} is truncated: it has {whole - 10} bytes, its header says {whole}" in line


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html>sign in</html>", "is no safetensors file: it begins with"),
        (b"abc", "is no safetensors file: it begins with"),
        ((20).to_bytes(8, "little") + b"{", "its header alone ends at 28"),
        ((4).to_bytes(8, "little") + b"{{{{", "has a header that cannot be read"),
        ((2).to_bytes(8, "little") + b"[]", "has a header that cannot be read"),
        ((2).to_bytes(8, "little") + b"{}", "has no tensors"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, content: bytes, reason: str
) -> None:
    (copy / VAE).write_bytes(content)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / VAE}" in line
    assert reason in line


@pytest.mark.parametrize("file", CONFIGS)
@pytest.mark.parametrize(
    ("content", "reason"),
    [('{"a": ', "is not JSON"), ("[1]", "is not a JSON object"), ('{"a": NaN}', "the number NaN")],
)
def test_a_configuration_that_is_no_json_is_named(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str, content: str, reason: str
) -> None:
    (copy / file).write_text(content)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} is not" in line
    assert reason in line


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("unet/config.json", "attention_head_dim"),
        ("unet/config.json", "norm_num_groups"),
        ("vae/config.json", "norm_num_groups"),
        ("text_encoder/config.json", "num_attention_heads"),
        ("text_encoder/config.json", "hidden_act"),
        ("scheduler/scheduler_config.json", "beta_end"),
    ],
)
def test_a_setting_that_a_default_would_replace_is_asked_for(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str, key: str
) -> None:
    without(copy / file, key)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} lacks {key}" in line


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("unet/config.json", {"_class_name": "UNet2DModel"}),
        ("vae/config.json", {"_class_name": "AutoencoderTiny"}),
        ("vae/config.json", {"scaling_factor": 0}),
        ("vae/config.json", {"quantization_config": {"load_in_8bit": True}}),
        ("text_encoder/config.json", {"model_type": "t5"}),
        ("text_encoder/config.json", {"hidden_size": 768}),
        ("text_encoder/config.json", {"max_position_embeddings": 50}),
        ("text_encoder/config.json", {"bos_token_id": 49406}),
        ("text_encoder/config.json", {"eos_token_id": 49407}),
        ("unet/config.json", {"block_out_channels": 320}),
        ("tokenizer/tokenizer_config.json", {"tokenizer_class": "T5Tokenizer"}),
    ],
)
def test_a_part_of_another_kind_is_named(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str, settings: dict[str, Any]
) -> None:
    change(copy / file, **settings)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} has {next(iter(settings))}" in line


@pytest.mark.parametrize(
    ("file", "tensor"),
    [
        (UNET, "mid_block.attentions.0.proj_in.weight"),
        (VAE, "decoder.conv_out.bias"),
        (TEXT, "final_layer_norm.weight"),
    ],
)
def test_weights_that_lack_or_bend_a_tensor_are_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str, tensor: str
) -> None:
    whole = (copy / file).read_bytes()

    def drop(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value for name, value in tensors.items() if name != tensor}

    rewrite(copy / file, drop)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{(copy / file).parent} lacks 1 weights, {tensor} among them" in line

    (copy / file).write_bytes(whole)
    rewrite(copy / file, lambda tensors: tensors | {tensor: torch.zeros(3, 5)})
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{(copy / file).parent}" in line
    assert tensor in line
    assert "3, 5" in line
    assert "belong to different models" in line
    assert "ignore_mismatched_sizes" not in line


@pytest.mark.parametrize("file", [UNET, VAE])
def test_weights_without_a_place_are_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str
) -> None:
    rewrite(copy / file, lambda tensors: tensors | {"add_embedding.weight": torch.zeros(3)})
    code, line = refused(capsys, copy)
    assert code == 3
    assert "has 1 weights that its config.json has no place for, add_embedding.weight" in line


@pytest.mark.parametrize("file", WEIGHTS)
def test_quantised_weights_are_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str
) -> None:
    def quantise(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        name = next(name for name in tensors if name.endswith("weight"))
        return tensors | {name: tensors[name].to(torch.int8)}

    rewrite(copy / file, quantise)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} has" in line
    assert "as I8" in line
    assert "before it was quantised" in line


def test_the_text_encoder_ends_where_its_configuration_says(accepted: Accepted, copy: Path) -> None:
    rewrite(copy / TEXT, lambda t: t | {"encoder.layers.1.mlp.fc1.bias": torch.zeros(32)})
    said = accepted(copy)
    assert "text_encoder: its config.json leaves out encoder.layers.1.mlp.fc1.bias" in said


@pytest.mark.parametrize("variant", ["fp16", "bf16"])
def test_a_folder_with_one_variant_only_is_used_and_said(
    accepted: Accepted, copy: Path, variant: str
) -> None:
    whole = encode_prompt(Checkpoint.open(copy), "", 24).embedding
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16}[variant]
    for file in WEIGHTS:
        rewrite(copy / file, lambda tensors: {n: t.to(dtype) for n, t in tensors.items()})
        (copy / file).rename((copy / file).with_suffix(f".{variant}.safetensors"))
    said = accepted(copy)
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        assert f"{part}: the {variant} variant is used, {stem}.{variant}.safetensors" in said
    halved = encode_prompt(Checkpoint.open(copy), "", 24).embedding
    np.testing.assert_allclose(halved, whole, atol=0.05)


@pytest.mark.parametrize("file", WEIGHTS)
def test_a_part_with_a_variant_that_is_not_known_is_named(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str
) -> None:
    (copy / file).rename((copy / file).with_suffix(".non_ema.safetensors"))
    code, line = refused(capsys, copy)
    assert code == 3
    stem = Path(file).stem
    assert f"has no {stem}.safetensors, no {stem}.fp16.safetensors and no" in line
    assert f"it has config.json, {stem}.non_ema.safetensors: download the weights" in line


def test_a_damaged_file_is_not_passed_over_for_its_variant(
    capsys: pytest.CaptureFixture[str], copy: Path
) -> None:
    shutil.copy(copy / UNET, (copy / UNET).with_suffix(".fp16.safetensors"))
    cut(copy / UNET, 1)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / UNET} is truncated" in line


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_shards_are_read_and_a_missing_one_is_named(
    capsys: pytest.CaptureFixture[str], copy: Path, variant: str | None
) -> None:
    unet = UNet2DConditionModel.from_pretrained(copy / "unet")
    (copy / UNET).unlink()
    unet.save_pretrained(copy / "unet", max_shard_size="300KB", variant=variant)
    files = weight_files(copy / "unet", DIFFUSERS)
    assert (len(files.files), files.variant) == (4, variant)
    loaded = load_diffusers(UNet2DConditionModel, copy / "unet", files)
    assert loaded.state_dict().keys() == unet.state_dict().keys()

    index = next((copy / "unet").glob("*.index*.json"))
    second = files.files[1]
    second.rename(second.with_suffix(".part"))
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / 'unet'} lacks 1 of the 4 shards that {index.name} names, {second.name}" in line

    shutil.copy(files.files[0], second)
    code, line = refused(capsys, copy)
    assert code == 3
    assert re.search(rf"{second} has no tensor \S+, which {re.escape(index.name)} says", line)

    second.with_suffix(".part").rename(second)
    shutil.copy(second, copy / UNET if variant is None else copy / UNET.replace(".s", ".fp16.s"))
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / 'unet'} has both" in line
    assert index.name in line


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({}, "has no weight_map"), ({"weight_map": {"a": "../b.safetensors"}}, "no file beside it")],
)
def test_an_index_of_nothing_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, settings: dict[str, Any], reason: str
) -> None:
    (copy / UNET).unlink()
    (copy / f"{UNET}.index.json").write_text(json.dumps(settings))
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / UNET}.index.json" in line
    assert reason in line


def test_pickled_weights_are_read_and_refused_when_cut_short(
    capsys: pytest.CaptureFixture[str], accepted: Callable[..., list[str]], copy: Path
) -> None:
    for file, name in (
        (UNET, "diffusion_pytorch_model.bin"),
        (VAE, "diffusion_pytorch_model.bin"),
        (TEXT, "pytorch_model.bin"),
    ):
        torch.save(load_file(copy / file), (copy / file).with_name(name))
        (copy / file).unlink()
    accepted(copy)
    pickled = copy / "vae/diffusion_pytorch_model.bin"
    whole = pickled.read_bytes()
    cut(pickled, 500)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{pickled} is truncated" in line
    pickled.write_text("<html>sign in</html>")
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{pickled} cannot be read as a state dict" in line
    pickled.write_bytes(whole)
    state = torch.load(pickled)
    torch.save(state | {"encoder.conv_in.bias": torch.zeros(8, dtype=torch.int8)}, pickled)
    code, line = refused(capsys, copy)
    assert code == 3
    assert "encoder.conv_in.bias as torch.int8" in line


def test_names_that_weights_once_had_are_known(copy: Path) -> None:
    """As the first releases of Stable Diffusion have them."""
    before = encode_prompt(Checkpoint.open(copy), "", 24).embedding
    vae: AutoencoderKL = Checkpoint.open(copy).vae()
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        renamed = {}
        for name, tensor in tensors.items():
            for new, once in old.items():
                name = name.replace(new, once) if ".attentions." in name else name
            renamed[name] = tensor
        assert renamed.keys() != tensors.keys()
        return renamed

    rewrite(copy / VAE, rename)
    rewrite(
        copy / TEXT,
        lambda tensors: (
            {f"text_model.{name}": tensor for name, tensor in tensors.items()}
            | {"text_model.embeddings.position_ids": torch.arange(77)[None]}
        ),
    )
    renamed = Checkpoint.open(copy)
    for name, tensor in renamed.vae().state_dict().items():
        assert torch.equal(tensor, vae.state_dict()[name]), name
    prompt = encode_prompt(renamed, "", 24)
    np.testing.assert_array_equal(prompt.embedding, before)
    assert prompt.notes == ()


def test_the_text_parts_are_not_asked_for_when_an_embedding_is_given(
    accepted: Accepted, copy: Path, prompt_file: Path
) -> None:
    for part in ("text_encoder", "tokenizer"):
        shutil.rmtree(copy / part)
    said = accepted(copy, prompt_embedding=prompt_file)
    assert said[0] == "the prompt is an embedding from a file"
