"""Makes a model of its recipe: graphs and contract as they were exported, and seeded weights.

A recipe is a model folder without its files of weights. `weights.json` says of each of these which
tensors are drawn, and how far their numbers spread; all others are small and lie one behind the
other in `kept.bin`. Every drawn tensor is a piece of the same table of numbers, which is even
between -1 and 1 as torch's own initialisation is, times its spread. Nothing depends on the machine:
the contract has the digests of what is made.

    python3 -m gpu_check.weights RECIPE OUT
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE, KEPT, CONTRACT = "weights.json", "kept.bin", "model.json"
# A prime number, so that rows of a matrix are different pieces of the table.
NUMBERS = 1_048_573
SEED = 15
# How `struct` calls the numbers of a data type.
CODES = {"float32": "f", "float16": "e"}
SIZES = {"float32": 4, "float16": 2}


@dataclass(frozen=True)
class Drawn:
    """A tensor that is drawn: where it begins and how long it is, in bytes, and its spread."""

    offset: int
    length: int
    kind: str
    spread: float


@dataclass(frozen=True)
class Kept:
    """A tensor that is as it was, and where it begins in the file of these."""

    offset: int
    length: int
    begin: int


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights: its path in the model's folder, its bytes, and its tensors in order."""

    path: str
    size: int
    tensors: tuple[Drawn | Kept, ...]


class Table:
    """Seeded numbers, and pieces of them by their spread."""

    def __init__(self, seed: int = SEED, numbers: int = NUMBERS) -> None:
        # Whole numbers, and what becomes of them is exact: the same on every machine.
        drawn = random.Random(seed).randbytes(2 * numbers)
        self.levels = [(level + 0.5) / 32768 for level in struct.unpack(f"<{numbers}h", drawn)]
        self.packed: dict[tuple[str, float], bytes] = {}

    def of_spread(self, kind: str, spread: float) -> bytes:
        """Returns the table times a spread, as numbers of a kind."""
        key = (kind, spread)
        if key not in self.packed:
            scaled = [level * spread for level in self.levels]
            self.packed[key] = struct.pack(f"<{len(scaled)}{CODES[kind]}", *scaled)
        return self.packed[key]

    def pieces(self, tensor: Drawn, name: str) -> Iterator[bytes]:
        """Gives the bytes of a drawn tensor; its name says where in the table it begins."""
        table = memoryview(self.of_spread(tensor.kind, tensor.spread))
        digest = hashlib.sha256(name.encode()).digest()
        at = SIZES[tensor.kind] * (int.from_bytes(digest[:8], "big") % len(self.levels))
        left = tensor.length
        while left:
            piece = table[at : at + left]
            yield bytes(piece)
            left, at = left - len(piece), 0


def spread_of(most: float) -> float:
    """Returns a spread with three bits behind its first, of which a model has a few dozen."""
    fraction, exponent = math.frexp(most)
    return math.ldexp(round(fraction * 16) / 16, exponent)


def contents(file: WeightsFile, kept: bytes, table: Table) -> Iterator[bytes]:
    """Gives the bytes of a file of weights, from its beginning to its end."""
    at = 0
    for tensor in file.tensors:
        yield bytes(tensor.offset - at)
        if isinstance(tensor, Kept):
            yield kept[tensor.begin : tensor.begin + tensor.length]
        else:
            yield from table.pieces(tensor, f"{file.path} {tensor.offset}")
        at = tensor.offset + tensor.length
    yield bytes(file.size - at)


def read(recipe: Path) -> list[WeightsFile]:
    """Returns the files of weights of a recipe."""
    entries = json.loads((recipe / FILE).read_text())
    return [
        WeightsFile(entry["path"], entry["size"], tuple(map(parsed, entry["tensors"])))
        for entry in entries
    ]


def parsed(entry: dict[str, Any]) -> Drawn | Kept:
    return Kept(**entry) if "begin" in entry else Drawn(**entry)


def total_bytes(recipe: Path) -> int:
    """Returns how many bytes the weights of a recipe have."""
    return sum(file.size for file in read(recipe))


def make(recipe: Path, out: Path) -> None:
    """Makes the model folder of a recipe; the one that is there is made anew."""
    shutil.rmtree(out, ignore_errors=True)
    without = shutil.ignore_patterns(FILE, KEPT)
    shutil.copytree(recipe, out, ignore=without)
    kept, table = (recipe / KEPT).read_bytes(), Table()
    for file in read(recipe):
        with (out / file.path).open("wb") as stream:
            stream.writelines(contents(file, kept, table))


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
