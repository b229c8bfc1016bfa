"""What the attention of an injected layer asks for.

`written` is the engine's graph, operator by operator, whose order and tiles are those of
`worker/engine/src/attention/{graph,writer,weak}.rs`; `fused` one kernel that keeps no matrix of
tokens by tokens; `explicit` PyTorch, whose matrices are tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from baseline.estimate.work import Kernel, Unit, Work

TILE_BYTES = 64 << 20
"""Memory of the attention of one tile of queries, in the engine."""


@dataclass(frozen=True)
class Layer:
    """Tokens, heads and columns of a head."""

    tokens: int
    heads: int
    head_width: int

    @property
    def elements(self) -> int:
        """Numbers of a query, key or value."""
        return self.tokens * self.heads * self.head_width

    @property
    def product(self) -> float:
        """Operations of a product of all queries and keys, or of all weights and values."""
        return 2.0 * self.tokens * self.elements

    def matrix_bytes(self, of_float: int, queries: int | None = None) -> int:
        """Returns the bytes of the weights of some queries, all of them if none is given."""
        return self.heads * (queries or self.tokens) * self.tokens * of_float


@dataclass(frozen=True)
class Filter:
    """How weak positions are found, and what is exchanged there."""

    fraction: float
    query_rows: bool
    full_width_match: bool


def own(layer: Layer, half: bool, batch: int = 1) -> Kernel:
    """Returns the self-attention of a layer."""
    return Kernel(
        name="MultiHeadAttention",
        bytes=4 * batch * layer.elements * (2 if half else 4),
        operations=2.0 * batch * layer.product,
        unit=Unit.HALF if half else Unit.SINGLE,
    )


def written(layer: Layer, found: Filter | None, half: bool) -> Work:
    """Returns the engine's cross-image attention as it is: sums, weights and scores in float32."""
    return tuple(Written(layer, half).work(found))


