"""The shapes of all tensors of an exported graph, without its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, NodeProto, TensorProto, helper, shape_inference

from onnx_export.errors import CheckpointError

ATTENTION = "MultiHeadAttention"
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
BYTES: dict[int, int] = {TensorProto.INT64: 8, TensorProto.INT32: 4, TensorProto.BOOL: 1}


@dataclass(frozen=True)
class Shaped:
    """A graph for some batch, with the shape of each of its tensors."""

    path: Path
    graph: GraphProto
    shapes: dict[str, tuple[int, ...]]
    types: dict[str, int]
    constants: frozenset[str]

    @property
    def nodes(self) -> list[NodeProto]:
        """The nodes, each after those that it reads from."""
        return list(self.graph.node)

    def shape(self, tensor: str) -> tuple[int, ...]:
        """Returns a shape; raises `CheckpointError` if the graph does not tell it."""
        try:
            return self.shapes[tensor]
        except KeyError:
            raise CheckpointError(f"{self.path} does not tell the shape of {tensor}") from None

    def elements(self, tensor: str) -> int:
        """Returns how many numbers a tensor has."""
        return math.prod(self.shape(tensor))

    def num_bytes(self, tensor: str, of_float: int) -> int:
        """Returns the bytes of a tensor where a number has `of_float` of them."""
        elements, kind = self.elements(tensor), self.types[tensor]
        if kind in FLOATS:
            return elements * of_float
        if kind not in BYTES:
            name = TensorProto.DataType.Name(kind)
            raise CheckpointError(f"{self.path} has {tensor} as {name}, which no export writes")
        return elements * BYTES[kind]


def shaped(path: Path, batch: int) -> Shaped:
    """Returns a graph for a batch; raises `CheckpointError` if it is not one of an export."""
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise CheckpointError(f"{path} is no ONNX graph: {error}") from error
    inferred = infer(path, model, batch)
    shapes: dict[str, tuple[int, ...]] = {}
    types: dict[str, int] = {}
    for value in (*inferred.input, *inferred.output, *inferred.value_info):
        tensor = value.type.tensor_type
        if all(size.HasField("dim_value") for size in tensor.shape.dim):
            shapes[value.name] = tuple(size.dim_value for size in tensor.shape.dim)
            types[value.name] = tensor.elem_type
    for constant in inferred.initializer:
        shapes[constant.name] = tuple(constant.dims)
        types[constant.name] = constant.data_type
    constants = frozenset(constant.name for constant in inferred.initializer)
    return Shaped(path, model.graph, shapes, types, constants)


def infer(path: Path, model: onnx.ModelProto, batch: int) -> GraphProto:
    """Returns the graph with all shapes that ONNX infers; `model` gets the batch."""
    graph = model.graph
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param == "batch":
                size.dim_value = batch
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    for node in plain.graph.node:
        if node.domain in ("", "ai.onnx"):
            continue
        if node.op_type != ATTENTION:
            raise CheckpointError(f"{path} has {node.domain}.{node.op_type}, which no export has")
        # Its output is as its query, and ONNX knows nothing of it.
        node.CopyFrom(helper.make_node("Identity", [node.input[0]], list(node.output)))
    try:
        return shape_inference.infer_shapes(plain, data_prop=True, strict_mode=True).graph
    except shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f"{path} has shapes that do not fit: {reason}") from error
