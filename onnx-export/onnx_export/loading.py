"""Puts a part's weights into its module, and proves that every weight came from the checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from onnx_export.configs import listed
from onnx_export.errors import CheckpointError, first_line
from onnx_export.weight_files import COUNTS, WeightFiles

ANOTHER = "its config.json and its weights belong to different models: download the part again"


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps the libraries' own remarks and progress bars out of a program's one line."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def load_diffusers(kind: type, folder: Path, files: WeightFiles) -> nn.Module:
    """Returns one of diffusers' models in float32, with exactly the weights of the checkpoint."""
    model, report = loaded(
        kind,
        folder,
        {
            "torch_dtype": torch.float32,
            "low_cpu_mem_usage": True,
            "use_safetensors": files.is_safetensors,
            "variant": files.variant,
        },
    )
    refuse_missing(folder, report)
    if unused := sorted(report["unexpected_keys"]):
        raise CheckpointError(
            f"{folder} has {len(unused)} weights that its config.json has no place for, "
            f"{unused[0]} among them: {ANOTHER}"
        )
    return model


def load_transformers(kind: type, folder: Path, files: WeightFiles) -> tuple[nn.Module, list[str]]:
    """Returns one of transformers' models in float32, and what is said of weights it does not use.

    A text encoder may end before its last layers, which people do on purpose.
    """
    model, report = loaded(
        kind,
        folder,
        {
            "dtype": torch.float32,
            "use_safetensors": files.is_safetensors,
            "variant": files.variant,
            "ignore_mismatched_sizes": True,
        },
    )
    for name, *shapes in sorted(report["mismatched_keys"], key=str):
        found, expected = (tuple(shape) for shape in shapes[:2])
        raise CheckpointError(
            f"{folder} has {name} of shape {found}, expected {expected}: {ANOTHER}"
        )
    refuse_missing(folder, report)
    unused = sorted(key for key in report["unexpected_keys"] if not key.endswith(COUNTS))
    notes = [f"{folder.name}: its config.json leaves out {listed(unused)}"] if unused else []
    return model, notes


def loaded(kind: Any, folder: Path, options: dict[str, Any]) -> tuple[nn.Module, Mapping[str, Any]]:
    try:
        with quiet():
            model, report = kind.from_pretrained(
                folder, local_files_only=True, output_loading_info=True, **options
            )
    except Exception as error:
        # diffusers goes on to advise what would leave weights as they were drawn.
        reason = first_line(error).split(". If you want")[0].replace("Cannot load  because ", "")
        raise CheckpointError(f"{folder} cannot be loaded: {reason}: {ANOTHER}") from error
    return model.eval().requires_grad_(False), report


def refuse_missing(folder: Path, report: Mapping[str, Any]) -> None:
    missing = sorted(key for key in report["missing_keys"] if not key.endswith(COUNTS))
    if missing:
        raise CheckpointError(
            f"{folder} lacks {len(missing)} weights, {missing[0]} among them: {ANOTHER}"
        )
