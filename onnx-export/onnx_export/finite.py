"""Refuses numbers that are none, or that half precision cannot hold, before they are exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from onnx_export.errors import CheckpointError
from onnx_export.precision import is_matrix
from onnx_export.values import name_of

HALF_MAX = 65504.0
SINGLE = "export it with --dtype fp32 and --weights fp32"


@dataclass(frozen=True)
class Vanished:
    """How many weights are too small for half precision, and which tensors are all gone."""

    weights: int = 0
    tensors: tuple[str, ...] = ()

    def __add__(self, other: Vanished) -> Vanished:
        return Vanished(self.weights + other.weights, self.tensors + other.tensors)

    def note(self) -> str:
        """Returns what is to be said of it: nothing if nothing vanished."""
        if self.weights == 0:
            return ""
        whole = f"; all of {', '.join(self.tensors[:3])}" if self.tensors else ""
        return f"{self.weights:,} weights are too small for half precision and become 0{whole}"


def numbers_of(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Gives the floating-point tensors of a state dict by name, as they are in float32."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel() > 0:
            yield name, tensor.detach().float()


def largest(tensor: Tensor) -> float:
    """Returns the value that is farthest from 0: NaN if there is one."""
    low, high = (float(bound) for bound in torch.aminmax(tensor))
    return low if -low > high else high


def refuse_not_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Raises `CheckpointError` if a weight is NaN or infinite, or would be in float32.

    `path` is for the message: where the weights come from.
    """
    for name, tensor in numbers_of(state):
        if np.isfinite(largest(tensor)):
            continue
        count = int((~torch.isfinite(tensor)).sum())
        kind = "NaN" if bool(tensor.isnan().any()) else "infinite"
        raise CheckpointError(
            f"{path} has {name} with {count} of {tensor.numel()} values that are not finite "
            f"({kind}): its training or its conversion overflowed: download it again, or give "
            "another checkpoint"
        )


def refuse_beyond_half(
    state: Mapping[str, Tensor], path: Path, matrices_only: bool, advice: str = SINGLE
) -> Vanished:
    """Returns what half precision rounds to 0; raises `CheckpointError` if a weight is beyond it.

    `matrices_only` leaves out what stays in single precision under a graph that computes in it.
    """
    vanished = Vanished()
    for name, tensor in numbers_of(state):
        if matrices_only and not is_matrix(tensor.shape):
            continue
        value = largest(tensor)
        if not abs(value) <= HALF_MAX:
            raise CheckpointError(
                f"{path} has {name} with a value of {value:g}, and half precision ends at "
                f"{HALF_MAX:g}: {advice}"
            )
        lost = (tensor.half() == 0) & (tensor != 0)
        if count := int(lost.sum()):
            whole = (name,) if bool((lost | (tensor == 0)).all()) else ()
            vanished += Vanished(count, whole)
    return vanished


def refuse_negative_variances(state: Mapping[str, Tensor], path: Path) -> None:
    """Raises `CheckpointError` if a normalisation would take the root of a negative number."""
    for name, tensor in numbers_of(state):
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise CheckpointError(
                f"{path} has {name} with a variance of {float(tensor.min()):g}, expected none "
                "below 0: download it again, or give another checkpoint"
            )


def refuse_constants(model: ir.Model, part: str) -> None:
    """Raises `CheckpointError` if a number in a graph, given or folded, is not finite."""
    for name, array in constants_of(model):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError(
                f"the graph of {part} has the constant {name} with values that are not finite in "
                f"{array.dtype}: {SINGLE}"
            )


def constants_of(model: ir.Model) -> Iterator[tuple[str, np.ndarray]]:
    for value in model.graph.initializers.values():
        if value.const_value is not None:
            yield name_of(value), value.const_value.numpy()
    for node in model.graph:
        if node.op_type == "Constant" and "value" in node.attributes:
            yield name_of(node.outputs[0]), node.attributes["value"].as_tensor().numpy()
