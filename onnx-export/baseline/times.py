"""What a conversion cost: seconds and UNet evaluations of each part, and memory.

Seconds are those of the clock; those of the processor, over all threads, say how much of them was
work where other programs run on the same machine.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baseline.network import Network


class Times:
    """Seconds and UNet evaluations of named parts, none inside another."""

    def __init__(self) -> None:
        self._start, self._cpu_start = time.perf_counter(), time.process_time()
        self.seconds: dict[str, float] = {}
        self.cpu_seconds: dict[str, float] = {}
        self.evaluations: dict[str, int] = {}

    @contextmanager
    def part(self, name: str, network: Network | None = None) -> Iterator[None]:
        """Adds what happens inside to the part; with a network, counts its evaluations."""
        before = network.evaluations if network else 0
        start, cpu_start = time.perf_counter(), time.process_time()
        yield
        spent, cpu_spent = time.perf_counter() - start, time.process_time() - cpu_start
        self.seconds[name] = self.seconds.get(name, 0.0) + spent
        self.cpu_seconds[name] = self.cpu_seconds.get(name, 0.0) + cpu_spent
        if network is not None:
            counted = self.evaluations.get(name, 0) + network.evaluations - before
            self.evaluations[name] = counted

    def report(self) -> dict[str, Any]:
        """Returns the figures: seconds per evaluation are a part's seconds over its evaluations."""
        each = {name: self.seconds[name] / count for name, count in self.evaluations.items()}
        total, cpu_total = time.perf_counter() - self._start, time.process_time() - self._cpu_start
        return {
            "seconds": {**self.seconds, "total": total},
            "cpu_seconds": {**self.cpu_seconds, "total": cpu_total},
            "unet_evaluations": {**self.evaluations, "total": sum(self.evaluations.values())},
            "seconds_per_evaluation": each,
            "peak_rss_bytes": peak_rss_bytes(),
        }


def peak_rss_bytes() -> int:
    """Returns the most memory that this process has held (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
