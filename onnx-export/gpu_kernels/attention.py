"""The attention of injected layers on a GPU, without a matrix of tokens by tokens in memory.

Tensors are `(tokens, heads * width)`, the columns of a head side by side. Products are summed in
float32. Every number is written by one program and every sum has one order, so that bytes do not
change from one launch to the next; of equal matches the one at the smallest index is the best.

A softmax is `2^((score - largest) * factor) / total`, where `factor` is log2(e) over the root of
the width, and `largest` and `total` come from a pass of their own: contrast needs them before the
first weight. Weights are averaged times their total, which keeps them near 1 where float16 has
most digits. NaN and infinity stay: comparisons, and not minima, bound what is sharpened.

**Source:** Chigot et al. 2025, section 3.3 (arXiv:2505.16360).
**Differs:** weak keys are left out of one sum and added to the other, by their positions.
"""

from __future__ import annotations

import triton
import triton.language as tl

INFINITY = tl.constexpr(float("inf"))


@triton.jit
def tile(
    tensor, rows, present, head, row_width,
    WIDTH: tl.constexpr, FIRST: tl.constexpr, PART: tl.constexpr,
):  # fmt: skip
    """Returns a part of the columns of a head, 0 beyond the tensor and the width."""
    columns = FIRST + tl.arange(0, PART)
    places = rows[:, None] * row_width + (head * WIDTH + columns)[None, :]
    return tl.load(tensor + places, mask=present[:, None] & (columns < WIDTH)[None, :], other=0.0)


@triton.jit
def both_parts(
    tensor, rows, present, head, row_width,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
):  # fmt: skip
    """Returns the columns of a head; where one part is all of them, it is both."""
    part_1 = tile(tensor, rows, present, head, row_width, WIDTH, 0, PART_1)
    if PART_2 > 0:
        part_2 = tile(tensor, rows, present, head, row_width, WIDTH, PART_1, PART_2)
    else:
        part_2 = part_1
    return part_1, part_2


@triton.jit
def add_scores(scores, query_1, query_2, key_1, key_2, PART_2: tl.constexpr):
    """Returns scores and the products of queries and keys."""
    scores = tl.dot(query_1, tl.trans(key_1), acc=scores, input_precision="ieee")
    if PART_2 > 0:
        scores = tl.dot(query_2, tl.trans(key_2), acc=scores, input_precision="ieee")
    return scores


