"""One export, from a factory to a folder with a translator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn

from onnx_export.compare import EXACT, refuse_difference, run
from onnx_export.contract import Source, TranslatorContract
from onnx_export.errors import CheckpointError, first_line
from onnx_export.factory import Factory
from onnx_export.segmenter.sources import state_sha256
from onnx_export.trace import Input, trace
from onnx_export.translator.network import OUTPUT, Takes, Translator
from onnx_export.values import shape_of
from onnx_export.write import (
    refuse_existing,
    refuse_overlap,
    source_file,
    whole_folder,
    write_graph,
)

SEEDS = (0, 1)
"""Of the items that a graph is held against its network with, one at a time."""
BATCH = 2
BEYOND = 0.05
"""By which part of their range values may be beyond it before that is said."""


@dataclass(frozen=True)
class Settings:
    """What is exported, with weights in a file or as its factory makes it."""

    factory: Factory
    weights: Path | None
    out: Path
    takes: Takes
    name: str | None = None
    force: bool = False


def export(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the folder `settings.out`.

    Raises `UsageError` or `CheckpointError`; then `settings.out` is as it was.
    """
    takes = settings.takes
    takes.refuse_wrong()
    if settings.weights is not None:
        refuse_overlap(settings.out, settings.weights)
    refuse_existing(settings.out, TranslatorContract.FILE, settings.force)
    network, source = loaded(settings)
    name = settings.factory.name
    items = [takes.examples(seed, 1) for seed in SEEDS]
    expected = [given_by(network, name, takes, item) for item in items]
    refuse_same(name, expected)
    tell_beyond(expected, takes.output_range, say)
    say("tracing the network")
    graph = traced(network, name, takes)
    with whole_folder(settings.out, TranslatorContract.FILE, settings.force) as folder:
        part = write_graph(folder, Path(TranslatorContract.FILE).stem, graph)
        for item, result in zip(items, expected, strict=True):
            given = dict(zip(takes.names, (each.numpy() for each in item), strict=True))
            (found,) = run(folder / part.graph.file, [OUTPUT], given)
            refuse_difference("translator", found, result, EXACT)
        contract = TranslatorContract(
            name=settings.name or name,
            source=source,
            translation=takes.translation(),
            part=part,
        )
        contract.write(folder)
    batch = part.outputs[0].shape[0]
    free = "of any batch" if isinstance(batch, str) else "of a batch of one"
    say(f"{', '.join(takes.names)} to images of {takes.width}x{takes.height}, {free}")


def loaded(settings: Settings) -> tuple[nn.Module, Source]:
    """Returns the network with its weights, and what it was made from."""
    factory, weights = settings.factory, settings.weights
    if weights is not None:
        return factory.load(weights).eval(), source_file(weights)
    made = factory.make()
    source = Source(factory.name, state_sha256(made.state_dict()))
    return made.float().eval(), source


@torch.no_grad()
def given_by(network: nn.Module, name: str, takes: Takes, item: tuple[Tensor, ...]) -> np.ndarray:
    """Returns what the network gives for an item, if it is an image of the item's size."""
    inputs = ", ".join(takes.names)
    try:
        answer = network(*item)
    except Exception as error:
        raise CheckpointError(
            f"{name} fails on {inputs} of {takes.width}x{takes.height}: {first_line(error)}: give "
            "what its forward takes, in its order, with --inputs, and a size that it can take"
        ) from error
    expected = (len(item[0]), 3, takes.height, takes.width)
    said = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
    if said != expected:
        raise CheckpointError(
            f"{name} gives {said} for {inputs} of {takes.width}x{takes.height}, expected an image "
            f"{expected}: give a size that it keeps, or wrap it in a factory that gives images"
        )
    image: np.ndarray = answer.numpy()
    if bad := int((~np.isfinite(image)).sum()):
        raise CheckpointError(
            f"{name} gives {bad} of {image.size} values that are not finite for a seeded item: its "
            "weights are damaged or out of proportion, or --input-range is not its own"
        )
    return image


def refuse_same(name: str, images: list[np.ndarray]) -> None:
    """Raises `CheckpointError` if items that differ in everything give one image."""
    first, second = images
    if np.array_equal(first, second):
        raise CheckpointError(
            f"{name} gives the same image for two different items: its weights are empty or not "
            "trained: give another checkpoint with --weights"
        )


def tell_beyond(
    images: list[np.ndarray], output_range: tuple[float, float], say: Callable[[str], None]
) -> None:
    """Says that values are beyond their range, if they are by much: there they are clamped."""
    black, white = output_range
    lowest, highest = (float(of(images)) for of in (np.min, np.max))
    margin = BEYOND * (white - black)
    if lowest < black - margin or highest > white + margin:
        say(
            f"gives values from {lowest:.3g} to {highest:.3g}, and what is beyond --output-range "
            f"{black:g} {white:g} becomes black or white: is that its range?"
        )


def traced(network: nn.Module, name: str, takes: Takes) -> ir.Model:
    """Returns the network's graph: for any batch if it can be traced so, else for one item."""
    try:
        graph = trace(Translator(network), inputs_of(takes, BATCH), OUTPUT)
        tensors = [*graph.graph.inputs, *graph.graph.outputs]
        if not any(isinstance(shape_of(tensor)[0], int) for tensor in tensors):
            return graph
    except Exception:
        # What makes a number of Python of the batch can be traced for one.
        pass
    try:
        return trace(Translator(network), inputs_of(takes, 1), OUTPUT)
    except Exception as error:
        raise CheckpointError(
            f"{name} cannot be traced: {first_line(error)}: wrap it in a factory without what "
            "depends on values"
        ) from error


def inputs_of(takes: Takes, batch: int) -> list[Input]:
    """Returns examples of the graph's inputs, of which more than one stand for any number."""
    examples = takes.examples(0, batch)
    return [
        Input(name, example, batched=batch > 1)
        for name, example in zip(takes.names, examples, strict=True)
    ]
