"""`model.json`: what the engine reads, and refuses a model for not matching."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import onnx_ir as ir

from onnx_export.cut import Layer

FORMAT_VERSION = 1
DTYPES = {
    ir.DataType.FLOAT: "float32",
    ir.DataType.FLOAT16: "float16",
    ir.DataType.INT64: "int64",
}


def tensor_entry(value: ir.Value) -> dict[str, Any]:
    """Returns name, dtype and shape of a graph's input or output; the batch is a string."""
    shape = [size if isinstance(size, int) else str(size) for size in value.shape]
    return {"name": value.name, "dtype": DTYPES[value.dtype], "shape": shape}


def part_entry(model: ir.Model, files: dict[str, Any]) -> dict[str, Any]:
    """Returns the entry of a VAE half: its files, inputs and outputs."""
    return {
        **files,
        "inputs": [tensor_entry(value) for value in model.graph.inputs],
        "outputs": [tensor_entry(value) for value in model.graph.outputs],
    }


def segment_entry(model: ir.Model, files: dict[str, Any], layer: Layer | None) -> dict[str, Any]:
    """Returns the entry of a segment: as a part's, with the layer that follows it."""
    return {**part_entry(model, files), "layer": None if layer is None else asdict(layer)}
