"""How far an experiment is: a line that is written over on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from onnx_export.console import plain, tell

EVERY_SECONDS = 30.0
ON_TERMINAL_SECONDS = 0.5


@dataclass
class Progress:
    """Steps done of all; those that were done by an earlier process count, but not for the rate."""

    total: int
    done: int = 0
    stream: TextIO | None = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._began, self.worked = self.clock(), 0
        self._told_at = self._began
        self._on_terminal = self.stream is not None and self.stream.isatty()
        self._is_open = False

    def step(self, what: str, steps: int = 1) -> None:
        """Counts steps, and tells when it is time to."""
        self.done, self.worked = self.done + steps, self.worked + steps
        every = ON_TERMINAL_SECONDS if self._on_terminal else EVERY_SECONDS
        if self.clock() - self._told_at >= every:
            self._told_at = self.clock()
            self._tell(f"{what}: {self.line()}")

    def skip(self, steps: int) -> None:
        """Counts steps that were done before."""
        self.done += steps

    def line(self) -> str:
        """Returns how far it is, how fast, and how long it will take."""
        elapsed = max(self.clock() - self._began, 1e-9)
        rate = self.worked / elapsed
        eta = f", ETA {duration((self.total - self.done) / rate)}" if rate > 0 else ""
        return f"{self.done} of {self.total} steps  {rate:.1f} steps/s{eta}"

    def say(self, line: str) -> None:
        """Tells a line that stays."""
        self.close()
        tell(line)

    def close(self) -> None:
        """Ends the line that is written over."""
        if self._is_open:
            self._write("\r\x1b[K")
            self._is_open = False

    def _tell(self, line: str) -> None:
        if self._on_terminal:
            self._write(f"\r\x1b[K{plain(line)}")
            self._is_open = True
        else:
            tell(line)

    def _write(self, text: str) -> None:
        try:
            if self.stream is not None:
                self.stream.write(text)
                self.stream.flush()
        except OSError:
            # Words beside the work may be lost.
            self.stream, self._on_terminal = None, False


def duration(seconds: float) -> str:
    """Returns a time as people read it."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
