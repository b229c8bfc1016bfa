"""Reads a bill of materials as CycloneDX's own library does, strictly.

Usage: bills.py FILE [NAME]...: fails unless it is a whole bill of the project, in which of packages
just those are that are named. Tests of what is installed run it with .cache/bill/bin/python.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

# Crates that nobody takes out of the programs, and more than which there are.
CRATES = {"coordinator", "worker", "engine", "kernels", "ort", "tokio"}
LEAST = 300


def read(text: str) -> Bom:
    """The bill of a text that the published schema accepts."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    assert found is None, found
    # A decorator makes it.
    bill: Bom = Bom.from_json(json.loads(text))  # type: ignore[attr-defined]
    bill.validate()
    return bill


def packages(bill: Bom) -> dict[str, str]:
    """The packages of PyPI in it, with their versions."""
    return {
        part.name: str(part.version)
        for part in bill.components
        if part.purl and part.purl.type == "pypi"
    }


def main() -> None:
    path, *wanted = sys.argv[1:]
    bill = read(Path(path).read_text())
    whole = bill.metadata.component
    assert whole is not None
    assert whole.name == "synth2real", whole
    names = {part.name for part in bill.components}
    assert names >= CRATES, CRATES - names
    assert len(names) > LEAST, len(names)
    assert set(packages(bill)) == set(wanted), packages(bill)


if __name__ == "__main__":
    main()
