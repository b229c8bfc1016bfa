"""What becomes of the steps: a table for people, JSON for programs."""

from __future__ import annotations

import json
import math
import textwrap
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

WIDTH = 100
FILE = "gpu-check.json"


class Status(Enum):
    """What a step found."""

    RIGHT = "right"
    WRONG = "WRONG"
    MEASURED = "measured"
    NOT_JUDGED = "not judged"
    NOT_RUN = "not run"


@dataclass
class Result:
    """What a step found, in a line, and its figures."""

    status: Status
    told: str
    figures: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    seconds: float = 0.0


@dataclass
class Report:
    """The results of all steps so far; the file is written after each."""

    path: Path
    device: str
    nothing_is_computed: bool
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, result: Result) -> None:
        """Adds a result, shows it and writes all of them."""
        self.results.append(result)
        self.seconds += result.seconds
        print(row(result), flush=True)
        self.write()

    def is_wrong(self) -> bool:
        """Returns whether anything was found to be wrong."""
        return any(result.status is Status.WRONG for result in self.results)

    def verdict(self) -> str:
        """Returns all of it in a line."""
        counts = dict.fromkeys(Status, 0)
        for result in self.results:
            counts[result.status] += 1
        told = [f"{count} {status.value}" for status, count in counts.items() if count]
        return f"{', '.join(told)}; {self.seconds:.0f} s; figures are in {self.path}"

    def write(self) -> None:
        """Writes the results: whole, or as they were."""
        document = {
            "device": self.device,
            "nothing_is_computed": self.nothing_is_computed,
            "is_right": not self.is_wrong(),
            "seconds": round(self.seconds, 1),
            "steps": [
                {
                    "name": result.name,
                    "status": result.status.value.lower(),
                    "told": result.told,
                    "seconds": round(result.seconds, 1),
                    "figures": finite(result.figures),
                }
                for result in self.results
            ],
        }
        partial = self.path.with_name(f".{self.path.name}.partial")
        partial.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
        partial.replace(self.path)


def finite(value: Any) -> Any:
    """Returns figures as JSON has them: what is not finite, as a word."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def heading() -> str:
    """Returns the first lines of the table."""
    return f"{'':<34} {'':<10} {'s':>5}  found\n{'-' * WIDTH}"


def row(result: Result) -> str:
    """Returns a result as a row of the table, of several lines if need be."""
    before = f"{result.name:<34} {result.status.value:<10} {result.seconds:>5.0f}  "
    lines = textwrap.wrap(result.told, WIDTH - 53) or [""]
    return before + f"\n{'':<{len(before)}}".join(lines)
