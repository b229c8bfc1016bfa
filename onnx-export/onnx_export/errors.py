"""The two kinds of failure a user can act on, and their exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable


class ExportError(Exception):
    """A failure with a one-line message that names the thing and what to do."""

    exit_code = 1


class UsageError(ExportError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class CheckpointError(ExportError):
    """The checkpoint or another file cannot be used as it is."""

    exit_code = 3


def exit_code_of(program: str, action: Callable[[], None]) -> int:
    """Returns 0, or says on stderr in one line why `action` failed and returns its exit code."""
    try:
        action()
    except ExportError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return CheckpointError.exit_code
    return 0


def first_line(error: Exception) -> str:
    """Returns what a library's error says, without the pages that may follow."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
