"""A running average of a model's weights, which samples better than the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Ema:
    """Averages a model's weights over about `1 / (1 - decay)` steps."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._weights = list(model.parameters())
        self._averages = [weight.detach().clone() for weight in self._weights]
        self._decay, self._updates = decay, 0

    @torch.no_grad()
    def update(self) -> None:
        """Takes the current weights into the average."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        torch._foreach_lerp_(self._averages, [w.detach() for w in self._weights], 1.0 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the averages into the model for a while."""
        kept = [weight.detach().clone() for weight in self._weights]
        self._copy(self._averages)
        try:
            yield
        finally:
            self._copy(kept)

    @torch.no_grad()
    def _copy(self, values: list[torch.Tensor]) -> None:
        for weight, value in zip(self._weights, values, strict=True):
            weight.copy_(value)
