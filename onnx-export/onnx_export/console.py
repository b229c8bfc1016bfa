"""Words beside the work may be lost: a reader that went away or a full disk fails no export."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def tell(line: object) -> None:
    """Tells a line of progress, or a complaint, on standard error."""
    _write(sys.stderr, line)


def show(line: object) -> None:
    """Tells a line about what was made on standard output."""
    _write(sys.stdout, line)


def _write(stream: TextIO | None, line: object) -> None:
    # A descriptor that was closed before the program began has no stream.
    if stream is None:
        return
    try:
        stream.write(f"{line}\n")
        stream.flush()
    except OSError:
        _discard(stream)


def _discard(stream: TextIO) -> None:
    """Sends a stream nowhere, so that what it still holds is no error when the program ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except OSError:
        pass
