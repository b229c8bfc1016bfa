"""One attention call of three branches gives what the released code's formulas give."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baseline.attention import (
    CONTENT,
    OUTPUT,
    STYLE,
    Injection,
    attention_map,
    best_match,
    contrasted,
    injected,
    similarity,
    weak_positions,
)
from baseline.tests.conftest import GOLDEN

CONTRAST, FRACTION = 1.67, 0.25


@pytest.fixture(scope="module")
def call() -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / "attention.npz") as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def branches(call: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns query, key and value of all branches; parts that no result needs are not numbers."""
    unknown = torch.full_like(call["query_output"], torch.nan)
    query = torch.stack([call["query_output"], unknown, call["query_content"]])
    key = torch.stack([unknown, call["key_style"], call["key_content"]])
    value = torch.stack([unknown, call["value_style"], call["value_content"]])
    return query, key, value


def test_attention_maps_times_values_are_attention(call: dict[str, torch.Tensor]) -> None:
    maps = attention_map(call["query_output"], call["key_style"])
    torch.testing.assert_close(maps @ call["value_style"], call["plain"])


def test_injection_is_contrasted_attention_to_the_style(call: dict[str, torch.Tensor]) -> None:
    result = injected(*branches(call), Injection(CONTRAST, filter_fraction=None))
    torch.testing.assert_close(result[OUTPUT], call["cross_image"])


def test_injection_leaves_the_content_alone(call: dict[str, torch.Tensor]) -> None:
    query, key, value = branches(call)
    result = injected(query, key, value, Injection(CONTRAST, FRACTION))
    plain = attention_map(query[CONTENT], key[CONTENT]) @ value[CONTENT]
    torch.testing.assert_close(result[CONTENT], plain)


def test_filtering_exchanges_the_columns_of_weak_positions(call: dict[str, torch.Tensor]) -> None:
    maps = contrasted(attention_map(call["query_output"], call["key_style"]), CONTRAST)
    best = best_match(maps)
    assert torch.equal(best, call["released_best_style_position"])
    alike = similarity(call["value_content"], call["value_style"], best)
    torch.testing.assert_close(alike, call["released_similarity"])
    assert torch.equal(weak_positions(alike, FRACTION), call["released_filtered"])
    result = injected(*branches(call), Injection(CONTRAST, FRACTION))
    torch.testing.assert_close(result[OUTPUT], call["released_output"])


def test_injection_does_not_change_what_it_is_given(call: dict[str, torch.Tensor]) -> None:
    given = branches(call)
    before = [tensor.clone() for tensor in given]
    injected(*given, Injection(CONTRAST, FRACTION))
    for tensor, copy in zip(given, before, strict=True):
        torch.testing.assert_close(tensor[STYLE], copy[STYLE], equal_nan=True)
        torch.testing.assert_close(tensor, copy, equal_nan=True)