@dataclass(frozen=True)
class Written:
    """Writes the kernels of a layer's graph; between inputs and output numbers have four bytes."""

    layer: Layer
    half: bool

    @property
    def whole(self) -> int:
        """Bytes of a query, key or value in float32."""
        return 4 * self.layer.elements

    @property
    def unit(self) -> Unit:
        return Unit.TF32 if self.half else Unit.SINGLE

    def tiles(self) -> list[int]:
        """Returns the queries of each tile."""
        tokens = self.layer.tokens
        most = min(max(TILE_BYTES // self.layer.matrix_bytes(4, 1), 1), tokens)
        return [min(most, tokens - first) for first in range(0, tokens, most)]

    def passes(self, name: str, *sizes: float) -> Iterator[Kernel]:
        """Gives one kernel that is held up by memory."""
        yield Kernel(name, sum(sizes))

    def work(self, found: Filter | None) -> Iterator[Kernel]:
        """Gives the kernels of the graph."""
        yield from self.inputs(6 if found else 3)
        yield from self.layouts(2 if found else 1)
        if found:
            yield from self.match(found)
            yield from self.similarity()
            yield from self.weak(found)
        # Values by heads, the result by tokens.
        for _ in range(3 if found else 2):
            yield from self.passes("Transpose", self.whole, self.whole)
        if found and not found.query_rows:
            for _ in range(2):
                yield from self.passes("Where", self.whole, self.whole)
        yield from self.attend(found)
        if self.half:
            yield from self.passes("Cast", self.whole, self.whole / 2)

    def inputs(self, number: int) -> Iterator[Kernel]:
        if self.half:
            for _ in range(number):
                yield from self.passes("Cast", self.whole, self.whole / 2)

    def layouts(self, attentions: int) -> Iterator[Kernel]:
        """Gives queries by heads and by tiles, and keys transposed."""
        for _ in range(attentions):
            for name in ("Transpose", "Split", "Transpose"):
                yield from self.passes(name, self.whole, self.whole)

    def softmax(self, queries: int, contrast: bool) -> Iterator[Kernel]:
        matrix = self.layer.matrix_bytes(4, queries)
        share = queries / self.layer.tokens
        yield Kernel(
            "scores",
            share * self.whole + self.whole + matrix,
            share * self.layer.product,
            self.unit,
        )
        for name in ("Softmax", *(("Sub", "Mul", "Add", "Clip") if contrast else ())):
            yield from self.passes(name, matrix, matrix)

    def average(self, queries: int) -> Iterator[Kernel]:
        share = queries / self.layer.tokens
        read = self.layer.matrix_bytes(4, queries) + self.whole
        yield Kernel("averages", read + share * self.whole, share * self.layer.product, self.unit)

    def match(self, found: Filter) -> Iterator[Kernel]:
        """Gives the search for each query's best key."""
        layer = self.layer
        if found.full_width_match:
            # Queries are divided, and keys transposed, once more.
            yield from self.passes("Transpose", self.whole, self.whole)
            yield from self.passes("Split", self.whole, self.whole)
        for queries in self.tiles():
            share = queries / layer.tokens
            sums = 4 * queries * layer.tokens
            if found.full_width_match:
                read = share * self.whole + self.whole
                yield Kernel("scores", read + sums, share * layer.product, self.unit)
            else:
                yield from self.softmax(queries, contrast=True)
                yield from self.passes("ReduceSum", layer.matrix_bytes(4, queries), sums)
            yield from self.passes("ArgMax", sums, 8 * queries)
        yield from self.passes("Concat", 16 * layer.tokens)

    def similarity(self) -> Iterator[Kernel]:
        """Gives the comparison of values with those at best matches."""
        rows = 4 * self.layer.tokens * self.layer.heads
        yield from self.passes("Gather", self.whole, self.whole)
        for read in (2, 1, 1):
            yield from self.passes("Mul", read * self.whole, self.whole)
            yield from self.passes("ReduceSum", self.whole, rows)
        for name, tensors in (("Sqrt", 2), ("Sqrt", 2), ("Mul", 3), ("Max", 2), ("Div", 3)):
            yield from self.passes(name, tensors * rows)
        yield from self.passes("Abs", 2 * rows)
        yield from self.passes("ReduceSum", rows, 4 * self.layer.tokens)

    def weak(self, found: Filter) -> Iterator[Kernel]:
        """Gives the quantile and what lies below it."""
        of_tokens = 4 * self.layer.tokens
        yield from self.passes("TopK", of_tokens, 3 * found.fraction * of_tokens)
        for name in ("Gather", "Gather", "Sub", "Mul", "Add"):
            yield from self.passes(name, 12)
        yield from self.passes("Less", of_tokens, self.layer.tokens)

    def attend(self, found: Filter | None) -> Iterator[Kernel]:
        """Gives the averages of values, tile by tile."""
        for queries in self.tiles():
            yield from self.softmax(queries, contrast=True)
            yield from self.average(queries)
            if found:
                yield from self.softmax(queries, contrast=False)
                yield from self.average(queries)
                if not found.query_rows:
                    yield from self.passes("Add", 3 * queries / self.layer.tokens * self.whole)
        for _ in range(2 if found and found.query_rows else 1):
            yield from self.passes("Concat", self.whole, self.whole)
        if found and found.query_rows:
            yield from self.passes("Where", 2 * self.whole, self.whole)


def fused(layer: Layer, found: Filter | None, half: bool) -> Work:
    """Returns kernels that make scores where they need them: row sums first, then the averages.

    Of the content only what is exchanged is computed, with the row sums of its own attention.
    """
    products, launches, tensors = 3.0, 2, 4
    if found:
        # Where columns are exchanged, those of the style are computed once more and taken away.
        exchanged = 2.0 if found.query_rows else 4.0
        products += exchanged * found.fraction + (1.0 if found.full_width_match else 0.0)
        launches, tensors = 4, 7
    return (
        Kernel(
            "injected layer",
            tensors * layer.elements * (2 if half else 4),
            products * layer.product,
            Unit.HALF if half else Unit.SINGLE,
            launches,
        ),
    )


def explicit(layer: Layer, found: Filter | None, half: bool, outputs: int, others: int) -> Work:
    """Returns PyTorch's injected layer for a batch of outputs and of others, which see themselves.

    Attention is a tensor, in the model's precision. With a filter it is that of the other branches
    as well, for the content's takes the place of the style's.
    """
    size = 2 if half else 4
    matrix, vectors = layer.matrix_bytes(size), layer.elements * size
    unit = Unit.HALF if half else Unit.SINGLE
    mapped = outputs + (others if found else 0)
    kernels = [] if found or not others else [own(layer, half, others)]
    scores = mapped * (2 * vectors + matrix)
    kernels.append(Kernel("scores", scores, mapped * layer.product, unit))
    kernels.append(Kernel("softmax", 2 * mapped * matrix))
    for name in ("sub", "mul", "add", "clip"):
        kernels.append(Kernel(name, 2 * outputs * matrix))
    for _ in range(outputs if found else 0):
        kernels += exchange(layer, size)
    kernels.append(Kernel("averages", scores, mapped * layer.product, unit))
    return tuple(kernels)


def exchange(layer: Layer, size: int) -> list[Kernel]:
    """Returns what PyTorch's filter does for one output: best keys, similarity, maps and values."""
    matrix, vectors = layer.matrix_bytes(size), layer.elements * size
    sums = matrix / layer.heads
    rows = layer.tokens * layer.heads * size
    return [
        Kernel("sum", matrix + sums),
        Kernel("argmax", sums + 8 * layer.tokens),
        Kernel("gather", 2 * vectors),
        Kernel("cosine", 2 * vectors + rows, launches=8),
        Kernel("abs, sum", 3 * rows, launches=2),
        Kernel("quantile", 4 * rows / layer.heads, launches=6),
        Kernel("where", 3 * matrix),
        Kernel("where", 3 * vectors),
    ]
