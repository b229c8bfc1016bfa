"""How long steps may take: each its own time, and all of them together what was given."""

from __future__ import annotations

import time


class OverError(Exception):
    """There is no time left for what was to be done."""


class Budget:
    """Seconds that are left of what was given."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begun = time.monotonic()

    def spent(self) -> float:
        """Returns the seconds that have passed."""
        return time.monotonic() - self.begun

    def left(self) -> float:
        """Returns the seconds that are left."""
        return self.seconds - self.spent()

    def at_most(self, seconds: float, least: float = 1.0) -> float:
        """Returns how long something may take; raises `OverError` if less than `least` is left."""
        left = self.left()
        if left < least:
            raise OverError(
                f"{max(left, 0.0):.0f} of {self.seconds:.0f} s are left, and it needs {least:.0f}: "
                "give more by --seconds"
            )
        return min(seconds, left)
