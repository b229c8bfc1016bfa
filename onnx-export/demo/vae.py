"""The demo's autoencoder: Stable Diffusion's shape, a fiftieth of its weights."""

import logging
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from .ema import Ema
from .muon import optimizers
from .pictures import HEIGHT, WIDTH, open_pictures
from .threads import AdaptiveThreads

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VaeTraining:
    """How long and on what the autoencoder is trained."""

    minutes: float
    seed: int = 0
    batch: int = 8
    crop: int = 128
    learning_rate: float = 2e-3
    edge_weight: float = 0.3
    square_weight: float = 2.0
    patch_weight: float = 2.0
    chroma_weight: float = 1.0
    size_weight: float = 0.01
    latent_noise: float = 0.05
    anchor_weight: float = 0.02
    anchor_steps: int = 150
    decoder_only: bool = False
    pictures: int | None = None
    save_every: float = 120.0


def make_vae() -> AutoencoderKL:
    """Returns the untrained autoencoder: eight pixels a latent, four channels."""
    return AutoencoderKL(
        block_out_channels=(16, 32, 64, 96),
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        mid_block_add_attention=False,
        sample_size=WIDTH,
    )


def train_vae(work: Path, out: Path, training: VaeTraining) -> None:
    """Trains on crops of `work/pictures.npy` and writes `out` (continues what is there)."""
    torch.manual_seed(training.seed)
    rng = np.random.default_rng(training.seed)
    pictures = open_pictures(work / "pictures.npy")[: training.pictures]
    known = (out / "config.json").exists()
    vae = AutoencoderKL.from_pretrained(out) if known else make_vae()
    scaling = vae.config.scaling_factor
    vae.train()
    if training.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    weights = [p for p in vae.parameters() if p.requires_grad]
    steppers = optimizers(vae, training.learning_rate, weight_decay=1e-4)
    ema = Ema(vae, 0.995)
    started = saved = logged = time.monotonic()
    step, squares = 0, []
    threads = AdaptiveThreads(torch.get_num_threads())
    while (spent := (time.monotonic() - started) / (60 * training.minutes)) < 1.0:
        for group in chain.from_iterable(stepper.param_groups for stepper in steppers):
            group["lr"] = training.learning_rate * schedule(step, spent)
        batch = crops(pictures, rng, training)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = vae.encode(batch).latent_dist
            latent = posterior.mode()
            latent = latent + training.latent_noise * torch.randn_like(latent)
            rebuilt = vae.decode(latent).sample
        rebuilt = rebuilt.float()
        loss = rebuilding_loss(rebuilt, batch, training)
        if not training.decoder_only:
            mean = posterior.mean.float()
            young = 0.0 if known else 1.0 - step / training.anchor_steps
            held = max(young, training.anchor_weight)
            loss = loss + held * functional.mse_loss(mean[:, :3], patch_colours(batch))
            loss = loss + training.size_weight * mean.square().mean()
        vae.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for stepper in steppers:
            stepper.step()
        ema.update()
        step += 1
        threads.step()
        now = time.monotonic()
        squares.append(functional.mse_loss(rebuilt, batch).item() / 4)
        if now - logged > 20:
            logged = now
            mse, squares = np.mean(squares), []
            log.info("step %d (%.0f %%, %d threads): loss %.4f, psnr %.2f, latent std %.2f", step,
                     100 * spent, torch.get_num_threads(), loss.item(), -10 * np.log10(mse),
                     posterior.mean.std().item())  # fmt: skip
        if now - saved > training.save_every:
            saved = now
            with ema.applied():
                vae.save_pretrained(out)
    with ema.applied():
        if not training.decoder_only:
            scaling = 1.0 / latent_spread(vae, pictures[:: max(len(pictures) // 64, 1)])
        vae.register_to_config(scaling_factor=round(scaling, 5))
        vae.save_pretrained(out)
    log.info("done after %d steps", step)


def rebuilding_loss(rebuilt: Tensor, target: Tensor, training: VaeTraining) -> Tensor:
    """Returns how far apart two pictures are: colours, slopes (crisp edges) and patch means.

    Without the terms for colour the four latent channels are spent on the brightness of edges.
    """
    error = rebuilt - target
    slopes = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    patches = functional.avg_pool2d(error, 8).abs().mean()
    chroma = (error[:, 0::2] - error[:, 1:2]).abs().mean()
    return (
        error.abs().mean()
        + training.square_weight * error.square().mean()
        + training.edge_weight * slopes
        + training.patch_weight * patches
        + training.chroma_weight * chroma
    )


def patch_colours(pictures: Tensor) -> Tensor:
    """Returns each patch's mean brightness and two colour differences, of about unit spread.

    The first three latent channels are held to them while training is young: else all four learn
    brightness, and colours come very late. It also makes latent statistics those of colours, which
    is what AdaIN hands over.
    """
    red, green, blue = functional.avg_pool2d(pictures, 8).unbind(dim=1)
    brightness = 0.3 * red + 0.59 * green + 0.11 * blue
    return torch.stack([2 * brightness, 4 * (red - green), 4 * (blue - green)], dim=1)


def schedule(step: int, spent: float) -> float:
    """Returns the share of the learning rate: 200 steps of warm-up, then a cosine."""
    return min(1.0, (step + 1) / 200) * (0.02 + 0.98 * 0.5 * (1.0 + np.cos(np.pi * spent)))


def crops(pictures: np.ndarray, rng: np.random.Generator, training: VaeTraining) -> Tensor:
    """Returns random square crops, half of them mirrored, as `(batch, 3, crop, crop)`."""
    size = training.crop
    batch = []
    for _ in range(training.batch):
        picture = pictures[rng.integers(len(pictures))]
        y, x = rng.integers(HEIGHT - size + 1), rng.integers(WIDTH - size + 1)
        crop = picture[y : y + size, x : x + size]
        batch.append(crop[:, ::-1] if rng.random() < 0.5 else crop)
    return to_tensor(np.stack(batch))


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Returns bytes `(n, h, w, 3)` as floats in -1..1, `(n, 3, h, w)`."""
    tensor = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2)
    return (tensor.float() / 127.5 - 1.0).contiguous()


@torch.no_grad()
def latent_spread(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """Returns the standard deviation of the latents of some pictures."""
    modes = [vae.encode(to_tensor(p[None])).latent_dist.mode() for p in pictures]
    return torch.cat(modes).std().item()
