"""What an experiment leaves in its folder: files written whole, and never another's.

experiment.json             what decides the figures; another experiment is refused
results/ARM-SEED.npz        integers counted in each test image; its presence is the result
checkpoints/ARM-SEED.pt     a training under way
downstream.json, .txt, .png the figures: made again at any time
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from downstream.classes import NUM_CLASSES
from downstream.errors import ExperimentError
from onnx_export.files import read_json

# How a file ends until it is whole; one stays where a process was killed.
UNFINISHED = ".new"


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes a file beside its place, then renames it: it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}")
    try:
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Writes a JSON document whole."""
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


@dataclass(frozen=True)
class Store:
    """The folder of an experiment."""

    folder: Path

    def result(self, arm: str, seed: int) -> Path:
        """Returns where the counts of an arm with a seed are."""
        return self.folder / "results" / f"{arm}-{seed}.npz"

    def checkpoint(self, arm: str, seed: int) -> Path:
        """Returns where a training goes on from."""
        return self.folder / "checkpoints" / f"{arm}-{seed}.pt"

    def begin(self, identity: dict[str, Any]) -> None:
        """Makes the folder this experiment's, or raises if it holds something else.

        What processes that were killed left unfinished in it is removed.
        """
        path = self.folder / "experiment.json"
        if path.is_file():
            changed = difference(read_json(path), identity)
            if changed is not None:
                raise ExperimentError(
                    f"{self.folder} holds another experiment ({changed}): give another --out, or "
                    "move it away"
                )
            self._clear()
            return
        there = self.folder.iterdir() if self.folder.is_dir() else ()
        if any(path.suffix != UNFINISHED for path in there):
            raise ExperimentError(
                f"{self.folder} holds something that is no experiment: give another --out"
            )
        write_json(path, identity)

    def _clear(self) -> None:
        for folder in (self.folder, self.folder / "results", self.folder / "checkpoints"):
            for unfinished in folder.glob(f"*.[0-9]*-*{UNFINISHED}"):
                unfinished.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second process from the folder; the lock goes with the process that has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        held = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise ExperimentError(
                f"another process works on {self.folder}: wait for it, or give another --out"
            ) from error
        finally:
            os.close(held)

    def read(self, arm: str, seed: int, images: int) -> np.ndarray | None:
        """Returns the confusions `(images, 19, 19)` of an arm with a seed.

        None where they are not there or damaged: they are made again.
        """
        try:
            whole = self.result(arm, seed).read_bytes()
        except FileNotFoundError:
            return None
        try:
            with np.load(io.BytesIO(whole), allow_pickle=False) as stored:
                confusions = stored["confusions"]
        except Exception:
            return None
        shape = (images, NUM_CLASSES, NUM_CLASSES)
        return confusions if confusions.shape == shape else None

    def write(self, arm: str, seed: int, confusions: np.ndarray) -> None:
        """Stores the confusions of an arm with a seed; its checkpoint is not needed any more."""
        write_whole(
            self.result(arm, seed), lambda file: np.savez_compressed(file, confusions=confusions)
        )
        self.checkpoint(arm, seed).unlink(missing_ok=True)


def difference(old: Any, new: Any, path: str = "") -> str | None:
    """Returns in words the first value that differs between two documents, if one does."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*new, *(key for key in old if key not in new)]:
            found = difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)
            if found is not None:
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (one, other) in enumerate(zip(old, new, strict=True)):
            found = difference(one, other, f"{path}[{at}]")
            if found is not None:
                return found
        return None
    if old == new:
        return None
    return f"its {path} is {_short(old)}, not {_short(new)}"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return ", ".join(_named(of) for of in value) or "nothing"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _named(value: Any) -> str:
    return str(value.get("run", "an object")) if isinstance(value, dict) else str(value)
