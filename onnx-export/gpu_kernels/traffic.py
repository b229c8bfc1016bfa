"""The bytes that one injected layer moves, counted from the loads and stores of its kernels.

    python -m gpu_kernels.traffic --tokens 8192 --heads 8 --width 40

Each launch is counted three ways. `once`: every tensor that it reads or writes, one time, as graphs
are counted by their nodes' inputs and outputs. `asked`: every load and store of every program;
programs that run side by side ask for the same keys, and the GPU's cache answers. `waves`: what
memory gives if each set of programs that fit on the GPU at a time reads everything anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from gpu_kernels.blocks import (
    ATTENTION,
    QUANTILE,
    SHARES,
    SIMILARITIES,
    Blocks,
    Dtype,
    matching,
)
from gpu_kernels.layers import PAPER, RELEASED, Filter, Layer

NUMBER = 4
BYTES: dict[Dtype, int] = {"fp16": 2, "fp32": 4}


@dataclass(frozen=True)
class Launch:
    """A launch: its programs, and the bytes of each kind of operand."""

    name: str
    # Tiles of rows, and heads or shares of keys: tiles go first.
    tiles: int
    rows: int
    # What each program has for itself, all of them together.
    own: int
    # What the programs of one tile share, for all tiles, and how often a program asks for it.
    of_tile: int = 0
    times: int = 1
    # What all programs of one head or share read, for all of these.
    shared: int = 0
    # What some of them read in its place.
    other: int = 0

    @property
    def once(self) -> int:
        """Bytes if everything is read or written one time."""
        return self.own + self.of_tile + self.shared + self.other

    @property
    def asked(self) -> int:
        """Bytes of all loads and stores."""
        return self.own + self.of_tile * self.times + self.shared * self.tiles

    def waves(self, at_a_time: int) -> int:
        """Returns the bytes if so many programs at a time read everything anew."""
        shared = tiles = 0
        for first in range(0, self.tiles * self.rows, at_a_time):
            last = min(first + at_a_time, self.tiles * self.rows) - 1
            shared += last // self.tiles - first // self.tiles + 1
            tiles += min(last - first + 1, self.tiles)
        read = self.of_tile * tiles // self.tiles + (self.shared + self.other) * shared // self.rows
        return self.own + read


@dataclass(frozen=True)
class Layout:
    """A layer with its dtype and blocks."""

    layer: Layer
    dtype: Dtype
    attention: Blocks
    matching: Blocks

    @classmethod
    def of(cls, layer: Layer, dtype: Dtype) -> Layout:
        """Returns the layout that is compiled."""
        return cls(layer, dtype, ATTENTION[dtype], matching(dtype, layer.width))

    @property
    def tensor(self) -> int:
        """Bytes of a query, key or value."""
        return self.layer.tokens * self.layer.heads * self.layer.width * BYTES[self.dtype]

    @property
    def rows(self) -> int:
        """Bytes of one number for each row of each head."""
        return NUMBER * self.layer.tokens * self.layer.heads

    def tiles(self, rows: int, tokens: int | None = None) -> int:
        """Returns how many tiles there are of so many rows."""
        return -(-(self.layer.tokens if tokens is None else tokens) // rows)

    def statistics(self) -> Launch:
        """Returns the launch that finds largest scores and totals."""
        tiles, heads = self.tiles(self.attention.queries), self.layer.heads
        own = self.tensor + 2 * self.rows
        return Launch("statistics", tiles, heads, own, shared=self.tensor)

    def match(self, how: Filter) -> Iterator[Launch]:
        """Gives the launches that find weak positions."""
        tokens, blocks = NUMBER * self.layer.tokens, self.matching
        of_tile = self.tensor + (2 * self.rows if how.by_attention else 0)
        tiles, times = self.tiles(blocks.queries), self.tiles(blocks.keys)
        own, found = 2 * SHARES * tokens, 2 * SHARES * tokens
        yield Launch("best_keys", tiles, SHARES, own, of_tile, times, self.tensor)
        own = found + 2 * self.tensor + tokens
        yield Launch("similarities", self.tiles(SIMILARITIES.queries), 1, own)
        tiles = self.tiles(QUANTILE.queries)
        yield Launch("quantile", tiles, 1, tokens + 2 * NUMBER, shared=tokens)
        yield Launch("order", 1, 1, 3 * tokens + 3 * NUMBER)

    def attend(self) -> Launch:
        """Returns the launch of an attention that is not filtered."""
        tiles, heads = self.tiles(self.attention.queries), self.layer.heads
        own = 2 * self.tensor + 2 * self.rows
        return Launch("attend", tiles, heads, own, shared=2 * self.tensor)

    def exchange(self, how: Filter) -> Launch:
        """Returns the launch of a filtered attention, of which a fraction of positions is weak."""
        queries, heads, tokens = self.attention.queries, self.layer.heads, self.layer.tokens
        scalars = NUMBER * self.tiles(queries) * heads
        if how.exchange == "columns":
            tiles = self.tiles(queries)
            own = 3 * self.tensor + 4 * self.rows + scalars
            # Of keys and values the strong ones are the style's and the weak ones the content's.
            shared = 2 * self.tensor + self.rows
            return Launch("exchange_columns", tiles, heads, own, shared=shared)
        weak = round(how.fraction * tokens)
        of_style, of_content = self.tiles(queries, tokens - weak), self.tiles(queries, weak)
        own = 2 * self.tensor + 3 * self.rows + scalars + NUMBER * heads
        tiles = of_style + of_content
        # A tile reads keys and values of the style or of the content.
        other = 2 * self.tensor if of_content else 0
        return Launch("exchange_rows", tiles, heads, own, shared=2 * self.tensor, other=other)

    def injected(self, how: Filter | None) -> list[Launch]:
        """Returns the launches of an injected layer, in order."""
        if how is None:
            return [self.statistics(), self.attend()]
        return [self.statistics(), *self.match(how), self.statistics(), self.exchange(how)]


# Processors of some GPUs: each holds one program at least, and more of them make fewer waves.
GPUS = {"A10G": 80, "L4": 58, "RTX 4090": 128, "H100": 132}


def main() -> None:
    """Prints the bytes of one layer."""
    parser = argparse.ArgumentParser(prog="gpu_kernels.traffic", description=main.__doc__)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--width", type=int, default=40)
    parser.add_argument("--dtype", choices=tuple(BYTES), default="fp16")
    told = parser.parse_args()
    layout = Layout.of(Layer(told.tokens, told.heads, told.width), told.dtype)
    for name, how in (("cross-image", None), ("released-code", RELEASED), ("paper", PAPER)):
        launches = layout.injected(how)
        once, asked = (sum(getattr(one, kind) for one in launches) for kind in ("once", "asked"))
        waves = {gpu: sum(one.waves(held) for one in launches) for gpu, held in GPUS.items()}
        each = ", ".join(f"{gpu} {number / 1e9:.3f}" for gpu, number in waves.items())
        print(f"{name}: {len(launches)} launches, once {once / 1e9:.3f} GB, waves {each} GB,")
        print(f"  asked {asked / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
