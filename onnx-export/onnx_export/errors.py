"""The two kinds of failure a user can act on, and their exit codes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

from onnx_export.console import tell


class ExportError(Exception):
    """A failure with a one-line message that names the thing and what to do."""

    exit_code = 1


class UsageError(ExportError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class CheckpointError(ExportError):
    """The checkpoint or another file cannot be used as it is."""

    exit_code = 3


class Terminated(BaseException):
    """The process was asked to end; on its way out, what is half made is removed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


ENDING = (signal.SIGHUP, signal.SIGTERM)
INTERRUPTED = 130
NO_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "Failed to allocate memory")


def exit_code_of(program: str, action: Callable[[], None]) -> int:
    """Returns 0, or says on stderr in one line why `action` failed and returns its exit code."""
    before = terminating()
    try:
        action()
    except ExportError as error:
        tell(f"{program}: {error}")
        return error.exit_code
    except OSError as error:
        tell(f"{program}: {error}")
        return CheckpointError.exit_code
    except (MemoryError, RuntimeError) as error:
        if not tells_of_memory(error):
            raise
        tell(
            f"{program}: memory is not enough ({first_line(error)}): export a smaller size, or on "
            "a machine with more"
        )
        return CheckpointError.exit_code
    except KeyboardInterrupt:
        tell(f"{program}: interrupted")
        return INTERRUPTED
    except Terminated as ended:
        tell(f"{program}: terminated")
        return ended.exit_code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def terminating() -> dict[signal.Signals, Any]:
    """Makes signals that end the process raise `Terminated`; returns what handled them before.

    Only the main thread may do that, and signals that are ignored (as under nohup) stay so.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}

    def terminate(number: int, _: object) -> None:
        raise Terminated(number)

    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, terminate) for number in heard}


def tells_of_memory(error: Exception) -> bool:
    """Returns whether a library's error says that memory is not enough."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(said in str(error) for said in NO_MEMORY)
    )


def first_line(error: Exception) -> str:
    """Returns what a library's error says, without the pages that may follow."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
