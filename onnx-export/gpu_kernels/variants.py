"""The kernels that are compiled: of each, what is known then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpu_kernels.blocks import (
    ATTENTION,
    EXCHANGING_ROWS,
    ORDER,
    QUANTILE,
    SIMILARITIES,
    WHOLE_PART,
    WIDTHS,
    Blocks,
    Dtype,
    matching,
    parts,
)

OF_ATTENTION = ("statistics", "attend", "exchange_columns", "exchange_rows")


@dataclass(frozen=True)
class Variant:
    """A kernel to be compiled."""

    name: str
    function: str
    dtype: Dtype
    # 0 if it takes any.
    width: int
    blocks: Blocks
    known: tuple[tuple[str, Any], ...]


def variants(dtype: Dtype) -> list[Variant]:
    """Returns the kernels for tensors of a precision."""
    found = []
    for width in WIDTHS:
        first, second = parts(width)
        shape = {"WIDTH": width, "PART_1": first, "PART_2": second}
        for function in OF_ATTENTION:
            blocks = (EXCHANGING_ROWS if function == "exchange_rows" else ATTENTION)[dtype]
            known = shape | {"QUERIES": blocks.queries, "KEYS": blocks.keys}
            found.append(_variant(function, "", dtype, width, blocks, known))
        blocks = matching(dtype, width)
        for word, by_attention in (("attention", True), ("scores", False)):
            known = shape | {"QUERIES": blocks.queries, "KEYS": blocks.keys}
            known["BY_ATTENTION"] = by_attention
            found.append(_variant("best_keys", f"by_{word}", dtype, width, blocks, known))
    for word, over_heads in (("heads", True), ("whole", False)):
        known = {"PART": WHOLE_PART, "QUERIES": SIMILARITIES.queries, "OVER_HEADS": over_heads}
        found.append(_variant("similarities", f"of_{word}", dtype, 0, SIMILARITIES, known))
    known = {"POSITIONS": QUANTILE.queries, "OTHERS": QUANTILE.keys}
    found.append(_variant("quantile", "", dtype, 0, QUANTILE, known))
    known = {"POSITIONS": ORDER.queries}
    found.append(_variant("order", "", dtype, 0, ORDER, known))
    return found


def _variant(
    function: str, word: str, dtype: Dtype, width: int, blocks: Blocks, known: dict[str, Any]
) -> Variant:
    name = "_".join(filter(None, (function, word, str(width or ""), dtype)))
    return Variant(name, function, dtype, width, blocks, tuple(known.items()))
