"""GEGLU as two projections.

diffusers projects once and splits the result: on the widest tensors of the UNet that is a copy,
and it hides the bias from ONNX Runtime's fusion of Add and Gelu.
"""

from __future__ import annotations

import torch
from diffusers.models.activations import GEGLU
from torch import nn
from torch.nn import functional


class ExportedGeglu(nn.Module):
    """The same function as `geglu`: `hidden(x) * gelu(gate(x))`."""

    def __init__(self, geglu: GEGLU) -> None:
        super().__init__()
        weights = geglu.proj.weight.detach().chunk(2)
        biases = geglu.proj.bias.detach().chunk(2)
        self.hidden = linear(weights[0], biases[0])
        self.gate = linear(weights[1], biases[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.hidden(x) * functional.gelu(self.gate(x))


def linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    """Returns the layer with these parameters, without allocating others."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    layer.weight = nn.Parameter(weight, requires_grad=False)
    layer.bias = nn.Parameter(bias, requires_grad=False)
    return layer
