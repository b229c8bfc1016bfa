"""Kernels: what each asks of a GPU, and how long it takes there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from baseline.estimate.gpus import Gpu


class Unit(Enum):
    """What does the operations of a kernel."""

    HALF = "tensor cores, float16"
    TF32 = "tensor cores, TF32"
    SINGLE = "float32"

    def rate(self, gpu: Gpu) -> float:
        """Returns operations a second."""
        if self is Unit.SINGLE:
            return gpu.single_rate
        return gpu.half_rate if self is Unit.HALF else gpu.tf32_rate


@dataclass(frozen=True)
class Kernel:
    """A piece of work that reads its inputs, computes, and writes its outputs.

    What a library does inside of a call of its own has no launch.
    """

    name: str
    bytes: float
    operations: float = 0.0
    unit: Unit = Unit.SINGLE
    launches: int = 1

    def seconds(self, gpu: Gpu) -> float:
        """Returns how long it takes."""
        return max(
            self.operations / self.unit.rate(gpu),
            self.bytes / gpu.byte_rate,
            self.launches * gpu.launch_seconds,
        )


Work = tuple[Kernel, ...]
"""Kernels, one after another."""


@dataclass(frozen=True)
class Totals:
    """What kernels ask for in sum."""

    operations: float
    bytes: float
    launches: int


def totals(work: Iterable[Kernel]) -> Totals:
    """Returns the sums."""
    kernels = tuple(work)
    return Totals(
        operations=sum(kernel.operations for kernel in kernels),
        bytes=sum(kernel.bytes for kernel in kernels),
        launches=sum(kernel.launches for kernel in kernels),
    )
