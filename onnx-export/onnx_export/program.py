"""Command lines whose modules may be missing: the package synth2real alone brings no torch."""

from __future__ import annotations

import importlib

from onnx_export.console import tell
from onnx_export.errors import CheckpointError

OWN = ("onnx_export", "downstream")


def run(package: str) -> int:
    """Runs the command line of a package, or says in one line which of its modules is missing."""
    try:
        return int(importlib.import_module(f"{package}.cli").main())
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if not missing or missing in OWN:
            raise
        tell(
            f"{package}: the Python package {missing} is missing: install synth2real[export], or "
            "`make onnx-export` in a checkout"
        )
        return CheckpointError.exit_code


def main() -> int:
    """Is the program `synth2real-export`, another name of `python -m onnx_export`."""
    return run("onnx_export")
