"""Muon: momentum whose every step is made orthogonal, here for small convolutions.

**Source:** Jordan et al. 2024 (kellerjordan.github.io/posts/muon), with the scale of Moonlight
(arXiv:2502.16982), so that learning rates are those of Adam. On little compute it needs about half
of Adam's steps.
"""

from collections.abc import Callable, Sequence
from typing import overload

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalised momentum of each weight, seen as a matrix of rows."""

    def __init__(self, weights: list[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Moves every weight that has a gradient; `closure` gives the loss, if it is there."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                momentum = state.setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1.0 - group["momentum"])
                ahead = weight.grad.lerp(momentum, group["momentum"]).flatten(1)
                scale = 0.2 * max(ahead.shape) ** 0.5
                weight.sub_(group["lr"] * scale * orthogonal(ahead).view_as(weight))
        return loss


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Returns nearly the orthogonal factor of `matrix`, by Newton and Schulz's iteration."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x if wide else x.T).to(matrix.dtype)


def optimizers(
    model: nn.Module, lr: float, weight_decay: float, ends: Sequence[str] = ("conv_in", "conv_out")
) -> list[torch.optim.Optimizer]:
    """Returns Muon for the inner matrices and AdamW for all else that is to be trained.

    `ends` are parts of the names of the first and the last matrix.
    """
    inner: list[Tensor] = []
    other: list[Tensor] = []
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            outer = weight.ndim < 2 or any(end in name for end in ends)
            (other if outer else inner).append(weight)
    return [Muon(inner, lr), torch.optim.AdamW(other, lr=lr, weight_decay=weight_decay)]
