"""What command lines of networks beside the model have in common: how their values are written."""

from __future__ import annotations

import argparse
import ast
import math
import re
from typing import Any

# Of float32, which graphs compute in. Written here, for torch takes seconds to start.
LARGEST = 3.4028234663852886e38
SMALLEST = 1.1754943508222875e-38
"""The smallest number above 0 that has all its digits."""


def size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT in pixels, as in 224x224")
    return int(match[1]), int(match[2])


def channels(text: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(part) for part in text.split(","))
        if not all(math.isfinite(value) for value in (red, green, blue)):
            raise ValueError(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not three numbers, as in 0.5,0.5,0.5"
        ) from None
    if max(map(abs, (red, green, blue))) > LARGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} has a number that float32 cannot hold: expected none beyond {LARGEST:.2g}"
        )
    return red, green, blue


def spread(text: str) -> tuple[float, float, float]:
    values = channels(text)
    if min(values) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be three numbers above 0")
    if min(values) < SMALLEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} has a number that float32 cannot hold: expected none below {SMALLEST:.2g}"
        )
    return values


def option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def factory(text: str) -> str:
    if not re.fullmatch(r"[\w.]+:\w+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not MODULE:FACTORY")
    return text
