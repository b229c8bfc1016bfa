"""What every value of a traced graph has, where `onnx_ir` says that it may be missing."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir


def name_of(value: ir.Value) -> str:
    if value.name is None:
        raise ValueError(f"{value} has no name")
    return value.name


def shape_of(value: ir.Value) -> ir.Shape:
    if value.shape is None:
        raise ValueError(f"{value} has no shape")
    return value.shape


def dtype_of(value: ir.Value) -> ir.DataType:
    if value.dtype is None:
        raise ValueError(f"{value} has no type")
    return value.dtype


def all_given(values: Iterable[ir.Value | None]) -> list[ir.Value]:
    """Returns a node's inputs, none of which it may leave out."""
    given = list(values)
    present = [value for value in given if value is not None]
    if len(present) < len(given):
        raise ValueError(f"{given} lack an input")
    return present
