"""One export of a network that judges images, from a checkpoint to a folder.

`features`, `perceptual` and `segmenter` say what theirs is, as a `Judge`; the rest is the same for
all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import onnx_ir as ir
import torch
from torch import nn
from torch.nn import functional

from onnx_export.compare import EXACT, refuse_difference, run
from onnx_export.contract import NetworkContract, Part, Source
from onnx_export.errors import CheckpointError, ExportError, first_line
from onnx_export.trace import Input, trace
from onnx_export.values import name_of, shape_of
from onnx_export.write import (
    refuse_existing,
    refuse_overlap,
    whole_folder,
    write_graph,
)

EXAMPLE = (2, 3, 96, 160)
# The side of an area of colour.
AREA = 16

Kind = TypeVar("Kind", bound=NetworkContract)


@dataclass(frozen=True)
class Target:
    """The folder to write, and the file or folder that it is made from, if from one."""

    checkpoint: Path | None
    out: Path
    force: bool


def refuse_inexact(what: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Raises `CheckpointError` unless a graph in float32 computes what its checkpoint does."""
    refuse_difference(what, found, expected, EXACT)


@dataclass(frozen=True)
class Judge(Generic[Kind]):
    """A network that judges images: all in which one differs from another.

    Its graph takes images under the names `inputs` and gives `output`. People call it `name`, its
    graph `what`, and do as `advice` says if it cannot be run or traced. `refuse` raises if what it
    gives for seeded pictures is of no use, and `compare` if the graph gives something else. What it
    gives is `per_pixel`, or of one size whatever that of the images. `contract` has, beside what it
    gives, the source and the graph.
    """

    module: nn.Module
    source: Source
    name: str
    what: str
    inputs: tuple[str, ...]
    output: str
    advice: str
    refuse: Callable[[np.ndarray], None]
    contract: Callable[[np.ndarray, Source, Part], Kind]
    compare: Callable[[str, np.ndarray, np.ndarray], None] = refuse_inexact
    per_pixel: bool = False


def export_judge(
    target: Target,
    kind: type[Kind],
    load: Callable[[], Judge[Kind]],
    say: Callable[[str], None] = lambda _: None,
) -> Kind:
    """Writes the folder `target.out` and returns its contract.

    Nothing is loaded for a folder that must not be written. Raises `UsageError` or
    `CheckpointError`; then `target.out` is as it was.
    """
    if target.checkpoint is not None:
        refuse_overlap(target.out, target.checkpoint)
    refuse_existing(target.out, kind.FILE, target.force)
    judge = load()
    given = {name: pictures(seed) for seed, name in enumerate(judge.inputs)}
    expected = result_of(judge, list(given.values()))
    say("tracing the network")
    model = traced(judge)
    with whole_folder(target.out, kind.FILE, target.force) as folder:
        part = write_graph(folder, Path(kind.FILE).stem, model)
        images = {name: each.numpy() for name, each in given.items()}
        (found,) = run(folder / part.graph.file, [judge.output], images)
        judge.compare(judge.what, found, expected)
        contract = judge.contract(expected, judge.source, part)
        contract.write(folder)
    return contract


def pictures(seed: int, shape: tuple[int, int, int, int] = EXAMPLE) -> torch.Tensor:
    """Returns seeded pictures in 0..1, areas of colour with grain on them."""
    generator = torch.Generator().manual_seed(seed)
    batch, channels, height, width = shape
    areas = (-(-height // AREA), -(-width // AREA))
    coarse = torch.rand(batch, channels, *areas, generator=generator)
    grain = torch.randn(*shape, generator=generator)
    return (functional.interpolate(coarse, (height, width)) + 0.05 * grain).clamp(0, 1)


@torch.no_grad()
def result_of(judge: Judge[Kind], given: list[torch.Tensor]) -> np.ndarray:
    """Returns what the network gives for seeded pictures, if that is of use."""
    try:
        result: np.ndarray = judge.module(*given).numpy()
    except ExportError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{judge.name} fails on images of {EXAMPLE[3]} x {EXAMPLE[2]}: {first_line(error)}: "
            f"{judge.advice}"
        ) from error
    judge.refuse(result)
    return result


def traced(judge: Judge[Kind]) -> ir.Model:
    """Returns the network's graph, for images of any size."""
    inputs = [Input(name, torch.zeros(EXAMPLE), True, True) for name in judge.inputs]
    try:
        model = trace(judge.module, inputs, judge.output)
    except Exception as error:
        raise CheckpointError(
            f"{judge.name} cannot be traced: {first_line(error)}: {judge.advice}"
        ) from error
    refuse_one_size(judge, model)
    batch, *lengths = shape_of(model.graph.outputs[0])
    if judge.per_pixel:
        expected = [shape_of(model.graph.inputs[0])[axis] for axis in (0, 2, 3)]
        if [batch, *lengths] != expected:
            raise CheckpointError(
                f"{judge.name} gives {judge.output} of {[str(of) for of in (batch, *lengths)]} "
                f"for images of any size: {judge.advice}"
            )
    elif not all(isinstance(length, int) for length in lengths):
        raise CheckpointError(
            f"{judge.name} gives more {judge.output} for larger images: {judge.advice}"
        )
    return model


def refuse_one_size(judge: Judge[Kind], model: ir.Model) -> None:
    """Raises `CheckpointError` if the graph takes no images but those of the example's size.

    The tracer takes a size for a constant where the network makes a number of Python of it.
    """
    for value in model.graph.inputs:
        shape = shape_of(value)
        if any(isinstance(shape[axis], int) for axis in (0, 2, 3)):
            raise CheckpointError(
                f"{judge.name} can only be traced for {name_of(value)} of "
                f"[{', '.join(map(str, shape))}] and not for any size: {judge.advice}"
            )
