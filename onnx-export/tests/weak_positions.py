"""Which positions filtering finds weak, in a chain of segments that injects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cosine_similarity

from baseline.attention import (
    CONTENT,
    OUTPUT,
    STYLE,
    attention_map,
    best_match,
    contrasted,
    similarity,
    split_heads,
    weak_positions,
)
from tests.chain import Chain


class InjectingChain(Chain):
    """The segments of a model folder for a batch of output, style and content.

    `weak` has a set for each injected layer of the last evaluation, in float64 as all that is
    between queries, keys and values and the attended ones.
    """

    def __init__(self, folder: Path, meta: dict[str, Any]) -> None:
        super().__init__(folder)
        self.contrast_strength = meta["contrast_strength"]
        self.fraction = meta["filter_fraction"]
        self.is_of_paper = meta["preset"] == "paper"
        self.weak: list[np.ndarray] = []

    def tensors(self, sample: np.ndarray, timestep: int) -> dict[str, np.ndarray]:
        self.weak = []
        return super().tensors(sample, timestep)

    def attend(
        self, query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int
    ) -> np.ndarray:
        given = [torch.from_numpy(x.astype(np.float64)) for x in (query, key, value)]
        q, k, v = (split_heads(x, heads) for x in given)
        style = contrasted(attention_map(q[OUTPUT], k[STYLE]), self.contrast_strength)
        weak = self._weak(given, v, style)
        self.weak.append(weak.numpy())
        own = attention_map(q, k)
        attended = own @ v
        if self.is_of_paper:
            rows = weak[:, None]
            attended[OUTPUT] = torch.where(rows, attended[CONTENT], style @ v[STYLE])
        else:
            columns = torch.where(weak, own[CONTENT], style)
            attended[OUTPUT] = columns @ torch.where(weak[:, None], v[CONTENT], v[STYLE])
        return attended.transpose(1, 2).flatten(2).numpy().astype(query.dtype)

    def _weak(
        self, given: list[torch.Tensor], values: torch.Tensor, style: torch.Tensor
    ) -> torch.Tensor:
        if not self.is_of_paper:
            alike = similarity(values[CONTENT], values[STYLE], best_match(style))
            return weak_positions(alike, self.fraction)
        query, key, value = given
        best = (query[OUTPUT] @ key[STYLE].T).argmax(dim=-1)
        alike = cosine_similarity(value[CONTENT], value[STYLE, best], dim=-1)
        return weak_positions(alike, self.fraction)


def flipped_shares(chain: InjectingChain, other: InjectingChain) -> list[float]:
    """Returns for each layer the share of its weak positions that are weak in one chain alone."""
    pairs = zip(chain.weak, other.weak, strict=True)
    return [float((a & ~b).sum() / a.sum()) for a, b in pairs]
