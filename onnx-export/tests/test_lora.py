"""LoRA files are added to the weights, in both common layouts, or refused in a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from onnx_export.checkpoint import Checkpoint, Choices
from onnx_export.errors import UsageError
from onnx_export.lora import LoraFile
from onnx_export.prompt import encode_prompt
from tests.refusals import Accepted, refused

RANK, ALPHA = 3, 1.5
QUERY = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
OUTPUT = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
KERNEL = "up_blocks.1.resnets.0.conv1"
TEXT_QUERY = "encoder.layers.0.self_attn.q_proj"

Names = Callable[[str, str], str]
Pairs = dict[tuple[str, str], tuple[Tensor, Tensor]]


def kohya(part: str, module: str) -> str:
    if part == "text_encoder":
        return f"lora_te_text_model_{module.replace('.', '_')}.lora_{{}}.weight"
    return f"lora_unet_{module.replace('.', '_')}.lora_{{}}.weight"


def peft(part: str, module: str) -> str:
    wrapper = "text_model." if part == "text_encoder" else ""
    return f"{part}.{wrapper}{module}.lora.{{}}.weight"


def peft_by_letters(part: str, module: str) -> str:
    return peft(part, module).replace("lora.{}", "lora_{}")


def processor(part: str, module: str) -> str:
    """As attention had them in processors; others as they are."""
    name = re.sub(r"\.(to_[qkv]|to_out)(\.0)?$", r".processor.\1_lora", module)
    if name == module:
        return peft(part, module)
    return f"{part}.{name}.{{}}.weight"


def change(part: str, module: str, weight: Tensor) -> dict[tuple[str, str], tuple[Tensor, Tensor]]:
    """Returns seeded factors for a weight."""
    generator = torch.Generator().manual_seed(len(module))
    down = torch.randn(RANK, *weight.shape[1:], generator=generator)
    up = torch.randn(len(weight), RANK, *[1] * (weight.ndim - 2), generator=generator)
    return {(part, module): (0.1 * down, up)}


@pytest.fixture(scope="module")
def factors(sd2: Path) -> Pairs:
    unet = Checkpoint.open(sd2).unet().state_dict()
    found: Pairs = {}
    for module in (QUERY, OUTPUT, KERNEL):
        found |= change("unet", module, unet[f"{module}.weight"])
    return found | change("text_encoder", TEXT_QUERY, torch.zeros(24, 24))


def write(path: Path, pairs: Pairs, names: Names, ends: tuple[str, str], alpha: bool) -> Path:
    tensors: dict[str, Tensor] = {}
    for (part, module), (down, up) in pairs.items():
        name = names(part, module)
        tensors[name.format(ends[0])] = down
        tensors[name.format(ends[1])] = up
        if alpha:
            tensors[f"{name.split('.lora_')[0]}.alpha"] = torch.tensor(ALPHA)
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path)
    return path


LAYOUTS = {
    "kohya": (kohya, ("down", "up"), True),
    "diffusers": (peft, ("down", "up"), False),
    "peft": (peft_by_letters, ("A", "B"), False),
    "processor": (processor, ("down", "up"), False),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_lora_of_each_layout_is_added_to_the_weights(
    sd2: Path, factors: Pairs, tmp_path: Path, layout: str
) -> None:
    names, ends, alpha = LAYOUTS[layout]
    path = write(tmp_path / "night.safetensors", factors, names, ends, alpha)
    plain = Checkpoint.open(sd2)
    fused = Checkpoint.open(sd2, Choices(loras=(LoraFile(path, 0.5),)))
    before, after = plain.unet().state_dict(), fused.unet().state_dict()
    share = 0.5 * (ALPHA / RANK if alpha else 1.0)
    changed = set()
    for (part, module), (down, up) in factors.items():
        if part == "unet":
            weight = before[f"{module}.weight"]
            added = torch.einsum("or,r...->o...", up.flatten(1), down).reshape(weight.shape)
            torch.testing.assert_close(after[f"{module}.weight"], weight + share * added)
            changed.add(f"{module}.weight")
    assert {name for name in before if not torch.equal(before[name], after[name])} == changed
    embeddings = [encode_prompt(c, "a street", 24).embedding for c in (plain, fused)]
    assert np.abs(embeddings[1] - embeddings[0]).max() > 1e-3
    assert fused.loras[0].note() == (
        "night.safetensors: added to weights, 3 of the unet and 1 of the text_encoder, times 0.5"
    )


def test_several_are_added_and_each_is_part_of_the_name_and_the_digest(
    sd2: Path, factors: Pairs, tmp_path: Path
) -> None:
    first, second = (
        write(tmp_path / name, factors, kohya, ("down", "up"), False)
        for name in ("a.safetensors", "b.safetensors")
    )
    weight = f"{QUERY}.weight"
    plain = Checkpoint.open(sd2)

    def opened(*files: LoraFile) -> Checkpoint:
        return Checkpoint.open(sd2, Choices(loras=files))

    both = opened(LoraFile(first, 0.25), LoraFile(second, 0.5))
    once = opened(LoraFile(first, 0.75))
    torch.testing.assert_close(both.unet().state_dict()[weight], once.unet().state_dict()[weight])
    assert both.name == "sd2+a:0.25+b:0.5"
    digests = {c.sha256() for c in (plain, both, once, opened(LoraFile(first, 0.5)))}
    assert len(digests) == 4


def test_a_part_that_the_export_does_not_use_is_said(
    accepted: Accepted, copy: Path, factors: Pairs, prompt_file: Path
) -> None:
    path = write(copy / "night.safetensors", factors, kohya, ("down", "up"), False)
    choices = Choices(loras=(LoraFile(path),))
    said = accepted(copy, choices=choices, prompt_embedding=prompt_file)
    assert any("its part of the text encoder is not used" in line for line in said)
    assert not any("is not used" in line for line in accepted(copy, choices=choices))


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"lora_te1_text_model_x.lora_down.weight": (3, 4)}, "is a LoRA of Stable Diffusion XL"),
        ({"lora_unet_x.hada_w1_a": (3, 4)}, "(LoHa, LoKr and DoRA are not supported)"),
        ({"lora_unet_x.dora_scale": (3, 4)}, "(LoHa, LoKr and DoRA are not supported)"),
        ({"model.diffusion_model.x": (3, 4)}, "is no part of a LoRA in kohya's or diffusers'"),
        ({"lora_unet_x.lora_down.weight": (3, 4)}, "expected two matrices, down and up"),
        ({"lora_unet_x.lora_down.weight": (0, 4), "lora_unet_x.lora_up.weight": (4, 0),
          "lora_unet_x.alpha": (1,)}, "expected two matrices, down and up"),
        ({"lora_unet_x.lora_down.weight": (3, 4), "lora_unet_x.lora_up.weight": (4, 3),
          "lora_unet_x.alpha": (2,)}, "and at most one alpha"),
        ({"lora_unet_x.lora_down.weight": (3, 4), "lora_unet_x.lora_up.weight": (4, 3),
          "unet.x.lora_A.weight": (3, 4), "unet.x.lora_B.weight": (4, 3)}, "of one layout"),
        ({"lora_unet_x.lora_down.weight": (3, 4), "lora_unet_x.lora_up.weight": (4, 3)},
         "changes 1 modules that the unet does not have, x among them"),
        ({"lora_unet_conv_norm_out.lora_down.weight": (3, 4),
          "lora_unet_conv_norm_out.lora_up.weight": (4, 3)}, "which is a GroupNorm in the unet"),
        ({"unet.conv_in.lora_A.weight": (3, 320, 3, 3),
          "unet.conv_in.lora_B.weight": (320, 3, 1, 1)},
         "for conv_in, whose weight is (16, 4, 3, 3)"),
    ],
)  # fmt: skip
def test_a_lora_that_does_not_fit_is_refused(
    capsys: pytest.CaptureFixture[str],
    copy: Path,
    tensors: dict[str, tuple[int, ...]],
    words: str,
) -> None:
    path = copy / "night.safetensors"
    save_file({name: torch.ones(shape) for name, shape in tensors.items()}, path)
    code, line = refused(capsys, copy, "--lora", path)
    assert code == 3
    assert str(path) in line
    assert words in line


def test_a_lora_that_is_missing_cut_short_or_not_finite_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, factors: Pairs
) -> None:
    path = copy / "night.safetensors"
    code, line = refused(capsys, copy, "--lora", path)
    assert (code, f"{path} is not a file" in line) == (3, True)
    write(path, factors, kohya, ("down", "up"), False)
    path.write_bytes(path.read_bytes()[:-8])
    code, line = refused(capsys, copy, "--lora", path)
    assert (code, f"{path} cannot be read" in line) == (3, True)
    infinite = {key: (torch.full_like(down, torch.inf), up) for key, (down, up) in factors.items()}
    write(path, infinite, kohya, ("down", "up"), False)
    code, line = refused(capsys, copy, "--lora", path)
    assert (code, "are not finite (infinite)" in line) == (3, True)
    write(path, factors, kohya, ("down", "up"), False)
    code, line = refused(capsys, copy, "--lora", f"{path}:1e39")
    assert (code, "makes" in line and "infinite: give a smaller scale" in line) == (3, True)


def test_a_file_and_its_scale_are_told_apart(tmp_path: Path) -> None:
    assert LoraFile.parse("a.safetensors") == LoraFile(Path("a.safetensors"), 1.0)
    assert LoraFile.parse("a.safetensors:-0.5") == LoraFile(Path("a.safetensors"), -0.5)
    odd = tmp_path / "a:b.safetensors"
    odd.touch()
    assert LoraFile.parse(str(odd)) == LoraFile(odd, 1.0)
    assert LoraFile.parse(f"{odd}:2") == LoraFile(odd, 2.0)
    for text in ("a.safetensors:much", "a.safetensors:nan", "a.safetensors:", ":0.5"):
        with pytest.raises(UsageError, match=r"is no scale, expected FILE or FILE:0\.8"):
            LoraFile.parse(text)
