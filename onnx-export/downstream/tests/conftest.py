"""A run, real images and a recipe that are small enough for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from downstream.perform import Request
from downstream.tests.drawn import FakeRun, converted_well, write_real

NUM_CONTENTS = 4


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The same number of threads everywhere, so that sums are the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def fake_run(tmp_path: Path) -> FakeRun:
    """A complete run, written."""
    run = FakeRun(tmp_path, "good", NUM_CONTENTS, "night", converted_well("night"))
    run.write()
    return run


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Labelled real images."""
    return write_real(tmp_path / "real", "night", 2)


@pytest.fixture
def request_of(tmp_path: Path, real: Path) -> Request:
    """The smallest experiment: seconds."""
    return Request(
        runs=("good",), root=tmp_path, real=real, out=tmp_path / "out", size=(32, 16),
        crop=(32, 16), batch=2, steps=2, device="cpu", with_source_and_run=False,
    )  # fmt: skip
