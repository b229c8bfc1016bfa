"""DINOv2's patch features at one size, with the position embedding stretched to it beforehand.

**Source:** Oquab et al. 2023 (arXiv:2304.07193); the position embedding is stretched as in the
authors' code (`torch.hub`).
**Differs:** transformers stretches it to the exact size, the authors by a factor that is a tenth
of a patch greater; the released code of ASTModel has the authors' numbers, and so has this.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Dinov2Model

from onnx_export.errors import CheckpointError, UsageError
from onnx_export.files import needed_file, read_json
from onnx_export.finite import refuse_not_finite
from onnx_export.loading import ANOTHER, loaded, refuse_missing

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# What the authors add to the number of patches, so that rounding never loses one.
OFFSET = 0.1
CONFIG, WEIGHTS = "config.json", "model.safetensors"
# Settings that decide what is computed and that no shape of a weight gives away.
NEEDED = ("hidden_act", "layer_norm_eps", "num_attention_heads", "patch_size", "image_size")
MAX_SIDE = 8192


@dataclass(frozen=True)
class Grid:
    """The patches of an image."""

    height: int
    width: int
    patch: int

    def image_size(self) -> tuple[int, int]:
        return self.height * self.patch, self.width * self.patch


def grid_of(height: int, width: int, patch: int) -> Grid:
    """Returns the patches of images of a size: as many as cover its height, in its proportions.

    Raises `UsageError` if there are none.
    """
    for option, side in (("--height", height), ("--width", width)):
        if not patch <= side <= MAX_SIDE:
            raise UsageError(f"{option} {side} must be {patch} to {MAX_SIDE} pixels")
    rows = -(-height // patch)
    columns = -(-rows * width // height)
    return Grid(rows, columns, patch)


def load_dinov2(folder: Path) -> Dinov2Model:
    """Returns the network in a folder, with exactly the weights that are there."""
    config = read_json(folder / CONFIG)
    refuse_other(config, folder / CONFIG)
    weights = needed_file(folder / WEIGHTS)
    model: Any
    model, report = loaded(
        Dinov2Model,
        folder,
        {"dtype": torch.float32, "use_safetensors": True, "ignore_mismatched_sizes": True},
    )
    for name, *_ in sorted(report["mismatched_keys"], key=str):
        raise CheckpointError(
            f"{folder} has {name} of another shape than its config.json: {ANOTHER}"
        )
    refuse_missing(folder, report)
    if unused := sorted(report["unexpected_keys"]):
        raise CheckpointError(
            f"{folder} has {len(unused)} weights that its config.json has no place for, "
            f"{unused[0]} among them: {ANOTHER}"
        )
    refuse_not_finite(model.state_dict(), weights)
    return model


def refuse_other(config: dict[str, Any], path: Path) -> None:
    """Raises `CheckpointError` if the network is none that this package knows."""
    kind = config.get("model_type")
    if kind != "dinov2":
        raise CheckpointError(
            f"{path} has model_type {kind!r}, expected 'dinov2': give a DINOv2 without registers, "
            "such as facebook/dinov2-small"
        )
    for key in NEEDED:
        if key not in config:
            raise CheckpointError(f"{path} lacks {key}: download it again")
    patch = config["patch_size"]
    # As JSON has it, true is no number.
    if type(patch) is not int or patch < 1:
        raise CheckpointError(
            f"{path} has patch_size {patch!r}, expected one number: give a DINOv2 with square "
            "patches"
        )


class PatchFeatures(nn.Module):
    """The features of each patch of an image in 0..1, `(1, patches, features)`."""

    mean: Tensor
    std: Tensor
    class_token: Tensor
    positions: Tensor

    def __init__(self, model: Dinov2Model, grid: Grid) -> None:
        super().__init__()
        embeddings = model.embeddings
        positions = embeddings.position_embeddings.detach()
        self.projection = embeddings.patch_embeddings.projection
        self.layers = model.encoder.layer
        self.norm = model.layernorm
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))
        class_token = embeddings.cls_token.detach() + positions[:, :1]
        self.register_buffer("class_token", class_token)
        self.register_buffer("positions", stretched(positions[:, 1:], grid))

    def forward(self, image: Tensor) -> Tensor:
        patches = self.projection((image - self.mean) / self.std)
        patches = patches.flatten(2).transpose(1, 2) + self.positions
        hidden = torch.cat((self.class_token, patches), dim=1)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.norm(hidden)[:, 1:]


def stretched(positions: Tensor, grid: Grid) -> Tensor:
    """Returns a square position embedding `(1, patches, features)` for other patches."""
    side = round(positions.shape[1] ** 0.5)
    if (grid.height, grid.width) == (side, side):
        return positions
    square = positions.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factors = ((grid.height + OFFSET) / side, (grid.width + OFFSET) / side)
    found = functional.interpolate(
        square, scale_factor=factors, mode="bicubic", align_corners=False
    )
    assert found.shape[2:] == (grid.height, grid.width)
    return found.permute(0, 2, 3, 1).reshape(1, grid.height * grid.width, -1)
