"""What command lines of networks that judge images have in common: how their values are written."""

from __future__ import annotations

import argparse
import ast
import math
import re
from typing import Any


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
    return red, green, blue


def spread(text: str) -> tuple[float, float, float]:
    values = channels(text)
    if min(values) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be three numbers above 0")
    return values


def option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
