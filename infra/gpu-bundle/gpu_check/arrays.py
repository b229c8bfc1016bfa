"""Arrays in `.npz` files, by Python's own library."""

from __future__ import annotations

import ast
import struct
import sys
import zipfile
from array import array
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"\x93NUMPY"
# Typecodes of `array` by what NumPy calls them.
TYPES = {"<f4": "f", "<f8": "d", "<i8": "q", "|u1": "B"}


class ArraysError(Exception):
    """A file that is no archive of arrays, or lacks one."""


@dataclass(frozen=True)
class Array:
    """Numbers in rows, and their shape."""

    shape: tuple[int, ...]
    numbers: array[float]

    def first(self) -> Array:
        """Returns the first of what the outermost axis counts."""
        inner = self.shape[1:]
        return Array(inner, self.numbers[: len(self.numbers) // self.shape[0]])


class Arrays:
    """The arrays of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self.members = {name: archive.read(name) for name in archive.namelist()}
        except (OSError, zipfile.BadZipFile) as error:
            raise ArraysError(f"{path} cannot be read: {error}") from error

    def raw(self, name: str) -> bytes:
        """Returns an array's file as it is."""
        try:
            return self.members[f"{name}.npy"]
        except KeyError:
            raise ArraysError(f"{self.path} has no array {name}") from None

    def read(self, name: str) -> Array:
        """Returns an array."""
        raw = self.raw(name)
        try:
            return parsed(raw)
        except (KeyError, ValueError, SyntaxError, struct.error) as error:
            raise ArraysError(f"{name} of {self.path} is no array: {error}") from error


def parsed(raw: bytes) -> Array:
    """Returns the array of a `.npy` file."""
    if raw[:6] != MAGIC:
        raise ValueError("it does not begin as one")
    wide = raw[6] > 1
    (length,) = struct.unpack_from("<I" if wide else "<H", raw, 8)
    begin = (12 if wide else 10) + length
    header = ast.literal_eval(raw[begin - length : begin].decode("latin-1").strip())
    if header["fortran_order"] and len(header["shape"]) > 1:
        raise ValueError("its columns come first")
    numbers: array[float] = array(TYPES[header["descr"]])
    numbers.frombytes(raw[begin:])
    if sys.byteorder == "big":
        numbers.byteswap()
    return Array(tuple(header["shape"]), numbers)


def write_members(path: Path, members: dict[str, bytes]) -> None:
    """Writes `.npy` files into an archive, each under a name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in members.items():
            archive.writestr(f"{name}.npy", raw)


@dataclass(frozen=True)
class Distance:
    """How far numbers are off: the one that is furthest, and on average."""

    worst: float
    mean: float


def distance(found: Array, expected: Array) -> Distance:
    """Returns how far an array is off: infinitely if it is of another shape, or not finite."""
    infinite = Distance(float("inf"), float("inf"))
    if found.shape != expected.shape or not found.numbers:
        return infinite
    pairs = zip(found.numbers, expected.numbers, strict=True)
    differences = [abs(one - other) for one, other in pairs]
    if not all(difference < float("inf") for difference in differences):
        return infinite
    return Distance(max(differences), sum(differences) / len(differences))


def share_equal(found: Array, expected: Array) -> float:
    """Returns the share of numbers that are equal."""
    if found.shape != expected.shape or not found.numbers:
        return 0.0
    pairs = zip(found.numbers, expected.numbers, strict=True)
    return sum(one == other for one, other in pairs) / len(found.numbers)
