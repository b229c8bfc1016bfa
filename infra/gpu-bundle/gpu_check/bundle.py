"""What the folder holds, and its programs as processes that end in time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from gpu_check.budget import Budget

# What the interpreter that is shipped needs, and programs must not have.
OF_INTERPRETER = ("PYTHONHOME", "PYTHONPATH")
# What LD_LIBRARY_PATH was before the interpreter's own libraries were put there.
LIBRARIES = "SYNTH2REAL_CHECK_LIBRARIES"


class UnusableError(Exception):
    """The GPU, or what programs need to use it, is not there."""


@dataclass(frozen=True)
class Ran:
    """A program that ended, or was ended because it took too long."""

    code: int
    out: str
    err: str
    seconds: float
    is_cut: bool

    def events(self) -> list[dict[str, Any]]:
        """Returns what the program logged."""
        found = []
        for line in self.err.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and isinstance(event.get("fields"), dict):
                found.append(event)
        return found

    def said(self, words: str) -> list[dict[str, Any]]:
        """Returns the events whose message has these words."""
        return [event for event in self.events() if words in event["fields"].get("message", "")]

    def complaint(self) -> str:
        """Returns what the program said last, in a line."""
        if self.is_cut:
            return f"it was ended after {self.seconds:.0f} s"
        lines = [line for line in self.err.splitlines() if line.strip()]
        return f"exit code {self.code}: {lines[-1][:400] if lines else 'it said nothing'}"


@dataclass
class Bundle:
    """The folder, where work is done, and on what."""

    root: Path
    work: Path
    device: str
    budget: Budget
    # On libraries that stand in for CUDA's, which compute nothing: numbers are not judged.
    nothing_is_computed: bool = False
    # Whether the GPU has failed its trial, so that it is tried further all the same.
    reports_trial: bool = False
    # What was measured, by the names of recipes.
    seconds_an_image: dict[str, float] = field(default_factory=dict)

    def program(self) -> Path:
        return self.root / "bin/synth2real"

    def goldens(self) -> Path:
        return self.root / "golden"

    def models(self) -> list[Path]:
        """Returns the golden models: those in float32 first."""
        found = [path.parent for path in (self.root / "models").glob("*/model.json")]
        return sorted(found, key=lambda model: (precision_of(model) != "fp32", model.name))

    def recipes(self) -> list[Path]:
        """Returns the recipes of models of full width: those in float16 first."""
        found = [path.parent for path in (self.root / "recipes").glob("*/model.json")]
        return sorted(found, key=lambda model: (precision_of(model) != "fp16", model.name))

    def folder(self, name: str) -> Path:
        """Returns an empty folder to work in."""
        path = self.work / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def environment(self) -> dict[str, str]:
        """Returns the variables of programs, which find the libraries that lie beside them."""
        variables = dict(os.environ)
        for name in OF_INTERPRETER:
            variables.pop(name, None)
        variables.pop("ORT_DYLIB_PATH", None)
        libraries = variables.pop(LIBRARIES, None)
        if libraries is not None:
            variables.pop("LD_LIBRARY_PATH", None)
            if libraries:
                variables["LD_LIBRARY_PATH"] = libraries
        # nvidia-smi counts so, too.
        variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        variables.setdefault("RUST_LOG", "warn")
        if self.nothing_is_computed or self.reports_trial:
            variables["SYNTH2REAL_TRIAL"] = "report"
        return variables

    def run(
        self,
        command: Sequence[str | Path],
        seconds: float,
        variables: dict[str, str] | None = None,
        folder: Path | None = None,
    ) -> Ran:
        """Runs a command to its end, or to that of its time.

        Raises `OverError` if it was ended because there was no more time for anything.
        """
        limit = self.budget.at_most(seconds)
        began = monotonic()
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**self.environment(), **(variables or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        is_cut = False
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            is_cut = True
            end(process)
            out, err = process.communicate()
        except BaseException:
            end(process)
            raise
        if is_cut and limit < seconds:
            self.budget.at_most(seconds)
        return Ran(process.returncode, out, err, monotonic() - began, is_cut)

    def synth2real(self, *arguments: str | Path, seconds: float, **variables: str) -> Ran:
        """Runs the program with some arguments."""
        return self.run([self.program(), *arguments], seconds, variables)

    def module(self, name: str, *arguments: str | Path, seconds: float) -> Ran:
        """Runs a module of these by the interpreter that runs this."""
        own = ("LD_LIBRARY_PATH", *OF_INTERPRETER)
        variables = {name: os.environ[name] for name in own if name in os.environ}
        return self.run([sys.executable, "-m", name, *arguments], seconds, variables)


def end(process: subprocess.Popen[str]) -> None:
    """Ends a process, with those that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def precision_of(model: Path) -> str:
    """Returns what a model or a recipe of one computes in: `fp32` or `fp16`."""
    return str(json.loads((model / "model.json").read_text())["dtype"])


def size_of(model: Path) -> tuple[int, int]:
    """Returns width and height of a model's images."""
    contract = json.loads((model / "model.json").read_text())
    return contract["width"], contract["height"]
