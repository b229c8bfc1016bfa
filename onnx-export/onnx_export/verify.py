"""The checkpoint's own results on seeded inputs, and whether the exported folder gives them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from onnx_export.compare import TOLERANCES, refuse_difference, run
from onnx_export.contract import ModelContract, ScheduleConstants
from onnx_export.schedule import alphas_cumprod
from onnx_export.unet import ExportedUnet
from onnx_export.watch import watched

SEED = 65504
TIMESTEP = 501
DTYPES = {"fp32": np.float32, "fp16": np.float16}
OTHER_VAE = (
    "export with --vae-dtype fp32 (and no --weights fp16), or give --vae DIR with "
    "a VAE that was made for half precision"
)
OTHER_DTYPE = "export with --dtype fp32"


@dataclass(frozen=True)
class Probe:
    """A seeded image, and what is to be known of the model beside its weights."""

    image: Tensor
    noise: Tensor
    prompt: np.ndarray
    schedule: ScheduleConstants


@dataclass(frozen=True)
class Expected:
    """What the checkpoint makes of a probe, `notes` on how near it comes to half precision's end.

    `sample` is `latent` with the noise of the timestep, as the UNet sees it.
    """

    probe: Probe
    latent: Tensor
    image: Tensor
    sample: Tensor
    noise_pred: Tensor
    notes: tuple[str, ...]


def probe(height: int, width: int, prompt: np.ndarray, schedule: ScheduleConstants) -> Probe:
    """Returns the probe of an image size: areas of colour with grain on them, in [-1, 1]."""
    generator = torch.Generator().manual_seed(SEED)
    coarse = torch.randn(1, 3, height // 16, width // 16, generator=generator)
    grain = torch.randn(1, 3, height, width, generator=generator)
    areas = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    noise = torch.randn(1, 4, height // 8, width // 8, generator=generator)
    return Probe((areas + 0.1 * grain).clamp(-1, 1), noise, prompt, schedule)


@torch.no_grad()
def expected(
    given: Probe, unet: ExportedUnet, vae: AutoencoderKL, half: Collection[str]
) -> Expected:
    """Returns what the checkpoint computes, in float32, with diffusers' own attention.

    `half` names the parts whose graphs compute in half precision. Raises `CheckpointError` naming
    the module where a number is not finite or, in such a part, beyond it.
    """
    scale = vae.config.scaling_factor
    with watched(vae, "the VAE", "vae" in half, OTHER_VAE, "--vae-dtype fp32") as in_vae:
        latent = vae.encode(given.image).latent_dist.mode() * scale
        image = vae.decode(latent / scale).sample
    alpha = float(alphas_cumprod(given.schedule)[TIMESTEP])
    sample = alpha**0.5 * latent + (1.0 - alpha) ** 0.5 * given.noise
    with watched(unet, "the UNet", "unet" in half, OTHER_DTYPE) as in_unet:
        noise_pred = unet(sample, torch.tensor([TIMESTEP]), torch.from_numpy(given.prompt))
    seen_in = {"vae": in_vae, "unet": in_unet}
    notes = tuple(note for part, seen in seen_in.items() if part in half and (note := seen.note()))
    return Expected(given, latent, image, sample, noise_pred, notes)


def verify(folder: Path, contract: ModelContract, wanted: Expected) -> None:
    """Raises `CheckpointError` unless the folder's graphs give what the checkpoint gives."""
    vae_dtype = DTYPES[contract.vae_precision.dtype]
    tolerance = TOLERANCES[contract.vae_precision.dtype, contract.vae_precision.weights]
    for what, half, given, result in (
        ("VAE encoder", contract.vae_encoder, wanted.probe.image, wanted.latent),
        ("VAE decoder", contract.vae_decoder, wanted.latent, wanted.image),
    ):
        inputs = {half.inputs[0].name: given.numpy().astype(vae_dtype)}
        (found,) = run(folder / half.graph.file, half.output_names(), inputs)
        refuse_difference(what, found, result.numpy(), tolerance)

    dtype = DTYPES[contract.dtype]
    tolerance = TOLERANCES[contract.dtype, contract.weights]
    tensors = {
        "sample": wanted.sample.numpy().astype(dtype),
        "timestep": np.array([TIMESTEP], np.int64),
        "prompt_embedding": wanted.probe.prompt.astype(dtype),
    }
    for segment in contract.segments:
        part, layer = segment.part, segment.layer
        inputs = {each.name: tensors[each.name] for each in part.inputs}
        names = part.output_names()
        tensors.update(zip(names, run(folder / part.graph.file, names, inputs), strict=True))
        if layer is not None:
            query, key, value = (tensors[name] for name in (layer.query, layer.key, layer.value))
            tensors[layer.output] = attention(query, key, value, layer.heads)
    refuse_difference("UNet", tensors["noise_pred"], wanted.noise_pred.numpy(), tolerance)


def attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int) -> np.ndarray:
    """Returns self-attention as it is without injection; all `(1, tokens, heads * head_width)`."""

    def split(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x.astype(np.float32)).unflatten(2, (heads, -1)).transpose(1, 2)

    result = functional.scaled_dot_product_attention(split(query), split(key), split(value))
    return result.transpose(1, 2).flatten(2).numpy().astype(query.dtype)
