"""Weights stored in half precision under a graph that computes in single precision."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

KEPT = "freeu."


def is_matrix(shape: Iterable[int]) -> bool:
    """Returns whether a tensor is more than a vector, and so worth storing in half the bytes."""
    return sum(size > 1 for size in shape) >= 2


def store_weights_as_fp16(model: ir.Model) -> None:
    """Replaces each weight matrix and kernel by a float16 one and a Cast, in place.

    ONNX Runtime folds the Casts when it loads the model. Vectors (biases, normalisation scales,
    the time embedding's frequencies) and FreeU's bases stay in float32: they are small.
    """
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or KEPT in name:
            continue
        numbers = tensor.numpy()
        if not is_matrix(numbers.shape):
            continue
        half = ir.tensor(numbers.astype(np.float16), name=f"{name}.fp16")
        stored = ir.Value(
            name=half.name, shape=value.shape, type=ir.TensorType(half.dtype), const_value=half
        )
        cast = ir.Node(
            "", "Cast", [stored], [ir.AttrInt64("to", ir.DataType.FLOAT)], name=f"{name}.cast"
        )
        result = cast.outputs[0]
        result.shape, result.type = value.shape, value.type
        value.replace_all_uses_with(result)
        del graph.initializers[name]
        result.name = name
        graph.initializers.add(stored)
        graph.insert_before(graph[0], cast)
