"""The compose file as it is read, with its variables filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from rendered import REPOSITORY

FOLDER = REPOSITORY / "infra"
FILE = FOLDER / "compose.yaml"
SCRIPT = FOLDER / "compose/secrets.sh"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")


def variables() -> dict[str, tuple[str, str]]:
    """Each variable: `-` and its default, or `?` and what helps where it is not there."""
    found = VARIABLE.finditer(FILE.read_text())
    return {one[1]: (one[2] or "", one[3] or "") for one in found}


def filled(values: Mapping[str, str]) -> dict[str, Any]:
    """The compose file with values for what must be there; the rest has its defaults."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1]) or (found[3] if found[2] == "-" else "")

    return yaml.safe_load(VARIABLE.sub(value, FILE.read_text()))


def raw() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text())


PROGRAMS = ["serve", "worker-cpu", "worker-gpu", "synth2real"]
