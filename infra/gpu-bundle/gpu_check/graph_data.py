"""Which tensors of an ONNX graph lie in a file of their own.

Of protocol buffers as much is read as that takes: a message is fields, each with a number, of which
some are messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Fields of ModelProto, GraphProto, TensorProto and StringStringEntryProto.
GRAPH, INITIALIZER = 7, 5
DATA_TYPE, NAME, EXTERNAL_DATA = 2, 8, 13
KEY, VALUE = 1, 2
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Bytes of a number, and how `struct` calls it, by ONNX's numbers of types.
FLOAT, HALF = 1, 10


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in its graph's file of weights, in bytes."""

    name: str
    data_type: int
    offset: int
    length: int


def tensors(graph: Path) -> list[Tensor]:
    """Returns the tensors of a graph that lie in its file of weights, in their order there."""
    found = []
    for number, value in fields(graph.read_bytes()):
        if number == GRAPH and isinstance(value, bytes):
            found += [
                tensor
                for number, entry in fields(value)
                if number == INITIALIZER and isinstance(entry, bytes)
                for tensor in outside(entry)
            ]
    return sorted(found, key=lambda tensor: tensor.offset)


def outside(message: bytes) -> Iterator[Tensor]:
    """Gives the tensor of a message, if its numbers are not in it."""
    name, data_type, where = "", 0, {}
    for number, value in fields(message):
        if number == NAME and isinstance(value, bytes):
            name = value.decode()
        elif number == DATA_TYPE and isinstance(value, int):
            data_type = value
        elif number == EXTERNAL_DATA and isinstance(value, bytes):
            entry = dict(fields(value))
            key, text = entry[KEY], entry[VALUE]
            if isinstance(key, bytes) and isinstance(text, bytes):
                where[key.decode()] = text.decode()
    if where:
        yield Tensor(name, data_type, int(where.get("offset", "0")), int(where["length"]))


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Gives number and value of each field of a message."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            length, at = varint(message, at)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"a field of kind {kind} is none of a graph's")
        if at + length > len(message):
            raise ValueError("a graph is cut short")
        yield key >> 3, message[at : at + length]
        at += length


def varint(message: bytes, at: int) -> tuple[int, int]:
    """Returns a number of any length, and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
