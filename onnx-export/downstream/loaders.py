"""Reads batches here or in processes of their own, whose errors are told as if they were here.

A `DataLoader` makes pages of an error in one of its processes; here the error itself comes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.data import DataLoader, Dataset

from downstream.batches import Batch, StepBatches
from downstream.errors import ExperimentError
from onnx_export.errors import ExportError

TOLD = (ExportError, OSError, MemoryError)
KILLED = "DataLoader worker (pid"


class _BatchesOrErrors(Dataset[Batch | Exception]):
    """Batches; an error that people are told comes in the place of its batch."""

    def __init__(self, batches: StepBatches) -> None:
        self._batches = batches

    def __getitem__(self, step: int) -> Batch | Exception:
        try:
            return self._batches[step]
        except TOLD as error:
            return error


def loaded(batches: StepBatches, steps: range, loaders: int) -> Iterator[Batch]:
    """Yields the batches of all steps, read by so many processes; by this one if it is none."""
    # Of its own: one that goes on must not draw from the generator of dropout again.
    generator = torch.Generator()
    read = DataLoader(
        _BatchesOrErrors(batches), batch_size=None, sampler=steps, num_workers=loaders,
        generator=generator,
    )  # fmt: skip
    for batch in read:
        if isinstance(batch, Exception):
            raise batch
        yield batch


@contextmanager
def killed_loaders_named() -> Iterator[None]:
    """Names a loader that was killed; torch raises wherever this process is by then."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith(KILLED):
            raise
        raise ExperimentError(
            "a loader, a process that reads images, was killed, as where memory or /dev/shm is "
            "not enough: fewer --loaders need less"
        ) from error
