"""A Stable Diffusion 1.x or 2.x checkpoint in diffusers' layout, checked for the method."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from onnx_export.errors import CheckpointError, first_line

PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
WEIGHTS = "diffusion_pytorch_model"

# UNet settings that change its forward pass, and the only values this package knows.
UNET_SETTINGS: dict[str, tuple[Any, ...]] = {
    "in_channels": (4,),
    "out_channels": (4,),
    "center_input_sample": (False,),
    "class_embed_type": (None,),
    "num_class_embeds": (None,),
    "addition_embed_type": (None,),
    "encoder_hid_dim_type": (None,),
    "encoder_hid_dim": (None,),
    "time_cond_proj_dim": (None,),
    "time_embedding_act_fn": (None,),
    "dual_cross_attention": (False,),
    "only_cross_attention": (False,),
    "mid_block_only_cross_attention": (None, False),
    "cross_attention_norm": (None,),
    "attention_type": ("default",),
    "resnet_time_scale_shift": ("default",),
    "mid_block_type": ("UNetMidBlock2DCrossAttn",),
}

VAE_SETTINGS: dict[str, tuple[Any, ...]] = {
    "latent_channels": (4,),
    "in_channels": (3,),
    "out_channels": (3,),
    "shift_factor": (None,),
    "latents_mean": (None,),
    "latents_std": (None,),
}

# Scheduler settings that the model was trained with, and the only values the method knows.
TRAINING_SETTINGS: dict[str, tuple[Any, ...]] = {
    "prediction_type": ("epsilon",),
    "beta_schedule": ("scaled_linear",),
    "num_train_timesteps": (1000,),
    "trained_betas": (None,),
    "rescale_betas_zero_snr": (False, None),
}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder whose parts are there and whose schedule fits the method."""

    folder: Path
    schedule: dict[str, Any]

    @staticmethod
    def open(folder: Path) -> Checkpoint:
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is not a folder: give a diffusers checkpoint folder")
        for name in ("unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"):
            if not (folder / name).is_file():
                raise CheckpointError(
                    f"{folder / name} is missing: give a diffusers checkpoint "
                    "with unet, vae and scheduler"
                )
        return Checkpoint(folder, read_schedule(folder / "scheduler/scheduler_config.json"))

    def unet(self) -> UNet2DConditionModel:
        """Returns the UNet in float32."""
        config = self.folder / "unet/config.json"
        settings = read_json(config)
        refuse_unknown(config, settings, UNET_SETTINGS)
        if not isinstance(settings.get("cross_attention_dim"), int):
            raise CheckpointError(f"{config} must have one integer as cross_attention_dim")
        blocks = settings.get("up_block_types", ["CrossAttnUpBlock2D"])
        if any(kind != "CrossAttnUpBlock2D" for kind in blocks[-2:]):
            raise CheckpointError(
                f"{config} has up_block_types {blocks}: the method injects into the last two, "
                "which must be CrossAttnUpBlock2D"
            )
        return self._load("unet", UNet2DConditionModel.from_pretrained)

    def vae(self) -> AutoencoderKL:
        """Returns the VAE in float32."""
        config = self.folder / "vae/config.json"
        settings = read_json(config)
        refuse_unknown(config, settings, VAE_SETTINGS)
        if len(settings.get("block_out_channels", ())) != 4:
            raise CheckpointError(f"{config} must have four block_out_channels: a latent is 1/8")
        return self._load("vae", AutoencoderKL.from_pretrained)

    def has_text_encoder(self) -> bool:
        return all((self.folder / part).is_dir() for part in ("text_encoder", "tokenizer"))

    def sha256(self) -> str:
        """Returns a digest over the names and contents of the files of all parts, sorted."""
        digest = hashlib.sha256()
        files = [p for part in PARTS for p in (self.folder / part).rglob("*") if p.is_file()]
        for path in sorted(files, key=lambda p: p.relative_to(self.folder).as_posix()):
            digest.update(path.relative_to(self.folder).as_posix().encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _load(self, part: str, load: Callable[..., torch.nn.Module]) -> Any:
        folder = self.folder / part
        variant = None
        if not list(folder.glob(f"{WEIGHTS}[.-]*")):
            raise CheckpointError(f"{folder} has no {WEIGHTS}.safetensors: download the weights")
        if not any((folder / f"{WEIGHTS}.{end}").is_file() for end in ("safetensors", "bin")):
            variant = "fp16" if list(folder.glob(f"{WEIGHTS}*.fp16*")) else None
        try:
            model, report = load(
                folder,
                local_files_only=True,
                low_cpu_mem_usage=True,
                torch_dtype=torch.float32,
                variant=variant,
                output_loading_info=True,
            )
        except Exception as error:
            raise CheckpointError(f"{folder} cannot be loaded: {first_line(error)}") from error
        if missing := sorted(report["missing_keys"]):
            raise CheckpointError(f"{folder} lacks {len(missing)} weights, {missing[0]} among them")
        return model.eval().requires_grad_(False)


def read_json(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON ({error}): download it again") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} is not a JSON object: download it again")
    return settings


def read_schedule(path: Path) -> dict[str, Any]:
    """Returns the contract's schedule.

    How the model was trained (betas, prediction type) is the checkpoint's and is checked. How it
    is sampled (leading timesteps, offset 1, the last step to `alphas_cumprod[0]`) is the method's
    own, whatever sampler the checkpoint happens to be saved with.
    """
    settings = read_json(path)
    refuse_unknown(path, settings, TRAINING_SETTINGS)
    for key in ("beta_start", "beta_end", "beta_schedule"):
        if key not in settings:
            raise CheckpointError(f"{path} lacks {key}: give the one the model was trained with")
    return {
        "num_train_timesteps": settings.get("num_train_timesteps", 1000),
        "beta_start": settings["beta_start"],
        "beta_end": settings["beta_end"],
        "beta_schedule": settings["beta_schedule"],
        "steps_offset": 1,
        "set_alpha_to_one": False,
        "timestep_spacing": "leading",
        "prediction_type": settings.get("prediction_type", "epsilon"),
    }


def refuse_unknown(path: Path, settings: dict[str, Any], known: dict[str, tuple[Any, ...]]) -> None:
    """Raises if a setting has a value that the method or this package does not know."""
    for key, values in known.items():
        value = settings.get(key, values[0])
        if value not in values:
            raise CheckpointError(
                f"{path} has {key} {value!r}, and only {values[0]!r} is supported: "
                "use a Stable Diffusion 1.x or 2.x base checkpoint"
            )
