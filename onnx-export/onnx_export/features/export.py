"""One export, from a checkpoint to a folder with a network of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx_export.contract import FeaturesContract, Part, Source
from onnx_export.errors import CheckpointError
from onnx_export.features.adapter import Adapter
from onnx_export.features.inception import load_inception
from onnx_export.judge import Judge, Target, export_judge
from onnx_export.write import source_file


@dataclass(frozen=True)
class Settings:
    """What is exported; without an adapter it is pytorch-fid's Inception."""

    checkpoint: Path
    out: Path
    adapter: Adapter | None = None
    name: str | None = None
    force: bool = False


def export(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the folder `settings.out`.

    Raises `UsageError` or `CheckpointError`; then `settings.out` is as it was.
    """
    target = Target(settings.checkpoint, settings.out, settings.force)
    contract = export_judge(target, FeaturesContract, lambda: judge_of(settings), say)
    published = "" if contract.published_fid else ", not those of published figures"
    say(f"{contract.num_features} features{published}")


def judge_of(settings: Settings) -> Judge[FeaturesContract]:
    """Returns the network that `settings` ask for, with its weights."""
    load = load_inception if settings.adapter is None else settings.adapter.load
    network = load(settings.checkpoint)

    def contract(features: np.ndarray, source: Source, part: Part) -> FeaturesContract:
        return FeaturesContract(
            name=settings.name or network.name,
            source=source,
            published_fid=network.published_fid,
            resize=network.resize,
            num_features=features.shape[1],
            part=part,
        )

    return Judge(
        module=network.module,
        source=source_file(settings.checkpoint),
        name=network.name,
        what="network of features",
        inputs=("images",),
        output="features",
        advice="give the size it was made for with --resize WxH",
        refuse=lambda features: refuse_features(network.name, features),
        contract=contract,
    )


def refuse_features(name: str, features: np.ndarray) -> None:
    """Raises unless the features of two pictures are finite and not the same for both."""
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features)).sum())
        raise CheckpointError(
            f"{name} gives {bad} of {features.size} features that are not finite for seeded "
            "pictures: its weights are damaged or out of proportion: give another checkpoint"
        )
    if (features[0] == features[1]).all():
        raise CheckpointError(
            f"{name} gives the same features for two different pictures: its weights are "
            "empty or not trained, or --layer is not what the image goes through"
        )
