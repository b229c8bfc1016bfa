"""Shapes of networks with random weights: Stable Diffusion 1.5's, and a small one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Width:
    """What differs between the full and the golden model."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    prediction_scale: float
    seed: int


WIDTHS = {
    "full": Width(
        unet={
            "sample_size": 64,
            "block_out_channels": (320, 640, 1280, 1280),
            "norm_num_groups": 32,
            "attention_head_dim": 8,
            "cross_attention_dim": 768,
        },
        vae={
            "sample_size": 512,
            "block_out_channels": (128, 256, 512, 512),
            "layers_per_block": 2,
            "norm_num_groups": 32,
        },
        prediction_scale=3.0,
        seed=15,
    ),
    "golden": Width(
        unet={
            "sample_size": 16,
            "block_out_channels": (16, 32, 64, 64),
            "norm_num_groups": 16,
            "attention_head_dim": 4,
            "cross_attention_dim": 32,
        },
        vae={
            "sample_size": 128,
            "block_out_channels": (12, 12, 12, 12),
            "layers_per_block": 1,
            "norm_num_groups": 12,
        },
        prediction_scale=1.0,
        seed=7,
    ),
}
