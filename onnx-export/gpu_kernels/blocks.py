"""How kernels divide their work: what is known when they are compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["fp16", "fp32"]

# Of Stable Diffusion 1.x at its two injected levels, and of 2.x.
WIDTHS = (40, 64, 80)
# The shares of keys that are matched side by side: which key is the best does not depend on it.
SHARES = 4
# The least columns that a product takes.
LEAST_PART = 16


@dataclass(frozen=True)
class Blocks:
    """The rows of a program, those that it takes at a time, its warps and its stages of loading."""

    queries: int
    keys: int
    warps: int
    stages: int = 3


# Chosen so that no register is spilled; products of float32, without tensor cores, take more.
ATTENTION: dict[Dtype, Blocks] = {"fp16": Blocks(128, 64, 8), "fp32": Blocks(64, 32, 8, 2)}
# Its two branches want more registers than one: a stage less of loading leaves them.
EXCHANGING_ROWS: dict[Dtype, Blocks] = {
    "fp16": Blocks(128, 64, 8, 2),
    "fp32": Blocks(64, 32, 8, 2),
}
# Those whose work is small: positions of a program, and those that it takes at a time.
SIMILARITIES = Blocks(16, 0, 4)
QUANTILE = Blocks(32, 256, 4)
ORDER = Blocks(1024, 0, 8)


def matching(dtype: Dtype, width: int) -> Blocks:
    """Returns how best keys are found: fewer at a time where a head is wide."""
    if dtype == "fp32":
        return Blocks(32, 32, 4, 2)
    return Blocks(64, 32 if width > 64 else 64, 4)


def parts(width: int) -> tuple[int, int]:
    """Returns the powers of two that the columns of a head are taken in; the second may be 0."""
    first = LEAST_PART
    while 2 * first <= width:
        first *= 2
    if width <= first:
        return first, 0
    second = LEAST_PART
    while first + second < width:
        second *= 2
    return (2 * first, 0) if second == first else (first, second)


# The power of two that the columns of any width are in.
WHOLE_PART = 128
