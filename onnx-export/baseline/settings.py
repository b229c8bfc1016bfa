"""What a conversion can be told, with the released code's values as defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from onnx_export.errors import UsageError

RANGE = re.compile(r"(\d+)(?:(\.\.)(\d+)?)?")


@dataclass(frozen=True)
class Method:
    """A row of the paper's table: which of the three parts it has."""

    injection: bool
    class_adain: bool
    filtering: bool


METHODS = {
    "adain": Method(injection=False, class_adain=False, filtering=False),
    "cross-image": Method(injection=True, class_adain=False, filtering=False),
    "cacti": Method(injection=True, class_adain=True, filtering=False),
    "cactif": Method(injection=True, class_adain=True, filtering=True),
}


@dataclass(frozen=True)
class Steps:
    """A set of executed steps, written as `5..15`, `1..` or `0,2..`; ranges are half open."""

    ranges: tuple[tuple[int, float], ...]

    @staticmethod
    def parse(text: str) -> Steps:
        """Returns the steps; raises `UsageError` if `text` is not written like that."""
        ranges = []
        for part in text.split(","):
            found = RANGE.fullmatch(part.strip())
            if found is None:
                raise UsageError(f"steps {text!r} are not ranges: write 5..15, 1.. or 0,2..")
            start, dots, end = found.groups()
            stop = float(end) if end else float("inf") if dots else int(start) + 1
            ranges.append((int(start), stop))
        return Steps(tuple(ranges))

    def __contains__(self, step: int) -> bool:
        return any(start <= step < stop for start, stop in self.ranges)


@dataclass(frozen=True)
class Settings:
    """How an image is converted; steps are executed ones, counted from 0."""

    method: Method
    steps: int = 50
    skip: int = 30
    injected_steps: Steps = field(default_factory=lambda: Steps.parse("2.."))
    class_adain_steps: Steps = field(default_factory=lambda: Steps.parse("5..15"))
    contrast_strength: float = 1.67
    filter_fraction: float = 0.25

    def __post_init__(self) -> None:
        if not 1 <= self.steps < 1000:
            raise UsageError(f"steps ({self.steps}) must be at least 1 and less than 1000")
        if not 0 <= self.skip < self.steps:
            raise UsageError(
                f"skip ({self.skip}) must be at least 0 and less than steps ({self.steps})"
            )
        if not 0.0 <= self.filter_fraction <= 1.0:
            raise UsageError(f"filter fraction ({self.filter_fraction}) must be from 0 to 1")
