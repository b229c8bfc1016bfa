"""Any torch network, by the function that makes it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from onnx_export.errors import UsageError, first_line
from onnx_export.weights import load_weights, read_state_dict


@dataclass(frozen=True)
class Factory:
    """`MODULE:FACTORY`, the arguments it is called with, and the flag that names it."""

    flag: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self, checkpoint: Path) -> nn.Module:
        """Returns the network with the weights of `checkpoint`, in float32 as images are."""
        network = self.make().float()
        advice = "give the checkpoint of this network, and its settings with --option NAME=VALUE"
        load_weights(network, read_state_dict(checkpoint), checkpoint, self.name, advice)
        return network

    def make(self) -> nn.Module:
        """Returns the network as its factory makes it."""
        function = self.function()
        try:
            network = function(**self.options)
        except Exception as error:
            given = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
            raise UsageError(
                f"{self.flag} {self.name}: calling it with ({given}) fails: {first_line(error)}"
            ) from error
        if not isinstance(network, nn.Module):
            raise UsageError(
                f"{self.flag} {self.name} makes a {type(network).__name__}: name a factory of "
                "torch modules"
            )
        return network

    def function(self) -> Callable[..., Any]:
        module, _, name = self.name.partition(":")
        try:
            function = getattr(importlib.import_module(module), name, None)
        except ImportError as error:
            raise UsageError(
                f"{self.flag} {self.name}: {first_line(error)}: install the package into this "
                "environment"
            ) from error
        if not callable(function):
            raise UsageError(f"{self.flag} {self.name}: {module} has no function {name!r}")
        return function
