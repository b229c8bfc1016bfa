"""What a translator takes and gives, and seeded examples of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from onnx_export.contract import Translation
from onnx_export.errors import UsageError
from onnx_export.judge import AREA, pictures

IMAGE, LABEL, STYLE, NOISE = "image", "label", "style", "noise"
NAMES = (IMAGE, LABEL, STYLE, NOISE)
"""All that a translator may take. The worker knows no other."""
OUTPUT = "output"
NUM_CLASSES = 19
ZEROS, CHANNEL = "zeros", "channel"
MIN_SIDE, MAX_SIDE, MAX_PIXELS = 16, 8192, 33_000_000
MAX_NOISE = 1 << 26
FARTHEST, LEAST_WHITE = 65535.0, 0.001


@dataclass(frozen=True)
class Takes:
    """The inputs of a translator by name, in the order of its `forward`, and what they are."""

    names: tuple[str, ...]
    height: int
    width: int
    input_range: tuple[float, float] = (-1.0, 1.0)
    output_range: tuple[float, float] = (-1.0, 1.0)
    unknown: str | None = None
    noise: tuple[int, ...] | None = None

    def refuse_wrong(self) -> None:
        """Raises `UsageError` if no translator takes that, or the worker cannot give it."""
        self.refuse_names()
        for option, side in (("--height", self.height), ("--width", self.width)):
            if not MIN_SIDE <= side <= MAX_SIDE:
                raise UsageError(f"{option} {side} must be {MIN_SIDE} to {MAX_SIDE} pixels")
        if self.height * self.width > MAX_PIXELS:
            raise UsageError(
                f"--width {self.width} times --height {self.height} must be {MAX_PIXELS} at most"
            )
        refuse_range("--input-range", self.input_range)
        refuse_range("--output-range", self.output_range)
        if self.unknown is not None and LABEL not in self.names:
            raise UsageError("--unknown is of labels, and --inputs has none: leave it out")
        if (self.noise is None) == (NOISE in self.names):
            raise UsageError("--noise and noise in --inputs go together: give both or none")
        if self.noise is not None and math.prod(self.noise) > MAX_NOISE:
            raise UsageError(f"--noise has {math.prod(self.noise)} numbers, {MAX_NOISE} at most")

    def refuse_names(self) -> None:
        """Raises `UsageError` if the names are not those of inputs, each once."""
        for name in self.names:
            if name not in NAMES:
                raise UsageError(f"--inputs has {name!r}, which is none of {', '.join(NAMES)}")
            if self.names.count(name) > 1:
                raise UsageError(f"--inputs has {name} twice: leave one out")
        if not {IMAGE, LABEL} & set(self.names):
            raise UsageError(
                f"--inputs has neither {IMAGE} nor {LABEL}, and outputs have to show their content"
            )

    def translation(self) -> Translation:
        """Returns what the contract says of the numbers."""
        unknown = (self.unknown or ZEROS) if LABEL in self.names else None
        return Translation(self.input_range, self.output_range, unknown)

    def examples(self, seed: int, batch: int) -> tuple[Tensor, ...]:
        """Returns seeded inputs."""
        return tuple(self.example(name, seed, batch) for name in self.names)

    def example(self, name: str, seed: int, batch: int) -> Tensor:
        """Returns one of them, which is another for each name."""
        seed = len(NAMES) * seed + NAMES.index(name)
        size = (self.height, self.width)
        if name == LABEL:
            return labels(seed, batch, size, self.unknown == CHANNEL)
        if name == NOISE:
            generator = torch.Generator().manual_seed(seed)
            return torch.randn(batch, *(self.noise or ()), generator=generator)
        black, white = self.input_range
        return black + (white - black) * pictures(seed, (batch, 3, *size))


class Translator(nn.Module):
    """A network with as many inputs as are given, which the tracer wants to be told one by one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        first: Tensor,
        second: Tensor | None = None,
        third: Tensor | None = None,
        fourth: Tensor | None = None,
    ) -> Tensor:
        given = (first, second, third, fourth)
        return self.network(*(each for each in given if each is not None))


def refuse_range(option: str, values: tuple[float, float]) -> None:
    """Raises `UsageError` unless bytes can be told from one another in a range of float32."""
    black, white = values
    if not (-FARTHEST <= black <= 0 and LEAST_WHITE <= white <= FARTHEST):
        raise UsageError(
            f"{option} {black:g} {white:g} must be from {-FARTHEST:g} to 0 and from "
            f"{LEAST_WHITE:g} to {FARTHEST:g}"
        )


def labels(seed: int, batch: int, size: tuple[int, int], has_channel: bool) -> Tensor:
    """Returns seeded areas of classes, one of which is not known, one-hot."""
    generator = torch.Generator().manual_seed(seed)
    areas = [-(-side // AREA) for side in size]
    coarse = torch.randint(NUM_CLASSES + 1, (batch, 1, *areas), generator=generator)
    classes = functional.interpolate(coarse.float(), size).squeeze(1).long()
    one_hot = functional.one_hot(classes, NUM_CLASSES + 1).permute(0, 3, 1, 2).float()
    return one_hot if has_channel else one_hot[:, :NUM_CLASSES].contiguous()
