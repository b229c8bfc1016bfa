"""The demo's UNet: Stable Diffusion's shape in small, trained with FreeU inside.

FreeU scales features before each up block. At full size it is a free lunch; a small UNet would be
spoilt by it, so it is part of the network from the first step.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn

from onnx_export.freeu import FreeUScales, freeu_for

from .checkpoint import write_checkpoint
from .ema import Ema
from .latents import LatentPool
from .muon import optimizers
from .threads import AdaptiveThreads
from .vae import schedule

log = logging.getLogger(__name__)

PROMPT_WIDTH = 32
LATENT_WIDTH = 64
WIDEST = 128
FREEU = FreeUScales()


@dataclass(frozen=True)
class UnetTraining:
    """How long and on what the UNet is trained."""

    minutes: float
    seed: int = 0
    batch: int = 8
    learning_rate: float = 1.5e-3
    full_width_share: float = 0.15
    full_width_from: float = 0.8
    ema_decay: float = 0.999
    snr_cap: float = 5.0
    first_latents: int = 256
    steps_per_latent: int = 2
    save_every: float = 240.0


def make_unet() -> UNet2DConditionModel:
    """Returns the untrained UNet."""
    return UNet2DConditionModel(
        sample_size=LATENT_WIDTH,
        in_channels=4,
        out_channels=4,
        block_out_channels=(32, 64, WIDEST, WIDEST),
        layers_per_block=1,
        cross_attention_dim=PROMPT_WIDTH,
        attention_head_dim=2,
        norm_num_groups=16,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    )


def make_scheduler() -> DDIMScheduler:
    """Returns Stable Diffusion's noise schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def make_prompt(seed: int) -> Tensor:
    """Returns the constant prompt embedding, `(1, 77, 32)`."""
    return torch.randn(1, 77, PROMPT_WIDTH, generator=torch.Generator().manual_seed(seed))


@contextmanager
def freeu_inside(unet: UNet2DConditionModel) -> Iterator[None]:
    """Filters the input of every up block for a while."""

    def hook(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        hidden = kwargs["hidden_states"]
        filtered = _freeu(hidden.shape[1], *hidden.shape[2:])(hidden.float())
        return args, kwargs | {"hidden_states": filtered.to(hidden.dtype)}

    handles = [block.register_forward_pre_hook(hook, with_kwargs=True) for block in unet.up_blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@cache
def _freeu(channels: int, height: int, width: int) -> nn.Module:
    return freeu_for(channels, WIDEST, (height, width), FREEU)


def train_unet(work: Path, out: Path, training: UnetTraining) -> None:
    """Trains on the latents of `work/pictures.npy` and writes `out` (continues what is there)."""
    torch.manual_seed(training.seed)
    rng = np.random.default_rng(training.seed)
    vae = AutoencoderKL.from_pretrained(work / "vae")
    known = (out / "unet/config.json").exists()
    unet = UNet2DConditionModel.from_pretrained(out / "unet") if known else make_unet()
    unet.set_attn_processor(AttnProcessor())  # faster on a CPU than its fused attention
    scheduler, prompt = make_scheduler(), make_prompt(0)
    pool = LatentPool(work, vae)
    pool.grow(training.first_latents - len(pool.latents))
    pool.save()
    log.info("%d latents", len(pool.latents))

    steppers = optimizers(unet, training.learning_rate, weight_decay=1e-3)
    ema = Ema(unet, training.ema_decay)
    alphas = scheduler.alphas_cumprod.float()
    started = saved = logged = time.monotonic()
    losses: list[float] = []
    step = 0
    threads = AdaptiveThreads(torch.get_num_threads())
    with freeu_inside(unet.train()):
        while (spent := (time.monotonic() - started) / (60 * training.minutes)) < 1.0:
            for group in chain.from_iterable(stepper.param_groups for stepper in steppers):
                group["lr"] = training.learning_rate * schedule(step, spent)
            wide = spent > training.full_width_from or rng.random() < training.full_width_share
            count = training.batch // 2 if wide else training.batch
            clean = pool.sample(rng, count, LATENT_WIDTH if wide else LATENT_WIDTH // 2)
            loss = denoising_loss(unet, clean, alphas, prompt, training.snr_cap)
            unet.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
            for stepper in steppers:
                stepper.step()
            ema.update()
            losses.append(loss.item())
            step += 1
            threads.step()
            pool.grow(step % training.steps_per_latent == 0)
            now = time.monotonic()
            if now - logged > 20:
                logged = now
                log.info("step %d (%.0f %%, %d threads): loss %.4f, %d latents", step, 100 * spent,
                         torch.get_num_threads(),
                         np.mean(losses), len(pool.latents))  # fmt: skip
                losses.clear()
            if now - saved > training.save_every:
                saved = now
                with ema.applied():
                    write_checkpoint(out, unet, work / "vae", scheduler, prompt)
                pool.save()
        with ema.applied():
            write_checkpoint(out, unet, work / "vae", scheduler, prompt)
    log.info("done after %d steps", step)


def denoising_loss(
    unet: UNet2DConditionModel, clean: Tensor, alphas: Tensor, prompt: Tensor, snr_cap: float
) -> Tensor:
    """Returns the weighted squared error of the predicted noise at random timesteps."""
    timesteps = sample_timesteps(len(clean))
    alpha = alphas[timesteps].view(-1, 1, 1, 1)
    noise = torch.randn_like(clean)
    noised = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    with torch.autocast("cpu", torch.bfloat16):
        predicted = unet(noised, timesteps, prompt.expand(len(clean), -1, -1)).sample
    error = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
    snr = (alpha / (1 - alpha)).flatten()
    weight = (snr.clamp(max=snr_cap) / snr).sqrt()
    return (weight * error).mean()


def sample_timesteps(count: int) -> Tensor:
    """Returns random timesteps, four in five of them below 450: the demo runs 381 down to 1."""
    low = torch.randint(0, 450, (count,))
    high = torch.randint(450, 1000, (count,))
    return torch.where(torch.rand(count) < 0.8, low, high)
