"""Writing a checkpoint in diffusers' layout, so that a reader never sees half of it."""

import shutil
from pathlib import Path

import numpy as np
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor


def write_checkpoint(
    out: Path,
    unet: UNet2DConditionModel,
    vae: Path,
    scheduler: DDIMScheduler,
    prompt: Tensor,
) -> None:
    """Writes the three models and the prompt embedding beside `out`, then renames.

    The autoencoder is taken from its folder `vae`, whose decoder may still be in training.
    """
    beside, old = out.with_name(out.name + ".new"), out.with_name(out.name + ".old")
    for leftover in (beside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    beside.mkdir(parents=True)
    unet.save_pretrained(beside / "unet")
    AutoencoderKL.from_pretrained(vae).save_pretrained(beside / "vae")
    scheduler.save_pretrained(beside / "scheduler")
    np.save(beside / "prompt_embedding.npy", prompt.numpy().astype(np.float32))
    if out.exists():
        out.rename(old)
    beside.rename(out)
    shutil.rmtree(old, ignore_errors=True)
