"""From a torch module to an ONNX graph that says nothing of where it was made."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import onnx_ir as ir
import torch
from torch import nn

OPSET = 20

# diffusers' Upsample2D branches on a batch of 64, to the same effect; without this bound torch
# finds that out by tracing twice. The graph itself is the same for any batch.
LARGEST_TRACED_BATCH = 63

BATCH = torch.export.Dim("batch", max=LARGEST_TRACED_BATCH)
HEIGHT, WIDTH = torch.export.Dim("height"), torch.export.Dim("width")


@dataclass(frozen=True)
class Input:
    """An example of a graph input.

    `batched` ones have a dynamic first dimension, those of `any_size` (images) a dynamic height and
    width. What is dynamic has the same size in all inputs.
    """

    name: str
    example: torch.Tensor
    batched: bool
    any_size: bool = False

    def to(self, dtype: torch.dtype) -> Input:
        """Returns the input with this dtype, unless it is an integer."""
        floating = self.example.is_floating_point()
        return replace(self, example=self.example.to(dtype)) if floating else self

    def dynamic(self) -> dict[int, Any]:
        """Returns the dimensions that are not fixed."""
        sizes = {0: BATCH} if self.batched else {}
        return sizes | ({2: HEIGHT, 3: WIDTH} if self.any_size else {})


def trace(module: nn.Module, inputs: Sequence[Input], output: str) -> ir.Model:
    """Returns the module's graph: named inputs, one output, folded constants."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            program = torch.onnx.export(
                module.eval(),
                tuple(i.example for i in inputs),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=tuple(i.dynamic() or None for i in inputs),
                input_names=[i.name for i in inputs],
                output_names=[output],
                verbose=False,
            )
        finally:
            logging.disable(logging.NOTSET)
    assert program is not None, "torch gives a program where dynamo is asked for"
    model = program.model
    strip(model)
    return model


def strip(model: ir.Model) -> None:
    """Removes stack traces, file paths and other remarks of the exporter."""
    model.metadata_props.clear()
    model.producer_name = model.producer_version = model.doc_string = None
    model.graph.metadata_props.clear()
    model.graph.doc_string = None
    for value in [*model.graph.inputs, *model.graph.initializers.values()]:
        value.metadata_props.clear()
        value.doc_string = None
    for node in model.graph:
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
            value.doc_string = None
