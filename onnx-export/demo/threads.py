"""How many threads to train with on a machine that others use too."""

import time

import torch


class AdaptiveThreads:
    """Now and then tries every number of threads, and goes on with the fastest.

    Where another program holds a core, two threads that wait for each other at every operation are
    slower than one.
    """

    def __init__(self, most: int, every: int = 50, tries: int = 4) -> None:
        self._most, self._every, self._tries = most, every, tries
        self._step, self._since = 0, time.monotonic()
        self._times: dict[int, list[float]] = {}
        torch.set_num_threads(most)

    def step(self) -> None:
        """Counts one finished step and chooses the number of threads of the next."""
        now = time.monotonic()
        place = self._step % self._every
        if place < self._most * self._tries:
            self._times.setdefault(torch.get_num_threads(), []).append(now - self._since)
            torch.set_num_threads(1 + (place + 1) % self._most)
        if place == self._most * self._tries:
            best = min(self._times, key=lambda threads: sum(self._times[threads]))
            torch.set_num_threads(best)
            self._times.clear()
        self._step, self._since = self._step + 1, now