@triton.jit
def statistics(
    query, key, largest, total, tokens, heads, factor,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Writes the largest score of each query and the sum of its weights, `(heads, tokens)` each."""
    head = tl.program_id(1)
    row_width = heads * WIDTH
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    is_query = rows < tokens
    query_1, query_2 = both_parts(query, rows, is_query, head, row_width, WIDTH, PART_1, PART_2)
    most = tl.full((QUERIES,), -INFINITY, tl.float32)
    sum_of_weights = tl.zeros((QUERIES,), tl.float32)
    for first in range(0, tokens, KEYS):
        keys = first + tl.arange(0, KEYS)
        is_key = keys < tokens
        key_1, key_2 = both_parts(key, keys, is_key, head, row_width, WIDTH, PART_1, PART_2)
        scores = tl.zeros((QUERIES, KEYS), tl.float32)
        scores = add_scores(scores, query_1, query_2, key_1, key_2, PART_2)
        scores = tl.where(is_key[None, :], scores, -INFINITY)
        more = tl.maximum(most, tl.max(scores, 1))
        weights = tl.exp2((scores - more[:, None]) * factor)
        sum_of_weights = sum_of_weights * tl.exp2((most - more) * factor) + tl.sum(weights, 1)
        most = more
    places = head * tokens + rows
    tl.store(largest + places, most, mask=is_query)
    tl.store(total + places, sum_of_weights, mask=is_query)


@triton.jit
def best_keys(
    query, key, largest, total, best_sum, best_key, tokens, heads, factor, strength,
    BY_ATTENTION: tl.constexpr,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Writes the best key of each query in each share of the keys, `(shares, tokens)`, and its sum.

    A sum is over heads, of sharpened attention or of scores. There are as many shares as programs
    along the second axis; which key is the best does not depend on their number.
    """
    share = tl.program_id(1)
    row_width = heads * WIDTH
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    is_query = rows < tokens
    most = tl.full((QUERIES,), -INFINITY, tl.float32)
    best = tl.zeros((QUERIES,), tl.int32)
    mean = 1.0 / tokens.to(tl.float32)
    of_share = tl.cdiv(tl.cdiv(tokens, KEYS), tl.num_programs(1)) * KEYS
    for first in range(share * of_share, tl.minimum(tokens, (share + 1) * of_share), KEYS):
        keys = first + tl.arange(0, KEYS)
        is_key = keys < tokens
        sums = tl.zeros((QUERIES, KEYS), tl.float32)
        for head in range(heads):
            query_1, query_2 = both_parts(
                query, rows, is_query, head, row_width, WIDTH, PART_1, PART_2
            )
            key_1, key_2 = both_parts(key, keys, is_key, head, row_width, WIDTH, PART_1, PART_2)
            if BY_ATTENTION:
                scores = tl.zeros((QUERIES, KEYS), tl.float32)
                scores = add_scores(scores, query_1, query_2, key_1, key_2, PART_2)
                places = head * tokens + rows
                most_of_head = tl.load(largest + places, mask=is_query, other=0.0)
                of_weight = strength / tl.load(total + places, mask=is_query, other=1.0)
                weights = tl.exp2((scores - most_of_head[:, None]) * factor)
                weights = weights * of_weight[:, None] + (mean - strength * mean)
                weights = tl.where(weights < 0.0, 0.0, weights)
                sums += tl.where(weights > 1.0, 1.0, weights)
            else:
                sums = add_scores(sums, query_1, query_2, key_1, key_2, PART_2)
        sums = tl.where(is_key[None, :], sums, -INFINITY)
        most_of_tile, place = tl.max(
            sums, 1, return_indices=True, return_indices_tie_break_left=True
        )
        is_more = most_of_tile > most
        most = tl.where(is_more, most_of_tile, most)
        best = tl.where(is_more, first + place, best)
    places = share * tokens + rows
    tl.store(best_sum + places, most, mask=is_query)
    tl.store(best_key + places, best, mask=is_query)


@triton.jit
def add_averages(
    sum_1, sum_2, query_1, query_2, key, value, positions, begin, end, most, total,
    head, row_width, mean, factor, strength,
    IS_LISTED: tl.constexpr,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Returns sums and the values of keys, times their sharpened weights and the weights' total.

    The keys are those from `begin` to `end`, of a list of positions or themselves.
    """
    back = (mean - strength * mean) * total
    for first in range(begin, end, KEYS):
        places = first + tl.arange(0, KEYS)
        is_key = places < end
        keys = places
        if IS_LISTED:
            keys = tl.load(positions + places, mask=is_key, other=0)
        key_1, key_2 = both_parts(key, keys, is_key, head, row_width, WIDTH, PART_1, PART_2)
        scores = tl.zeros((QUERIES, KEYS), tl.float32)
        scores = add_scores(scores, query_1, query_2, key_1, key_2, PART_2)
        # What lies beyond the keys has values of 0, whatever its weights are.
        weights = tl.exp2((scores - most[:, None]) * factor) * strength + back[:, None]
        weights = tl.where(weights < 0.0, 0.0, weights)
        weights = tl.where(weights > total[:, None], total[:, None], weights)
        value_1, value_2 = both_parts(value, keys, is_key, head, row_width, WIDTH, PART_1, PART_2)
        weights = weights.to(value_1.dtype)
        sum_1 = tl.dot(weights, value_1, acc=sum_1, input_precision="ieee")
        if PART_2 > 0:
            sum_2 = tl.dot(weights, value_2, acc=sum_2, input_precision="ieee")
    return sum_1, sum_2


@triton.jit
def store_rows(
    output, sum_1, sum_2, rows, present, head, row_width,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
):  # fmt: skip
    """Writes the columns of a head."""
    dtype = output.dtype.element_ty
    columns = tl.arange(0, PART_1)
    places = rows[:, None] * row_width + (head * WIDTH + columns)[None, :]
    tl.store(output + places, sum_1.to(dtype), mask=present[:, None] & (columns < WIDTH)[None, :])
    if PART_2 > 0:
        columns = PART_1 + tl.arange(0, PART_2)
        places = rows[:, None] * row_width + (head * WIDTH + columns)[None, :]
        tl.store(
            output + places, sum_2.to(dtype), mask=present[:, None] & (columns < WIDTH)[None, :]
        )


@triton.jit
def attend_rows(
    query, key, value, largest, total, output, rows, is_query,
    tokens, heads, factor, strength,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Writes the attention of some queries to all keys."""
    head = tl.program_id(1)
    row_width = heads * WIDTH
    most = tl.load(largest + head * tokens + rows, mask=is_query, other=0.0)
    of_rows = tl.load(total + head * tokens + rows, mask=is_query, other=1.0)
    query_1, query_2 = both_parts(query, rows, is_query, head, row_width, WIDTH, PART_1, PART_2)
    sum_1 = tl.zeros((QUERIES, PART_1), tl.float32)
    sum_2 = tl.zeros((QUERIES, PART_2 if PART_2 > 0 else PART_1), tl.float32)
    sum_1, sum_2 = add_averages(
        sum_1, sum_2, query_1, query_2, key, value, largest, 0, tokens, most, of_rows,
        head, row_width, 1.0 / tokens.to(tl.float32), factor, strength, False,
        WIDTH, PART_1, PART_2, QUERIES, KEYS,
    )  # fmt: skip
    sum_1 = sum_1 / of_rows[:, None]
    sum_2 = sum_2 / of_rows[:, None]
    store_rows(output, sum_1, sum_2, rows, is_query, head, row_width, WIDTH, PART_1, PART_2)


@triton.jit
def attend(
    query, key, value, largest, total, output, tokens, heads, factor, strength,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Writes the sharpened attention of all queries to all keys."""
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    attend_rows(
        query, key, value, largest, total, output, rows, rows < tokens,
        tokens, heads, factor, strength,
        WIDTH, PART_1, PART_2, QUERIES, KEYS,
    )  # fmt: skip


@triton.jit
def exchange_rows(
    query, key, value, largest, total,
    content_query, content_key, content_value, content_largest, content_total,
    positions, num_strong, output, tokens, heads, factor, strength,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Writes the attention of strong queries to the style, and of the content's weak to itself.

    Programs take tiles of strong queries, then tiles of weak ones: one more than all queries have.
    """
    strong = tl.load(num_strong)
    tile_index = tl.program_id(0)
    strong_tiles = tl.cdiv(strong, QUERIES)
    if tile_index < strong_tiles:
        places = tile_index * QUERIES + tl.arange(0, QUERIES)
        is_query = places < strong
        rows = tl.load(positions + places, mask=is_query, other=0)
        attend_rows(
            query, key, value, largest, total, output, rows, is_query,
            tokens, heads, factor, strength,
            WIDTH, PART_1, PART_2, QUERIES, KEYS,
        )  # fmt: skip
    else:
        places = strong + (tile_index - strong_tiles) * QUERIES + tl.arange(0, QUERIES)
        is_query = places < tokens
        rows = tl.load(positions + places, mask=is_query, other=0)
        if strong + (tile_index - strong_tiles) * QUERIES < tokens:
            attend_rows(
                content_query, content_key, content_value, content_largest, content_total,
                output, rows, is_query, tokens, heads, factor, 1.0,
                WIDTH, PART_1, PART_2, QUERIES, KEYS,
            )  # fmt: skip


@triton.jit
def exchange_columns(
    query, key, value, largest, total,
    content_query, content_key, content_value, content_largest, content_total,
    positions, num_strong, output, tokens, heads, factor, strength,
    WIDTH: tl.constexpr, PART_1: tl.constexpr, PART_2: tl.constexpr,
    QUERIES: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """Writes the attention to strong keys of the style, and the content's own to its weak ones."""
    head = tl.program_id(1)
    row_width = heads * WIDTH
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    is_query = rows < tokens
    strong = tl.load(num_strong)
    mean = 1.0 / tokens.to(tl.float32)
    most = tl.load(largest + head * tokens + rows, mask=is_query, other=0.0)
    of_rows = tl.load(total + head * tokens + rows, mask=is_query, other=1.0)
    query_1, query_2 = both_parts(query, rows, is_query, head, row_width, WIDTH, PART_1, PART_2)
    sum_1 = tl.zeros((QUERIES, PART_1), tl.float32)
    sum_2 = tl.zeros((QUERIES, PART_2 if PART_2 > 0 else PART_1), tl.float32)
    sum_1, sum_2 = add_averages(
        sum_1, sum_2, query_1, query_2, key, value, positions, 0, strong, most, of_rows,
        head, row_width, mean, factor, strength, True,
        WIDTH, PART_1, PART_2, QUERIES, KEYS,
    )  # fmt: skip
    # From here on sums are those of the content's weights, whose total is another.
    most = tl.load(content_largest + head * tokens + rows, mask=is_query, other=0.0)
    of_content = tl.load(content_total + head * tokens + rows, mask=is_query, other=1.0)
    sum_1 = sum_1 * (of_content / of_rows)[:, None]
    sum_2 = sum_2 * (of_content / of_rows)[:, None]
    query_1, query_2 = both_parts(
        content_query, rows, is_query, head, row_width, WIDTH, PART_1, PART_2
    )
    sum_1, sum_2 = add_averages(
        sum_1, sum_2, query_1, query_2, content_key, content_value, positions, strong, tokens,
        most, of_content, head, row_width, mean, factor, 1.0, True,
        WIDTH, PART_1, PART_2, QUERIES, KEYS,
    )  # fmt: skip
    sum_1 = sum_1 / of_content[:, None]
    sum_2 = sum_2 / of_content[:, None]
    store_rows(output, sum_1, sum_2, rows, is_query, head, row_width, WIDTH, PART_1, PART_2)
