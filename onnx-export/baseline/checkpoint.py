"""Makes checkpoints of Stable Diffusion 1.5's shape with seeded random weights.

    python -m baseline.checkpoint --out DIR --width full      860 million UNet weights, 3.8 GB
    python -m baseline.checkpoint --out DIR --width golden    the small model of the golden files

They are in diffusers' layout. Time and memory of a conversion depend on the shapes of the weights
and not on what was learnt, so a random model of full width is enough to measure with.

Weights are torch's own initialisation but for two things. Queries and keys of self-attention are
scaled so that their scores spread by about 2 and a softmax over thousands of positions has peaks.
At full width the last convolution is scaled, too, so that a noise prediction spreads by about 1, as
a trained one does.

UNet, VAE and prompt embedding come from one stream of random numbers, in that order. The golden
width with its default seed gives the very model that the golden files were made with.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

from baseline.widths import WIDTHS as WIDTHS
from baseline.widths import Width as Width
from onnx_export.console import show
from onnx_export.errors import exit_code_of
from onnx_export.tokenizer import TOKENS
from onnx_export.write import whole_folder

PROMPT = "prompt_embedding.npy"
SELF_ATTENTION_SCALE = 2.5

SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}


def make_unet(width: Width) -> UNet2DConditionModel:
    """Returns the UNet, drawn from torch's current state."""
    unet = UNet2DConditionModel(**width.unet)
    with torch.no_grad():
        for name, weights in unet.named_parameters():
            if name.endswith((".attn1.to_q.weight", ".attn1.to_k.weight")):
                weights.mul_(SELF_ATTENTION_SCALE)
        unet.conv_out.weight.mul_(width.prediction_scale)
    return unet


def make_vae(width: Width) -> AutoencoderKL:
    """Returns the VAE, drawn from torch's current state."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        **width.vae,
    )


def write_checkpoint(out: Path, width: Width, seed: int, force: bool = False) -> None:
    """Writes the checkpoint, whole or not at all; an `out` with files in it needs `force`."""
    with whole_folder(out, PROMPT, force) as folder:
        torch.manual_seed(seed)
        make_unet(width).save_pretrained(folder / "unet")
        make_vae(width).save_pretrained(folder / "vae")
        prompt = torch.randn(1, TOKENS, width.unet["cross_attention_dim"])
        np.save(folder / PROMPT, prompt.numpy())
        DDIMScheduler(**SCHEDULE).save_pretrained(folder / "scheduler")


def parser() -> argparse.ArgumentParser:
    """Returns the parser of this module's command line."""
    parser = argparse.ArgumentParser(
        prog="python -m baseline.checkpoint", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--width", choices=tuple(WIDTHS), default="full")
    parser.add_argument("--seed", type=int, help="default: 15, or 7 at golden width")
    parser.add_argument("--force", action="store_true", help="replace DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    args = parser().parse_args(arguments)
    width = WIDTHS[args.width]
    seed = width.seed if args.seed is None else args.seed

    def run() -> None:
        write_checkpoint(args.out, width, seed, args.force)
        show(args.out)

    return exit_code_of("baseline.checkpoint", run)


if __name__ == "__main__":
    sys.exit(main())
