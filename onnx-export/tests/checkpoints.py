"""Small checkpoints made from a seed, in diffusers' layout."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

PROMPT_WIDTH = 24
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def sd15_shaped(folder: Path) -> Path:
    """Writes a UNet of Stable Diffusion 1.5's shape (six injected layers) and a VAE."""
    torch.manual_seed(15)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 20, 40, 40),
        norm_num_groups=4,
        attention_head_dim=2,
        cross_attention_dim=PROMPT_WIDTH,
    )
    return save(folder, unet)


def sd2_shaped(folder: Path) -> Path:
    """Writes a UNet with Stable Diffusion 2.x's settings, two levels deep, and a text encoder."""
    torch.manual_seed(2)
    unet = UNet2DConditionModel(
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        upcast_attention=True,
        cross_attention_dim=PROMPT_WIDTH,
    )
    save(folder, unet)
    save_text_encoder(folder)
    return folder


def save(folder: Path, unet: UNet2DConditionModel) -> Path:
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
    )
    for model in (unet, vae):
        roughen(model)
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    DDIMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")
    return folder


@torch.no_grad()
def roughen(model: nn.Module) -> None:
    """Draws what would be 1 or 0 at the start, and makes attention less flat."""
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.add_(0.3 * torch.randn_like(parameter))
        elif ".to_q." in name or ".to_k." in name:
            parameter.mul_(2.5)


def save_text_encoder(folder: Path) -> None:
    """Writes a one-layer CLIP text encoder and a tokenizer that knows single letters."""
    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir(parents=True)
    (tokenizer / "vocab.json").write_text(json.dumps(vocabulary))
    (tokenizer / "merges.txt").write_text("#version: 0.2\n")
    (tokenizer / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77})
    )
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=PROMPT_WIDTH,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
    )
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")
