"""The kernels in order, on tensors of torch: the same launches that the worker makes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
from torch import Tensor

from gpu_kernels import attention, weak
from gpu_kernels.blocks import ORDER, QUANTILE, SHARES, SIMILARITIES, WHOLE_PART, Blocks, parts
from gpu_kernels.layers import Filter, Layer, Place


@dataclass(frozen=True)
class Image:
    """Queries, keys and values of a layer, `(tokens, heads * width)` each."""

    query: Tensor
    key: Tensor
    value: Tensor


class Launcher:
    """Launches kernels on one layer's tensors."""

    def __init__(self, layer: Layer, blocks: Blocks, strength: float) -> None:
        self.layer = layer
        self.blocks = blocks
        self.strength = strength
        first, second = parts(layer.width)
        self.shape = {"WIDTH": layer.width, "PART_1": first, "PART_2": second}
        self.tiles = self.shape | {"QUERIES": blocks.queries, "KEYS": blocks.keys}

    def _tiles(self, rows: int) -> int:
        return triton.cdiv(self.layer.tokens, rows)

    def _numbers(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.full(shape, -1, dtype=dtype)

    def statistics(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the largest scores of queries and the sums of their weights."""
        layer = self.layer
        most, total = (self._numbers(layer.heads, layer.tokens) for _ in range(2))
        attention.statistics[(self._tiles(self.blocks.queries), layer.heads)](
            query, key, most, total, layer.tokens, layer.heads, layer.factor, **self.tiles
        )
        return most, total

    def matched(
        self, query: Tensor, key: Tensor, stats: tuple[Tensor, Tensor], by_attention: bool
    ) -> tuple[Tensor, Tensor]:
        """Returns the sum at the best key of each share of the keys, and the key."""
        layer = self.layer
        sums = self._numbers(SHARES, layer.tokens)
        best = self._numbers(SHARES, layer.tokens, dtype=torch.int32)
        attention.best_keys[(self._tiles(self.blocks.queries), SHARES)](
            query, key, *stats, sums, best, layer.tokens, layer.heads, layer.factor, self.strength,
            BY_ATTENTION=by_attention, **self.tiles,
        )  # fmt: skip
        return sums, best

    def similarity(
        self, content: Tensor, style: Tensor, matched: tuple[Tensor, Tensor], over_heads: bool
    ) -> Tensor:
        """Returns how much content values resemble those at their best matches."""
        layer = self.layer
        similarity = self._numbers(layer.tokens)
        weak.similarities[(self._tiles(SIMILARITIES.queries),)](
            content, style, *matched, similarity, layer.tokens, layer.heads, layer.width, SHARES,
            OVER_HEADS=over_heads, PART=WHOLE_PART, QUERIES=SIMILARITIES.queries,
        )  # fmt: skip
        return similarity

    def positions(self, similarity: Tensor, fraction: float) -> tuple[Tensor, Tensor]:
        """Returns strong positions, then the weak ones, and the number of strong ones."""
        layer = self.layer
        place = Place.of(layer.tokens, fraction)
        ends = self._numbers(2)
        positions = self._numbers(layer.tokens, dtype=torch.int32)
        strong = self._numbers(1, dtype=torch.int32)
        weak.quantile[(self._tiles(QUANTILE.queries),)](
            similarity,
            ends,
            layer.tokens,
            place.below,
            place.above,
            POSITIONS=QUANTILE.queries,
            OTHERS=QUANTILE.keys,
        )
        weak.order[(1,)](
            similarity, ends, positions, strong, layer.tokens, place.share, POSITIONS=ORDER.queries
        )
        return positions, strong

    def injected(
        self, query: Tensor, style: Image, content: Image | None, how: Filter | None
    ) -> Tensor:
        """Returns the attention of an output to its style."""
        layer, blocks = self.layer, self.blocks
        numbers = (layer.tokens, layer.heads, layer.factor, self.strength)
        output = torch.full_like(query, torch.nan)
        stats = self.statistics(query, style.key)
        if how is None or content is None:
            attention.attend[(self._tiles(blocks.queries), layer.heads)](
                query, style.key, style.value, *stats, output, *numbers, **self.tiles
            )
            return output
        matched = self.matched(query, style.key, stats, how.by_attention)
        similarity = self.similarity(content.value, style.value, matched, how.over_heads)
        positions = self.positions(similarity, how.fraction)
        own = self.statistics(content.query, content.key)
        arguments = (
            query, style.key, style.value, *stats,
            content.query, content.key, content.value, *own, *positions, output, *numbers,
        )  # fmt: skip
        if how.exchange == "columns":
            grid = (self._tiles(blocks.queries), layer.heads)
            attention.exchange_columns[grid](*arguments, **self.tiles)
        else:
            grid = (self._tiles(blocks.queries) + 1, layer.heads)
            attention.exchange_rows[grid](*arguments, **self.tiles)
        return output
