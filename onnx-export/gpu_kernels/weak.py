"""Which positions are weak, on a GPU: their similarities, a quantile of these, and their order.

Each number is written by one program, and whole numbers say who writes it. A position is weak where
its similarity lies below the quantile, which is interpolated linearly between two of them.

**Source:** Chigot et al. 2025, section 3.3 (arXiv:2505.16360).
"""

from __future__ import annotations

import triton
import triton.language as tl

INFINITY = tl.constexpr(float("inf"))
# Keeps the cosine of a zero vector from being no number.
EPSILON = tl.constexpr(1e-8)


@triton.jit
def similarities(
    content_value, style_value, best_sum, best_key, similarity, tokens, heads, width, shares,
    OVER_HEADS: tl.constexpr, PART: tl.constexpr, QUERIES: tl.constexpr,
):  # fmt: skip
    """Writes how much each content value resembles the style's at the best of the best keys."""
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    is_query = rows < tokens
    columns = tl.arange(0, PART)
    is_number = is_query[:, None] & (columns < width)[None, :]
    most = tl.full((QUERIES,), -INFINITY, tl.float32)
    best = tl.zeros((QUERIES,), tl.int32)
    for share in range(shares):
        places = share * tokens + rows
        most_of_share = tl.load(best_sum + places, mask=is_query, other=-INFINITY)
        best_of_share = tl.load(best_key + places, mask=is_query, other=0)
        best = tl.where(most_of_share > most, best_of_share, best)
        most = tl.where(most_of_share > most, most_of_share, most)
    result = tl.zeros((QUERIES,), tl.float32)
    product, square, other_square = result, result, result
    for head in range(heads):
        places = rows[:, None] * (heads * width) + (head * width + columns)[None, :]
        content = tl.load(content_value + places, mask=is_number, other=0.0).to(tl.float32)
        places = best[:, None] * (heads * width) + (head * width + columns)[None, :]
        style = tl.load(style_value + places, mask=is_number, other=0.0).to(tl.float32)
        product += tl.sum(content * style, 1)
        square += tl.sum(content * content, 1)
        other_square += tl.sum(style * style, 1)
        if OVER_HEADS:
            lengths = tl.sqrt_rn(square) * tl.sqrt_rn(other_square)
            result += tl.abs(tl.div_rn(product, tl.where(lengths < EPSILON, EPSILON, lengths)))
            product = tl.zeros((QUERIES,), tl.float32)
            square, other_square = product, product
    if not OVER_HEADS:
        lengths = tl.sqrt_rn(square) * tl.sqrt_rn(other_square)
        result = tl.div_rn(product, tl.where(lengths < EPSILON, EPSILON, lengths))
    tl.store(similarity + rows, result, mask=is_query)


@triton.jit
def quantile(
    similarity, ends, tokens, below, above, POSITIONS: tl.constexpr, OTHERS: tl.constexpr,
):  # fmt: skip
    """Writes the similarities at two places of their order, in which what is no number is last."""
    rows = tl.program_id(0) * POSITIONS + tl.arange(0, POSITIONS)
    own = tl.load(similarity + rows, mask=rows < tokens, other=INFINITY)
    own = tl.where(own == own, own, INFINITY)
    place = tl.zeros((POSITIONS,), tl.int32)
    for first in range(0, tokens, OTHERS):
        others = first + tl.arange(0, OTHERS)
        other = tl.load(similarity + others, mask=others < tokens, other=INFINITY)
        other = tl.where(other == other, other, INFINITY)
        is_before = other[None, :] < own[:, None]
        is_equal = other[None, :] == own[:, None]
        is_before = is_before | (is_equal & (others[None, :] < rows[:, None]))
        place += tl.sum(is_before.to(tl.int32), 1)
    tl.store(ends + tl.zeros((POSITIONS,), tl.int32), own, mask=(rows < tokens) & (place == below))
    tl.store(
        ends + 1 + tl.zeros((POSITIONS,), tl.int32), own, mask=(rows < tokens) & (place == above)
    )


@triton.jit
def order(similarity, ends, positions, num_strong, tokens, share, POSITIONS: tl.constexpr):
    """Writes strong positions, then the weak ones, both ascending, and how many are strong."""
    end = tl.load(ends)
    threshold = end + (tl.load(ends + 1) - end) * share
    strong = tl.zeros((), tl.int32)
    for first in range(0, tokens, POSITIONS):
        rows = first + tl.arange(0, POSITIONS)
        own = tl.load(similarity + rows, mask=rows < tokens, other=0.0)
        strong += tl.sum(((rows < tokens) & ~(own < threshold)).to(tl.int32), 0)
    tl.store(num_strong, strong)
    before = tl.zeros((), tl.int32)
    for first in range(0, tokens, POSITIONS):
        rows = first + tl.arange(0, POSITIONS)
        own = tl.load(similarity + rows, mask=rows < tokens, other=0.0)
        is_strong = ((rows < tokens) & ~(own < threshold)).to(tl.int32)
        strong_until = before + tl.cumsum(is_strong, 0)
        weak_before = rows - strong_until
        place = tl.where(is_strong == 1, strong_until - 1, strong + weak_before)
        tl.store(positions + place, rows, mask=rows < tokens)
        before += tl.sum(is_strong, 0)
