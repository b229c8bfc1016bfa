"""What kernels are asked for: layers, and how their outputs attend to styles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Exchange = Literal["columns", "rows"]


@dataclass(frozen=True)
class Layer:
    """Tokens, heads and columns of a head."""

    tokens: int
    heads: int
    width: int

    @property
    def factor(self) -> float:
        """What makes a score a power of two: log2(e) over the root of the width."""
        return math.log2(math.e) / math.sqrt(self.width)


@dataclass(frozen=True)
class Filter:
    """How weak positions are found and exchanged, as the worker's filter says it."""

    fraction: float
    exchange: Exchange
    by_attention: bool
    over_heads: bool


@dataclass(frozen=True)
class Place:
    """Where a quantile is among sorted values."""

    below: int
    above: int
    share: float

    @classmethod
    def of(cls, num: int, fraction: float) -> Place:
        """Returns the place of the quantile `fraction` among so many values."""
        position = fraction * (num - 1)
        return cls(math.floor(position), math.ceil(position), position - math.floor(position))


RELEASED = Filter(0.25, "columns", by_attention=True, over_heads=True)
PAPER = Filter(0.25, "rows", by_attention=False, over_heads=False)
