"""Group normalisation as static reshapes around `InstanceNormalization`.

ONNX Runtime has no CPU kernel for a grouped normalisation, and torch's exporter surrounds its
`InstanceNormalization` with shape arithmetic that nothing folds while the batch is dynamic.
"""

from __future__ import annotations

import torch
from torch import nn


class ExportedGroupNorm(nn.Module):
    """The same function as `norm` on `(batch, channels, height, width)`."""

    unit: torch.Tensor
    zero: torch.Tensor

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.epsilon = norm.num_groups, norm.eps
        self.register_buffer("unit", torch.ones(norm.num_groups))
        self.register_buffer("zero", torch.zeros(norm.num_groups))
        self.weight = nn.Parameter(norm.weight.detach().reshape(-1, 1, 1), requires_grad=False)
        self.bias = nn.Parameter(norm.bias.detach().reshape(-1, 1, 1), requires_grad=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        channels, height, width = hidden.shape[1:]
        grouped = hidden.reshape(-1, self.groups, channels // self.groups * height * width)
        normalised = torch.onnx.ops.symbolic(
            "InstanceNormalization",
            (grouped, self.unit, self.zero),
            {"epsilon": self.epsilon},
            dtype=grouped.dtype,
            shape=grouped.shape,
        )
        return normalised.reshape(-1, channels, height, width) * self.weight + self.bias
