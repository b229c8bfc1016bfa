"""One export, from a backbone to a folder with LPIPS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx_export.contract import Part, PerceptualContract, Source
from onnx_export.errors import CheckpointError
from onnx_export.judge import Judge, Target, export_judge
from onnx_export.perceptual import BACKBONES
from onnx_export.perceptual.network import is_published, load_perceptual
from onnx_export.write import source_file


@dataclass(frozen=True)
class Settings:
    """What is exported; `net` is alex, vgg or squeeze."""

    net: str
    backbone: Path
    out: Path
    force: bool = False


def export(settings: Settings) -> None:
    """Writes the folder `settings.out`.

    Raises `UsageError` or `CheckpointError`; then `settings.out` is as it was.
    """
    target = Target(settings.backbone, settings.out, settings.force)
    export_judge(target, PerceptualContract, lambda: judge_of(settings))


def judge_of(settings: Settings) -> Judge[PerceptualContract]:
    """Returns LPIPS on the backbone that `settings` name."""
    name, advice = f"LPIPS v0.1 {settings.net}", f"give torchvision's {BACKBONES[settings.net][0]}"

    def refuse(distances: np.ndarray) -> None:
        if not (np.isfinite(distances).all() and (distances > 0).all()):
            raise CheckpointError(
                f"{settings.backbone} gives the distances {distances.tolist()} for two pairs of "
                "different pictures, expected numbers above 0: its weights are empty or out of "
                f"proportion: {advice}"
            )

    def contract(_: np.ndarray, source: Source, part: Part) -> PerceptualContract:
        return PerceptualContract(
            name=name,
            source=source,
            published_lpips=is_published(settings.net, source.sha256),
            resize=None,
            part=part,
        )

    return Judge(
        module=load_perceptual(settings.net, settings.backbone),
        source=source_file(settings.backbone),
        name=name,
        what="LPIPS",
        inputs=("first", "second"),
        output="distance",
        advice=advice,
        refuse=refuse,
        contract=contract,
    )
