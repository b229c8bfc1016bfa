"""Words beside the work may be lost: a reader that went away or a full disk fails no export."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TextIO

# They have the text around them shown in another order.
ORDERING_CHARACTERS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


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
        stream.write(f"{plain(str(line))}\n")
        stream.flush()
    except OSError:
        _discard(stream)


def plain(text: str) -> str:
    """Returns text without characters that a terminal obeys, but for the ends of lines and tabs."""
    return "".join("\ufffd" if _is_command(letter) else letter for letter in text)


def _is_command(letter: str) -> bool:
    return letter not in "\n\t" and (
        unicodedata.category(letter) == "Cc" or letter in ORDERING_CHARACTERS
    )


def _discard(stream: TextIO) -> None:
    """Sends a stream nowhere, so that what it still holds is no error when the program ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except OSError:
        pass
