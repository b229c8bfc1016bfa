"""Refuses models that were distilled to a few steps: Turbo, LCM, Lightning and their like.

The method noises an image to timesteps of the whole schedule and asks the model for small steps
back, fifty of them. A distilled model was trained at a few timesteps only, to leap from each to the
end: its numbers are finite there, and mean nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from onnx_export.errors import CheckpointError

INSTEAD = (
    "it was distilled to a few steps, and the method inverts images over the whole schedule, which "
    "such a model has unlearnt: give the model that it was distilled from"
)
# Samplers that know a few steps only.
SCHEDULERS = ("LCMScheduler", "TCDScheduler")
# What such models and their LoRA files are called.
NAMED = re.compile(r"(?<![a-z])(turbo|lcm|lightning|tcd|hyper[-_ ]?sd)(?![a-z])")


def refuse_distilled_unet(path: Path, settings: dict[str, Any]) -> None:
    """Raises `CheckpointError` if a UNet takes the guidance as an input, as one of LCM does."""
    width = settings.get("time_cond_proj_dim")
    if width is not None:
        raise CheckpointError(f"{path} has time_cond_proj_dim {width!r} (LCM): {INSTEAD}")


def refuse_distilled_schedule(path: Path, settings: dict[str, Any]) -> None:
    """Raises `CheckpointError` if a checkpoint was saved with the sampler of a distilled model."""
    kind, spacing = str(settings.get("_class_name", "")), settings.get("timestep_spacing")
    if kind in SCHEDULERS:
        raise CheckpointError(f"{path} has _class_name {kind!r}: {INSTEAD}")
    if kind.startswith("Euler") and spacing == "trailing":
        raise CheckpointError(
            f"{path} has _class_name {kind!r} with timestep_spacing 'trailing', as Turbo and "
            f"Lightning are saved: {INSTEAD}; if it was not distilled, set timestep_spacing to "
            "'leading'"
        )


def refuse_distilled_name(path: Path, *more: str) -> None:
    """Raises `CheckpointError` if a file is called distilled, by its name or by `more` of it.

    Nothing in such a file's weights tells.
    """
    for text in (path.stem, *more):
        if found := NAMED.search(text.lower()):
            raise CheckpointError(
                f"{path} is called {text!r}, and {found[0]!r} says that {INSTEAD}; if it was not "
                "distilled, rename it"
            )
