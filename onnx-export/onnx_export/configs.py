"""What the configurations of a checkpoint's parts must say, and the values known here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnx_export.distilled import refuse_distilled_unet
from onnx_export.errors import CheckpointError
from onnx_export.files import read_json

# Settings that decide what a part computes and that no shape of a weight gives away: the libraries
# put a default in place of one that is missing.
NEEDED = {
    "unet": (
        "act_fn",
        "attention_head_dim",
        "block_out_channels",
        "cross_attention_dim",
        "down_block_types",
        "flip_sin_to_cos",
        "freq_shift",
        "in_channels",
        "layers_per_block",
        "norm_eps",
        "norm_num_groups",
        "out_channels",
        "up_block_types",
    ),
    "vae": (
        "act_fn",
        "block_out_channels",
        "down_block_types",
        "in_channels",
        "latent_channels",
        "layers_per_block",
        "norm_num_groups",
        "out_channels",
        "up_block_types",
    ),
    "text_encoder": (
        "hidden_act",
        "hidden_size",
        "intermediate_size",
        "layer_norm_eps",
        "max_position_embeddings",
        "num_attention_heads",
        "num_hidden_layers",
        "vocab_size",
    ),
}

# UNet settings that change its forward pass, and the only values this package knows.
UNET_SETTINGS: dict[str, tuple[Any, ...]] = {
    "_class_name": ("UNet2DConditionModel",),
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
    "quantization_config": (None,),
    "upcast_attention": (False, None, True),
}

VAE_SETTINGS: dict[str, tuple[Any, ...]] = {
    "_class_name": ("AutoencoderKL",),
    "latent_channels": (4,),
    "in_channels": (3,),
    "out_channels": (3,),
    "shift_factor": (None,),
    "latents_mean": (None,),
    "latents_std": (None,),
    "quantization_config": (None,),
}

TEXT_SETTINGS: dict[str, tuple[Any, ...]] = {
    "model_type": ("clip_text_model", "clip"),
    "quantization_config": (None,),
}


def unet_settings(path: Path) -> dict[str, Any]:
    """Returns the UNet's configuration, if the method knows such a UNet."""
    refuse_distilled_unet(path, read_json(path))
    settings = checked_settings(path, "unet", UNET_SETTINGS)
    if not is_count(settings["cross_attention_dim"]):
        raise CheckpointError(f"{path} must have one integer as cross_attention_dim")
    refuse_widths(path, settings)
    blocks = settings["up_block_types"]
    if len(blocks) < 2 or any(kind != "CrossAttnUpBlock2D" for kind in blocks[-2:]):
        raise CheckpointError(
            f"{path} has up_block_types {blocks}: the method injects into the last two, "
            "which must be CrossAttnUpBlock2D"
        )
    return settings


def vae_settings(path: Path) -> dict[str, Any]:
    """Returns the VAE's configuration, if its latents are those of Stable Diffusion."""
    settings = checked_settings(path, "vae", VAE_SETTINGS)
    refuse_widths(path, settings)
    if len(settings["block_out_channels"]) != 4:
        raise CheckpointError(f"{path} must have four block_out_channels: a latent is 1/8")
    scale = settings.get("scaling_factor", 1.0)
    if not is_number(scale) or not scale > 0:
        raise CheckpointError(f"{path} has scaling_factor {scale!r}, expected a number above 0")
    return settings


def text_settings(path: Path, width: int, unet: Path, num_tokens: int) -> dict[str, Any]:
    """Returns the text encoder's configuration, if it gives embeddings of the UNet's width.

    `path` and `unet` are the configurations of both.
    """
    settings = checked_settings(path, "text_encoder", TEXT_SETTINGS)
    for key, expected, whose in (
        ("hidden_size", width, f"cross_attention_dim {width} in {unet}"),
        ("max_position_embeddings", num_tokens, f"the method's {num_tokens} tokens"),
    ):
        if settings[key] != expected:
            raise CheckpointError(
                f"{path} has {key} {settings[key]!r}, which does not fit {whose}: "
                "use the text encoder that belongs to this UNet"
            )
    if not is_count(settings["vocab_size"]):
        raise CheckpointError(f"{path} has vocab_size {settings['vocab_size']!r}, no count")
    return settings


def checked_settings(path: Path, part: str, known: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Returns a part's configuration, with all that is needed and nothing that is not known."""
    settings = read_json(path)
    refuse_unknown(path, settings, known)
    missing = [key for key in NEEDED[part] if key not in settings]
    if missing:
        raise CheckpointError(
            f"{path} lacks {', '.join(missing)}: download it again; without it a default would "
            "take its place"
        )
    return settings


def refuse_unknown(path: Path, settings: dict[str, Any], known: dict[str, tuple[Any, ...]]) -> None:
    """Raises if a setting has a value that the method or this package does not know."""
    for key, values in known.items():
        value = settings.get(key, values[0])
        if value not in values:
            raise CheckpointError(
                f"{path} has {key} {value!r}, and only {said(values)} is supported: "
                "use a Stable Diffusion 1.x or 2.x checkpoint"
            )


def said(values: tuple[Any, ...]) -> str:
    """Returns the values that a setting may have, as people read them."""
    return " or ".join(repr(value) for value in values if value is not None) or repr(values[0])


def refuse_widths(path: Path, settings: dict[str, Any]) -> None:
    """Raises if the settings of the levels are not lists of one length."""
    keys = ("block_out_channels", "down_block_types", "up_block_types")
    for key in keys:
        if not isinstance(settings[key], list) or not settings[key]:
            raise CheckpointError(f"{path} has {key} {settings[key]!r}, expected a list")
    lengths = [len(settings[key]) for key in keys]
    if len(set(lengths)) != 1:
        counts = " and ".join(f"{n} {key}" for key, n in zip(keys, lengths, strict=True))
        raise CheckpointError(f"{path} has {counts}, expected as many of each")
    if not all(is_count(width) for width in settings["block_out_channels"]):
        raise CheckpointError(
            f"{path} has block_out_channels {settings['block_out_channels']}, expected counts"
        )


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def listed(names: Sequence[str]) -> str:
    """Returns the first of many names, and how many there are."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
