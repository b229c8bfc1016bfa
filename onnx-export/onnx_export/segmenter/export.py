"""One export, from a checkpoint to a folder with a segmenter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from onnx_export.compare import EXACT
from onnx_export.contract import (
    Normalisation,
    Part,
    Resize,
    SegmenterClass,
    SegmenterContract,
    Source,
)
from onnx_export.errors import CheckpointError, ExportError, UsageError, first_line
from onnx_export.judge import EXAMPLE, Judge, Target, export_judge, pictures
from onnx_export.prepare import Prepare
from onnx_export.segmenter.classes import CITYSCAPES, Network, classes_of, unmapped
from onnx_export.segmenter.network import SegmentationNetwork, Segmenter
from onnx_export.segmenter.sources import Loader

ADVICE = (
    "give the size it was made for with --resize WxH, if it is of one size, or wrap it in a "
    "--factory"
)
MAX_CLASSES = 1024
MOST_OTHERS = 1e-3


@dataclass(frozen=True)
class Settings:
    """What is exported, and the table that says which of its classes are which."""

    loader: Loader
    out: Path
    classes: str | None = None
    resize: Resize | None = None
    normalisation: Normalisation | None = None
    name: str | None = None
    force: bool = False


def export(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the folder `settings.out`.

    Raises `UsageError` or `CheckpointError`; then `settings.out` is as it was.
    """
    target = Target(settings.loader.checkpoint, settings.out, settings.force)
    contract = export_judge(target, SegmenterContract, lambda: judge_of(settings, say), say)
    ignored = sum(each.train_id is None for each in contract.classes)
    say(f"{len(contract.classes)} classes, {ignored} of them none of Cityscapes'")
    if missing := unmapped(contract.classes):
        say(f"never predicted, {len(missing)} of {len(CITYSCAPES)}: {', '.join(missing)}")


def judge_of(settings: Settings, say: Callable[[str], None]) -> Judge[SegmenterContract]:
    """Returns the segmenter that `settings` ask for, with its weights and its classes."""
    network = settings.loader.load(settings.normalisation)
    if not network.any_size and settings.resize is None:
        raise UsageError(
            f"{network.name} is a network of masks, which is exported for one size: give it as "
            "--resize WxH, the images' own for instance"
        )
    for note in network.notes:
        say(note)
    normalisation = network.normalisation
    prepare = Prepare(settings.resize, normalisation.mean, normalisation.std)
    module = Segmenter(prepare, network.module).eval()
    scores = scores_of(network, module)
    classes = mapped(settings, network, scores.shape[1])

    def contract(_: np.ndarray, source: Source, part: Part) -> SegmenterContract:
        return SegmenterContract(
            name=settings.name or network.name,
            source=source,
            resize=settings.resize,
            normalisation=normalisation,
            classes=classes,
            part=part,
        )

    return Judge(
        module=module,
        source=network.source,
        name=network.name,
        what="segmenter",
        inputs=("images",),
        output="classes",
        advice=ADVICE,
        refuse=lambda _: None,
        contract=contract,
        compare=partial(refuse_other_classes, scores=scores),
        per_pixel=True,
    )


def mapped(
    settings: Settings, network: SegmentationNetwork, num_classes: int
) -> tuple[SegmenterClass, ...]:
    """Returns the classes of the network, which has as many as it gives scores."""
    if num_classes > MAX_CLASSES:
        raise CheckpointError(
            f"{network.name} has {num_classes} classes, and at most {MAX_CLASSES} can be read: "
            "give a semantic segmentation"
        )
    if network.names is not None and len(network.names) != num_classes:
        raise CheckpointError(
            f"{network.name} gives scores of {num_classes} classes and has {len(network.names)} "
            "names: its config.json and its weights belong to different networks"
        )
    return classes_of(Network(network.name, num_classes, network.names), settings.classes)


@torch.no_grad()
def scores_of(network: SegmentationNetwork, module: Segmenter) -> np.ndarray:
    """Returns the scores of seeded pictures, which are finite and not the same everywhere."""
    try:
        scores: np.ndarray = module.scores_of(pictures(0)).numpy()
    except ExportError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{network.name} fails on images of {EXAMPLE[3]} x {EXAMPLE[2]}: {first_line(error)}: "
            f"{ADVICE}"
        ) from error
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise CheckpointError(
            f"{network.name} gives {bad} of {scores.size} scores that are not finite for seeded "
            "pictures: its weights are damaged or out of proportion: give another checkpoint"
        )
    if np.ptp(scores, axis=(0, 2, 3)).max() == 0:
        raise CheckpointError(
            f"{network.name} gives the same scores for every pixel of two different pictures: its "
            "weights are empty or not trained: give another checkpoint"
        )
    return scores


def refuse_other_classes(
    what: str, found: np.ndarray, expected: np.ndarray, scores: np.ndarray
) -> None:
    """Raises `CheckpointError` unless a graph predicts what its checkpoint does.

    Of two classes with scores that are as good as equal, `(batch, classes, height, width)`, either
    will do.
    """
    if found.shape != expected.shape:
        raise CheckpointError(
            f"the exported {what} gives {found.shape}, and the checkpoint {expected.shape}: report "
            "this checkpoint"
        )
    best, taken = (
        np.take_along_axis(scores, classes[:, None], axis=1) for classes in (expected, found)
    )
    others = float((best - taken > EXACT * scores.std()).mean())
    if others > MOST_OTHERS:
        raise CheckpointError(
            f"the exported {what} predicts another class than the checkpoint for {others:.2%} of "
            f"pixels, expected {MOST_OTHERS:.1%} at most: report this checkpoint"
        )
