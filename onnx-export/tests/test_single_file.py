"""A checkpoint in one file is read without network, as the folder that it could be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from onnx_export.checkpoint import Checkpoint, Choices
from onnx_export.configs import text_settings, unet_settings, vae_settings
from onnx_export.errors import UsageError
from onnx_export.files import read_json
from onnx_export.prompt import encode_prompt
from onnx_export.schedule import read_schedule
from onnx_export.single_file import FIRST, GUIDED, PROMPT_KEYS, SHIPPED, SingleFile
from onnx_export.tokenizer import TextEncoderSize, tokens_of_nothing
from tests.refusals import refused, rewrite
from tests.single_files import configs_of, write_single_file

VAE_WEIGHT = "first_stage_model.encoder.conv_in.weight"


@pytest.fixture(scope="module")
def whole(sd2: Path, workspace: Path) -> tuple[Path, Path]:
    """A checkpoint in one file, and the folder of its configurations."""
    folder = workspace / "single"
    folder.mkdir()
    path = write_single_file(sd2, folder / "street.safetensors")
    return path, configs_of(sd2, folder / "configs")


@pytest.fixture
def single(whole: tuple[Path, Path], tmp_path: Path) -> Path:
    """A file of its own for a test that damages it, alone in a folder."""
    path = tmp_path / "at/street.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(whole[0].read_bytes())
    return path


def stub(path: Path, width: int, channels: int = 4, **more: Tensor) -> Path:
    """Writes a file that has what a release is told by, and next to nothing else."""
    path.parent.mkdir(exist_ok=True)
    tensors = {
        FIRST: torch.zeros(1, channels, 1, 1),
        PROMPT_KEYS: torch.zeros(1, width),
        VAE_WEIGHT: torch.zeros(1),
        **more,
    }
    save_file(tensors, path)
    return path


def test_a_single_file_gives_the_weights_of_the_folder(sd2: Path, whole: tuple[Path, Path]) -> None:
    path, configs = whole
    folder, single = Checkpoint.open(sd2), Checkpoint.open(path, Choices(config=configs))
    for part in ("unet", "vae"):
        expected, found = (getattr(c, part)().state_dict() for c in (folder, single))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    prompts = [encode_prompt(c, "a street", 24).embedding for c in (folder, single)]
    np.testing.assert_array_equal(prompts[1], prompts[0])
    assert single.schedule == folder.schedule
    assert (single.name, single.prompt_width) == ("street", 24)


def test_the_digest_of_a_single_file_is_of_it_and_its_configurations(
    whole: tuple[Path, Path], single: Path, tmp_path: Path
) -> None:
    path, configs = whole
    digest = Checkpoint.open(path, Choices(config=configs)).sha256()
    assert Checkpoint.open(single, Choices(config=configs)).sha256() == digest
    other = configs_of(configs, tmp_path / "configs")
    config = other / "vae/config.json"
    config.write_text(config.read_text().replace("0.18215", "0.2"))
    assert Checkpoint.open(single, Choices(config=other)).sha256() != digest


@pytest.mark.parametrize(
    ("release", "width", "unet", "vae", "text"),
    [
        ("stable-diffusion-1", 768, 859_520_964, 83_653_863, 123_060_480),
        ("stable-diffusion-2", 1024, 865_910_724, 83_653_863, 340_387_840),
    ],
)
def test_the_configurations_here_are_those_of_the_releases(
    release: str, width: int, unet: int, vae: int, text: int
) -> None:
    folder = SHIPPED / release
    path = folder / "unet/config.json"
    settings = unet_settings(path), vae_settings(folder / "vae/config.json")
    text_settings(folder / "text_encoder/config.json", width, path, 77)
    said = read_json(folder / "text_encoder/config.json")
    with torch.device("meta"):
        models: tuple[Any, ...] = (
            UNet2DConditionModel.from_config(settings[0]),
            AutoencoderKL.from_config(settings[1]),
            CLIPTextModel(CLIPTextConfig(**said)),
        )
    counts = tuple(sum(weight.numel() for weight in m.parameters()) for m in models)
    assert counts == (unet, vae, text)
    assert settings[0].get("upcast_attention", False) == (width == 1024)
    assert read_schedule(folder / "scheduler/scheduler_config.json").beta_end == 0.012


@pytest.mark.parametrize(
    ("width", "padding", "word"), [(768, 49407, "<|endoftext|>"), (1024, 0, "!")]
)
def test_the_empty_prompt_needs_no_tokenizer(width: int, padding: int, word: str) -> None:
    tokens = tokens_of_nothing(TextEncoderSize(49408, width))
    assert tokens is not None
    assert tokens.ids == (49406, 49407, *[padding] * 75)
    assert str(tokens).endswith(f"then 75 times {padding} {word}")
    assert tokens_of_nothing(TextEncoderSize(190, 24)) is None


def test_what_a_model_of_2_predicts_is_asked_for_unless_the_file_says_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = stub(tmp_path / "at/sd21.safetensors", 1024)
    code, line = refused(capsys, path)
    assert code == 2
    assert "give --prediction-type epsilon (2.x base, for 512 pixels) or" in line
    assert SingleFile.open(path, None, True).prediction_type("v_prediction") == "v_prediction"
    tensors = load_file(path)
    save_file(tensors, path, {"modelspec.prediction_type": "v"})
    assert SingleFile.open(path, None, True).prediction_type(None) == "v_prediction"
    assert SingleFile.open(path, None, True).prediction_type("epsilon") == "epsilon"
    save_file(tensors | {"v_pred": torch.zeros(1)}, path)
    assert SingleFile.open(path, None, True).prediction_type(None) == "v_prediction"
    old = stub(tmp_path / "at/sd15.safetensors", 768)
    assert SingleFile.open(old, None, True).prediction_type(None) is None


@pytest.mark.parametrize(
    ("width", "channels", "more", "words"),
    [
        (768, 9, {}, "a UNet that takes 9 channels, expected 4: it is a model for inpainting"),
        (320, 4, {}, "takes prompts of a width of 320, and configurations are known for 768 and"),
        (2048, 4, {"conditioner.embedders.1.model.x": 1}, "is Stable Diffusion XL (it has"),
        (1280, 4, {"conditioner.embedders.0.model.x": 1}, "is the refiner of Stable Diffusion XL"),
        (768, 4, {GUIDED: 1}, "(LCM): it was distilled"),
        (768, 4, {"ztsnr": 1}, "was trained down to no signal at all"),
    ],
)  # fmt: skip
def test_a_single_file_of_another_model_is_named(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    width: int,
    channels: int,
    more: dict[str, int],
    words: str,
) -> None:
    tensors = {name: torch.zeros(size) for name, size in more.items()}
    path = stub(tmp_path / "at/street.safetensors", width, channels, **tensors)
    code, line = refused(capsys, path)
    assert code == 3
    assert str(path) in line
    assert words in line


def test_a_first_convolution_that_is_none_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    flat = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(4)}
    path = stub(tmp_path / "at/street.safetensors", 768, 4, **flat)
    code, line = refused(capsys, path)
    assert (code, f"{path} has" in line, "the four sides of a convolution" in line) == (
        3,
        True,
        True,
    )


def test_a_single_file_that_is_half_or_something_else_is_named(
    capsys: pytest.CaptureFixture[str], whole: tuple[Path, Path], single: Path
) -> None:
    config = ("--config", whole[1])

    def line_of(*options: object, file: Path = single) -> str:
        code, line = refused(capsys, file, *options)
        assert code == 3
        return line

    def without(prefix: str) -> None:
        single.write_bytes(whole[0].read_bytes())
        rewrite(single, lambda t: {n: v for n, v in t.items() if not n.startswith(prefix)})

    assert "takes prompts of a width of 24" in line_of()
    without("first_stage_model.")
    assert "has no VAE (first_stage_model....): give the one that belongs" in line_of(*config)
    without("model.diffusion_model.input_blocks.0")
    assert "(a LoRA goes to --lora, a VAE to --vae)" in line_of(*config)
    without("model.diffusion_model.out.2.bias")
    assert "lacks 1 weights of the unet" in line_of(*config)
    single.write_bytes(whole[0].read_bytes())
    rewrite(single, lambda t: t | {"model.diffusion_model.more.weight": torch.zeros(3)})
    assert "weights of the unet, and" in line_of(*config)
    rewrite(single, lambda t: t | {FIRST: torch.zeros(7, 4, 3, 3)})
    assert "conv_in.weight has shape (7, 4, 3, 3), expected (16, 4, 3, 3)" in line_of(*config)
    rewrite(single, lambda t: t | {FIRST: t[FIRST].to(torch.float8_e4m3fn)})
    assert "as F8_E4M3" in line_of(*config)
    single.write_bytes(whole[0].read_bytes()[:-10])
    assert f"{single} is truncated" in line_of(*config)
    pickled = single.rename(single.with_suffix(".ckpt"))
    assert "no .safetensors file" in line_of(*config, file=pickled)


def test_configurations_for_a_single_file_are_whole_and_for_such_a_file(
    capsys: pytest.CaptureFixture[str],
    sd2: Path,
    whole: tuple[Path, Path],
    single: Path,
    copy: Path,
) -> None:
    configs = configs_of(whole[1], single.parent / "configs")
    (configs / "vae/config.json").unlink()
    code, line = refused(capsys, single, "--config", configs)
    assert code == 3
    assert f"{configs / 'vae/config.json'} is missing" in line
    code, line = refused(capsys, copy, "--config", configs)
    assert code == 2
    assert "--config is for a checkpoint in one file" in line
    code, line = refused(capsys, single, "--config", whole[1], "--vae", sd2, "--vae", configs)
    assert code == 3
    assert f"{configs} has no config.json" in line


def test_a_prompt_of_words_needs_a_tokenizer(whole: tuple[Path, Path], tmp_path: Path) -> None:
    path, configs = whole
    bare = configs_of(configs, tmp_path / "configs")
    for file in (bare / "tokenizer").iterdir():
        file.unlink()
    (bare / "tokenizer").rmdir()
    checkpoint = Checkpoint.open(path, Choices(config=bare))
    with pytest.raises(UsageError, match="which has no tokenizer, and --prompt 'a street' needs"):
        encode_prompt(checkpoint, "a street", 24)


def test_averaged_weights_beside_the_others_are_said(
    whole: tuple[Path, Path], single: Path
) -> None:
    rewrite(single, lambda t: t | {"model_ema.decay": torch.zeros(1)})
    notes = Checkpoint.open(single, Choices(config=whole[1])).notes()
    assert notes == [
        "unet: street.safetensors has averaged weights as well (model_ema....), not used"
    ]
