"""How many seconds an image takes at full width, and how much memory of the GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

from gpu_check import trial, weights
from gpu_check.bundle import Bundle, UnusableError, precision_of, size_of
from gpu_check.project import Project
from gpu_check.report import Result, Status

SECONDS = 240.0
# To make weights, start the program, try the GPU out and record a style.
LEAST_SECONDS = 45.0
CONTENTS = 4
METHOD = "steps = 50, skip = 30"
CONVERTED = "converted content"
# Beside the weights themselves.
SPARE_BYTES = 1 << 30


class MemoryWatch:
    """Watches how much memory of a GPU is taken, as the driver tells it."""

    def __init__(self, bundle: Bundle) -> None:
        self.command: list[str] = []
        self.readings: list[int] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        program = shutil.which("nvidia-smi")
        if program and not bundle.nothing_is_computed:
            form = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"]
            self.command = [program, *form, "--id", number_of(bundle.device)]

    def __enter__(self) -> MemoryWatch:
        self._read()
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self.thread.join()

    def gigabytes(self) -> float | None:
        """Returns how much more was taken than before; nothing where that is not told."""
        if len(self.readings) < 2:
            return None
        # nvidia-smi counts in MiB.
        return (max(self.readings) - self.readings[0]) * 2**20 / 1e9

    def _watch(self) -> None:
        while not self.ended.wait(0.25) and self._read():
            pass

    def _read(self) -> bool:
        if not self.command:
            return False
        try:
            told = subprocess.run(
                self.command, capture_output=True, text=True, timeout=10, check=True
            )
            self.readings.append(int(told.stdout.split()[0]))
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return False
        return True


def number_of(device: str) -> str:
    """Returns how nvidia-smi calls a device, of those that programs may see."""
    number = int(device.removeprefix("cuda:"))
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return seen[number].strip() if number < len(seen) and seen[number].strip() else str(number)


def lacks_room(bundle: Bundle, recipe: Path) -> str | None:
    """Returns why a model cannot be made where work is done."""
    needed = weights.total_bytes(recipe) + SPARE_BYTES
    free = shutil.disk_usage(bundle.work).free
    if free >= needed:
        return None
    return (
        f"{bundle.work} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} are needed: "
        "name another folder by --work"
    )


def moment(timestamp: str) -> float:
    """Returns the seconds of a moment in a log."""
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def measure(bundle: Bundle, recipe: Path) -> Result:
    """Converts some contents into one style, and tells what each but the first took."""
    precision = precision_of(recipe)
    width, height = size_of(recipe)
    figures: dict[str, Any] = {"precision": precision, "width": width, "height": height}
    bundle.budget.at_most(SECONDS, LEAST_SECONDS)
    if lacking := lacks_room(bundle, recipe):
        return Result(Status.NOT_RUN, lacking, figures)
    model = bundle.folder("model")
    try:
        made = bundle.module("gpu_check.weights", recipe, model, seconds=SECONDS)
        if made.code != 0:
            return Result(Status.NOT_RUN, f"its weights: {made.complaint()}", figures)
        figures["seconds_of_weights"] = made.seconds
        result = tried_and_converted(bundle, model, figures)
    finally:
        shutil.rmtree(model, ignore_errors=True)
    if result.status is Status.MEASURED:
        bundle.seconds_an_image[recipe.name] = figures["seconds_an_image"]
    return result


def tried_and_converted(bundle: Bundle, model: Path, figures: dict[str, Any]) -> Result:
    """Tries the GPU out with layers of full size, and returns what a run took."""
    try:
        tried = trial.check(bundle, model)
    except UnusableError as error:
        return Result(Status.NOT_RUN, str(error), figures)
    figures["trial"] = tried.figures
    result = converted(bundle, model, figures)
    if tried.status is Status.WRONG:
        return Result(Status.WRONG, f"its trial: {tried.told}; {result.told}", figures)
    return result


def converted(bundle: Bundle, model: Path, figures: dict[str, Any]) -> Result:
    """Returns what a run with a model took."""
    project = Project(bundle, "speed", model, CONTENTS, styles=1)
    settings = project.settings(METHOD)
    with MemoryWatch(bundle) as memory:
        # What was made until all time is over still tells something.
        seconds = bundle.budget.at_most(SECONDS) - 1.0
        ran = project.run(settings, seconds, RUST_LOG="warn,worker=debug")
    moments = [moment(event["timestamp"]) for event in ran.said(CONVERTED)]
    took = [after - before for before, after in pairwise(moments)]
    gigabytes = memory.gigabytes()
    figures |= {
        "seconds_of_each": took,
        "seconds_an_image": sum(took) / len(took) if took else None,
        "gigabytes": gigabytes,
        "images": len(project.images()),
    }
    if ran.code != 0 and not ran.is_cut:
        return Result(Status.WRONG, ran.complaint(), figures)
    if not took:
        return Result(Status.NOT_RUN, f"fewer than two images: {ran.complaint()}", figures)
    held = (
        "memory unknown: nvidia-smi does not tell it"
        if gigabytes is None
        else f"{gigabytes:.1f} GB"
    )
    size = f"{figures['width']}x{figures['height']}"
    if bundle.nothing_is_computed:
        told = f"{len(moments)} contents at {size} went through; their times mean nothing"
        return Result(Status.NOT_JUDGED, told, figures)
    told = f"{figures['seconds_an_image']:.2f} s an image of {size} into one style, {held}"
    return Result(Status.MEASURED, told, figures)
