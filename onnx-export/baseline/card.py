"""Times the released code's work on a GPU, with plain PyTorch and a network of random weights.

    python -m baseline.card --device cuda:0 --dtype fp16 --size 1024x512

Nothing but torch and diffusers is needed. The UNet's six layers that inject have explicit attention
maps, all others diffusers' default. One evaluation of each kind is timed, the best of `--repeat`
after one that is not counted, and an image is that many of them as the released code makes: 50 of
one latent for the inversion, and in each of 20 steps three latents twice, with injection and
without. Encoding and decoding come on top. The figures are printed as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from baseline.attention import Injection, make_attention_explicit
from baseline.freeu import filter_up_blocks
from baseline.widths import WIDTHS, Width

LATENT_SCALE = 8
TOKENS = 77
STEPS, EXECUTED, BRANCHES = 50, 20, 3
TIMESTEP = 401
INJECTION = Injection(contrast_strength=1.67, filter_fraction=0.25)
DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


def parser() -> argparse.ArgumentParser:
    """Returns the parser of this module's command line."""
    parser = argparse.ArgumentParser(
        prog="python -m baseline.card", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--device", default="cuda:0", help="default: cuda:0")
    add("--dtype", choices=tuple(DTYPES), default="fp16")
    add("--width", choices=tuple(WIDTHS), default="full", help="of the network; default: full")
    add("--size", default="1024x512", metavar="WxH", help="of the image, in pixels")
    add("--repeat", type=int, default=3)
    return parser


class Card:
    """A UNet and a VAE of random weights on a device."""

    def __init__(self, width: Width, device: str, dtype: torch.dtype) -> None:
        self.device, self.dtype = torch.device(device), dtype
        torch.manual_seed(width.seed)
        with self.device:
            self.unet = UNet2DConditionModel(**width.unet).to(dtype).eval()
            self.vae = AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                **width.vae,
            )
            self.vae = self.vae.to(dtype).eval()
        filter_up_blocks(self.unet)
        self.explicit_layers = make_attention_explicit(self.unet)
        self.prompt = self.drawn(1, TOKENS, width.unet["cross_attention_dim"])

    def drawn(self, *shape: int) -> torch.Tensor:
        """Returns random numbers on the device."""
        return torch.randn(shape, device=self.device, dtype=self.dtype)

    def evaluate(self, latents: torch.Tensor, injection: Injection | None = None) -> torch.Tensor:
        """Returns the noise prediction for latents, three of them to inject."""
        for layer in self.explicit_layers:
            layer.injection = injection
        prompt = self.prompt.expand(len(latents), -1, -1)
        timestep = torch.tensor(TIMESTEP, device=self.device)
        return self.unet(latents, timestep, prompt).sample

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        """Returns the latent of an image."""
        return self.vae.encode(image).latent_dist.mode()

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Returns the image of a latent."""
        return self.vae.decode(latent).sample

    def wait(self) -> None:
        """Waits until the device has computed everything."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def peak_bytes(self) -> int:
        """Returns the most memory of the device that was held."""
        is_gpu = self.device.type == "cuda"
        return torch.cuda.max_memory_reserved(self.device) if is_gpu else 0


def best(card: Card, work: Callable[[], torch.Tensor], repeat: int) -> float:
    """Returns the seconds of some work: the best of several, after one that is not counted."""
    seconds = []
    for _ in range(1 + repeat):
        card.wait()
        start = time.perf_counter()
        work()
        card.wait()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


@torch.no_grad()
def measured(card: Card, width: int, height: int, repeat: int) -> dict[str, Any]:
    """Returns the figures of an image's size."""
    shape = (4, height // LATENT_SCALE, width // LATENT_SCALE)
    one, three = card.drawn(1, *shape), card.drawn(BRANCHES, *shape)
    image = card.drawn(1, 3, height, width)
    seconds = {
        "inversion": best(card, lambda: card.evaluate(one), repeat),
        "injected": best(card, lambda: card.evaluate(three, INJECTION), repeat),
        "plain": best(card, lambda: card.evaluate(three), repeat),
        "encode": best(card, lambda: card.encode(image), repeat),
        "decode": best(card, lambda: card.decode(one), repeat),
    }
    denoising = EXECUTED * (seconds["injected"] + seconds["plain"])
    around = seconds["encode"] + seconds["decode"]
    return {
        "torch": torch.__version__,
        "seconds_of_each": seconds,
        "evaluations": STEPS + EXECUTED * 2 * BRANCHES,
        "seconds_an_image": STEPS * seconds["inversion"] + denoising + around,
        "peak_bytes": card.peak_bytes(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code: 0, 2 or 3 if the device has no memory."""
    args = parser().parse_args(arguments)
    found = re.fullmatch(r"(\d+)x(\d+)", args.size)
    if found is None or any(int(length) % 64 or int(length) == 0 for length in found.groups()):
        parser().error(f"--size {args.size} is no WIDTHxHEIGHT in multiples of 64")
    if args.repeat < 1:
        parser().error(f"--repeat ({args.repeat}) must be at least 1")
    width, height = map(int, found.groups())
    try:
        card = Card(WIDTHS[args.width], args.device, DTYPES[args.dtype])
        print(json.dumps(measured(card, width, height, args.repeat)))
    except torch.OutOfMemoryError as error:
        print(f"{args.device} has too little memory: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
