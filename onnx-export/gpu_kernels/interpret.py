"""Runs the kernels on a CPU: `TRITON_INTERPRET=1 python -m gpu_kernels.interpret IN OUT`.

`IN` is an archive of arrays `CASE/NAME`, and `CASE/how` is the JSON of what is asked for; `OUT`
gets one array for each case, and in `CASE/bytes` how many were loaded and stored. It is a program
of its own: Triton reads the environment when it is imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from triton.runtime.interpreter import InterpreterBuilder

from gpu_kernels.blocks import Blocks
from gpu_kernels.launch import Image, Launcher
from gpu_kernels.layers import Filter, Layer


@dataclass(frozen=True)
class How:
    """What is asked for of a case."""

    layer: Layer
    strength: float
    filter: Filter | None
    blocks: Blocks

    def json(self) -> str:
        """Returns it as a text."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> How:
        """Returns what a text says."""
        told: dict[str, Any] = json.loads(text)
        filter_ = told["filter"]
        return cls(
            Layer(**told["layer"]),
            told["strength"],
            None if filter_ is None else Filter(**filter_),
            Blocks(**told["blocks"]),
        )


def attended(how: How, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the attention that a case asks for."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    style = Image(tensors["query"], tensors["style_key"], tensors["style_value"])
    content = None
    if how.filter is not None:
        content = Image(*(tensors[f"content_{name}"] for name in ("query", "key", "value")))
    launcher = Launcher(how.layer, how.blocks, how.strength)
    return launcher.injected(tensors["query"], style, content, how.filter).numpy()


@contextmanager
def counted() -> Iterator[list[int]]:
    """Gives a list to which every load and store adds its bytes."""
    found: list[int] = []
    load, store = InterpreterBuilder.create_masked_load, InterpreterBuilder.create_masked_store

    def bytes_of(pointers: Any, mask: Any) -> int:
        return int(mask.data.sum()) * pointers.get_element_ty().primitive_bitwidth // 8

    def counting_load(self: Any, pointers: Any, mask: Any, *others: Any) -> Any:
        found.append(bytes_of(pointers, mask))
        return load(self, pointers, mask, *others)

    def counting_store(self: Any, pointers: Any, value: Any, mask: Any, *others: Any) -> Any:
        found.append(bytes_of(pointers, mask))
        return store(self, pointers, value, mask, *others)

    InterpreterBuilder.create_masked_load = counting_load
    InterpreterBuilder.create_masked_store = counting_store
    try:
        yield found
    finally:
        InterpreterBuilder.create_masked_load = load
        InterpreterBuilder.create_masked_store = store


@contextmanager
def rows_of_no_number() -> Iterator[None]:
    """Lets a row without any number have its largest at its first place.

    A GPU goes on where a comparison with what is no number is false; the interpreter, which asks
    NumPy, ends.
    """
    largest = np.nanargmax

    def largest_or_first(array: Any, *others: Any, **named: Any) -> Any:
        return largest(np.where(np.isnan(array), -np.inf, array), *others, **named)

    with patch.object(np, "nanargmax", largest_or_first):
        yield


def main() -> None:
    """Runs every case of an archive."""
    source, target = map(Path, sys.argv[1:])
    cases: dict[str, dict[str, np.ndarray]] = {}
    with np.load(source) as arrays:
        for name in arrays:
            case, _, part = name.rpartition("/")
            cases.setdefault(case, {})[part] = arrays[name]
    found = {}
    for case, arrays_of_case in cases.items():
        how = How.parse(str(arrays_of_case.pop("how")))
        with counted() as moved, rows_of_no_number():
            found[case] = attended(how, arrays_of_case)
        found[f"{case}/bytes"] = np.array(sum(moved))
    np.savez(target, allow_pickle=False, **found)


if __name__ == "__main__":
    main()
