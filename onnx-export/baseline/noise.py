"""The normal draws of both inversions: from a seed, or from a file."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from onnx_export.errors import CheckpointError


def drawn_noise(seed: int, shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Returns independent draws for `content` and `style`, each `shape (steps, 4, h, w)`."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name in ("content", "style")}


def read_noise(path: Path, shape: tuple[int, ...]) -> dict[str, torch.Tensor]:
    """Returns the arrays `content` and `style` of an `.npz` file.

    Raises `CheckpointError` if one is missing or is not `shape`.
    """
    try:
        arrays = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile) as error:
        raise CheckpointError(f"{path} cannot be read as .npz: {error}") from error
    noise = {}
    for name in ("content", "style"):
        if not isinstance(arrays, np.lib.npyio.NpzFile) or name not in arrays:
            raise CheckpointError(f"{path} has no array {name!r}: give content and style")
        if arrays[name].shape != shape:
            raise CheckpointError(
                f"{path} has {name} of shape {arrays[name].shape}, and these steps and this size "
                f"take {shape}"
            )
        noise[name] = torch.from_numpy(arrays[name].astype(np.float32))
    return noise
