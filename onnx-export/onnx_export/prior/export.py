"""One export, from a checkpoint to a folder with the network of priors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from onnx_export.compare import EXACT, refuse_difference, run
from onnx_export.contract import PriorContract, Source
from onnx_export.errors import CheckpointError, first_line
from onnx_export.judge import pictures
from onnx_export.prior.network import CONFIG, WEIGHTS, PatchFeatures, grid_of, load_dinov2
from onnx_export.trace import Input, trace
from onnx_export.write import (
    files_sha256,
    refuse_existing,
    refuse_overlap,
    whole_folder,
    write_graph,
)

SEED = 1
IMAGE, FEATURES = "image", "features"


@dataclass(frozen=True)
class Settings:
    """What is exported; height and width are those of the images that a model converts."""

    checkpoint: Path
    out: Path
    height: int
    width: int
    force: bool = False


def export(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the folder `settings.out`.

    Raises `UsageError` or `CheckpointError`; then `settings.out` is as it was.
    """
    refuse_overlap(settings.out, settings.checkpoint)
    refuse_existing(settings.out, PriorContract.FILE, settings.force)
    model = load_dinov2(settings.checkpoint)
    grid = grid_of(settings.height, settings.width, model.config.patch_size)
    network = PatchFeatures(model, grid).eval()
    given = pictures(SEED, (1, 3, *grid.image_size()))
    with torch.no_grad():
        expected = network(given).numpy()
    refuse_features(settings.checkpoint, expected)
    say("tracing the network")
    try:
        graph = trace(network, [Input(IMAGE, given, batched=False)], FEATURES)
    except Exception as error:
        raise CheckpointError(
            f"{settings.checkpoint} cannot be traced: {first_line(error)}"
        ) from error
    with whole_folder(settings.out, PriorContract.FILE, settings.force) as folder:
        part = write_graph(folder, Path(PriorContract.FILE).stem, graph)
        (found,) = run(folder / part.graph.file, [FEATURES], {IMAGE: given.numpy()})
        refuse_difference("network of priors", found, expected, EXACT)
        contract = PriorContract(
            name=settings.checkpoint.resolve().name,
            source=source_of(settings.checkpoint),
            num_features=expected.shape[2],
            part=part,
        )
        contract.write(folder)
    height, width = grid.image_size()
    say(f"{grid.width}x{grid.height} patches of an image of {width}x{height}")


def refuse_features(folder: Path, features: np.ndarray) -> None:
    """Raises `CheckpointError` unless features are finite and differ from patch to patch."""
    if not np.isfinite(features).all():
        raise CheckpointError(
            f"{folder} gives features that are not finite for a seeded picture: its weights are "
            "damaged or out of proportion: give another checkpoint"
        )
    if np.ptp(features, axis=1).max() == 0:
        raise CheckpointError(
            f"{folder} gives the same features for all patches of a picture: its weights are "
            "empty or not trained: give another checkpoint"
        )


def source_of(folder: Path) -> Source:
    """Returns the checkpoint's name, and a digest over its files."""
    sha256 = files_sha256(folder, [folder / CONFIG, folder / WEIGHTS])
    return Source(folder.resolve().name, sha256)
