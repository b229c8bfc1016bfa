"""Looks at what every module gives while a checkpoint computes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any

from torch import Tensor, nn

from onnx_export.errors import CheckpointError
from onnx_export.finite import HALF_MAX, largest

# Above this share of what half precision can hold, another image may well go beyond it.
NEAR = 0.5


@dataclass
class Watched:
    """The largest number that a part computed, and the module that gave it."""

    part: str
    value: float = 0.0
    module: str = ""
    cure: str = "--dtype fp32"

    def note(self) -> str:
        """Returns what is to be said for half precision: nothing if there is room."""
        if self.value < NEAR * HALF_MAX:
            return ""
        return (
            f"{self.part}: {self.module} reaches {self.value:,.0f} and half precision ends at "
            f"{HALF_MAX:,.0f}: other images may go beyond it, {self.cure} does not"
        )


@contextmanager
def watched(
    module: nn.Module, part: str, half: bool, advice: str, cure: str = "--dtype fp32"
) -> Iterator[Watched]:
    """Raises `CheckpointError` at the first module whose output is not finite, or beyond `half`.

    Children come before what they are part of, so that the module named is where it began.
    """
    seen = Watched(part, cure=cure)

    def look(name: str, output: Any) -> None:
        for tensor in output if isinstance(output, tuple | list) else (output,):
            if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                continue
            value = abs(largest(tensor.detach()))
            if not isfinite(value):
                raise CheckpointError(
                    f"{part} computes {value} in {name} for a seeded image: its weights are "
                    "damaged or out of proportion: download it again, or give another checkpoint"
                )
            if half and value > HALF_MAX:
                raise CheckpointError(
                    f"{part} computes {value:g} in {name} for a seeded image, and half precision "
                    f"ends at {HALF_MAX:g}: {advice}"
                )
            if value > seen.value:
                seen.value, seen.module = value, name

    handles = [
        child.register_forward_hook(lambda _m, _i, output, name=name: look(name or part, output))
        for name, child in module.named_modules()
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
