"""The estimate as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from baseline.estimate.gpus import Gpu
from baseline.estimate.ways import Way
from baseline.estimate.work import totals

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was estimated."""

    model: str
    width: int
    height: int
    dtype: str
    method: str
    preset: str
    styles: int
    evaluations: float
    authors_evaluations: int


def note(asked: Asked) -> str:
    """Returns what stands below the table."""
    return (
        f"An estimate, nothing was measured: {asked.method} ({asked.preset}) in {asked.dtype} at "
        f"{asked.width}x{asked.height}, styles of a content: {asked.styles}, evaluations of an "
        f"image: {asked.evaluations:.3g}, of the authors': {asked.authors_evaluations}."
    )


def table(ways: Sequence[Way], gpus: Sequence[Gpu]) -> str:
    """Returns seconds an image of each way and GPU, with what an image asks for, in Markdown."""
    heads = ["seconds an image", *(gpu.name for gpu in gpus), "TFLOP", "TB", "launches"]
    rows = [heads, ["---"] * len(heads)]
    for way in ways:
        asked = way.totals()
        rows.append(
            [
                way.name,
                *(figure(way.seconds(gpu)) for gpu in gpus),
                figure(asked.operations / 1e12),
                figure(asked.bytes / 1e12),
                f"{asked.launches:,}" if asked.launches else "",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def figure(value: float) -> str:
    """Returns a number with two digits that count, or all before the point."""
    if value >= 10.0 or value == 0.0:
        return f"{value:.0f}"
    digits = 1
    while value < 1.0 and digits < 4:
        value, digits = 10.0 * value, digits + 1
    return f"{value / 10 ** (digits - 1):.{digits}f}"


def as_json(asked: Asked, ways: Sequence[Way], gpus: Sequence[Gpu]) -> dict[str, Any]:
    """Returns what was counted, with what it makes of each GPU."""
    return {
        "format_version": FORMAT_VERSION,
        "measured": False,
        **asdict(asked),
        "ways": {way.key: counted(way) for way in ways},
        "gpus": [
            {
                **asdict(gpu),
                "seconds": {way.key: way.seconds(gpu) for way in ways},
                "parts": {
                    way.key: {part.name: part.seconds(gpu) for part in way.parts} for way in ways
                },
            }
            for gpu in gpus
        ],
    }


def counted(way: Way) -> dict[str, Any]:
    """Returns what a way asks for: an image, and each of its parts once."""
    return {
        "name": way.name,
        "image": asdict(way.totals()),
        "parts": {
            part.name: {"times": part.times, **asdict(totals(part.work))} for part in way.parts
        },
    }
