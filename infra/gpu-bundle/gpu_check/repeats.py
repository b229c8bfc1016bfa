"""Whether an image has the same bytes each time it is made, and after memory ran out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_check import goldens
from gpu_check.bundle import Bundle, Ran, precision_of
from gpu_check.project import Project
from gpu_check.report import Result, Status

SECONDS = 60.0
GOLDEN = "cactif-night"
# Many steps that inject, so that the keys and values of styles are a large part of all memory.
METHOD = "steps = 20, skip = 0"
OUT_OF_MEMORY = "the device is out of memory"
ENVIRONMENT = 3
# Where limits are looked for, and how many are tried.
LEAST_BYTES, MOST_BYTES = 16 << 20, 4 << 30
MOST_TRIED = 12
LEAST_APART = 256 << 10


def equal_bytes(bundle: Bundle, model: Path, times: int) -> Result:
    """Converts one pair several times, each time in a process of its own."""
    meta = json.loads((bundle.goldens() / GOLDEN / "meta.json").read_text())
    work = bundle.folder("repeats")
    image, made = work / "out.png", []
    figures: dict[str, Any] = {"precision": precision_of(model)}
    for _ in range(times):
        command = [*goldens.transfer(bundle, model, meta), *goldens.settings(meta)]
        image.unlink(missing_ok=True)
        ran = bundle.synth2real(*command, "--out", image, seconds=SECONDS)
        if ran.code != 0 or not image.is_file():
            return Result(Status.WRONG, ran.complaint(), figures)
        made.append(image.read_bytes())
    different = len(set(made))
    figures |= {"runs": times, "different": different}
    return judged(
        bundle, different == 1, f"{times} runs gave {different} different images", figures
    )


@dataclass(frozen=True)
class Tried:
    """What came of a limit of the GPU's memory."""

    limit: int
    ran: Ran
    images: dict[str, str]

    def is_out_of_memory(self) -> bool:
        return self.ran.code == 0 and bool(self.ran.said(OUT_OF_MEMORY))


def after_out_of_memory(bundle: Bundle, model: Path) -> Result:
    """Looks for a limit at which a run runs out of memory and goes on, and compares its images."""
    project = Project(bundle, "memory", model, contents=1, styles=2)
    figures: dict[str, Any] = {"precision": precision_of(model), "tried": []}
    whole = project.run(project.settings(METHOD), SECONDS)
    if whole.code != 0:
        return Result(Status.WRONG, f"without a limit: {whole.complaint()}", figures)
    expected = project.images()
    too_little, enough, limit = 0, 0, LEAST_BYTES
    for _ in range(MOST_TRIED):
        engine = {"device_max_bytes": limit}
        ran = project.run(project.settings(METHOD, engine), SECONDS)
        tried = Tried(limit, ran, project.images())
        figures["tried"].append({"device_max_bytes": limit, "exit_code": ran.code})
        if tried.is_out_of_memory():
            figures["device_max_bytes"] = limit
            is_equal = bool(expected) and tried.images == expected
            told = f"with {limit / 2**20:.0f} MiB memory ran out, and {len(expected)} images have "
            return judged(
                bundle, is_equal, told + ("the same" if is_equal else "other") + " bytes", figures
            )
        if ran.code not in (0, ENVIRONMENT):
            return Result(Status.WRONG, f"with {limit} bytes: {ran.complaint()}", figures)
        too_little, enough = (too_little, limit) if ran.code == 0 else (limit, enough)
        limit = between(too_little, enough)
        if limit > MOST_BYTES or 0 < enough < too_little + LEAST_APART:
            break
    told = "no limit was found at which memory runs out after the trial"
    return Result(Status.NOT_RUN, told, figures)


def between(too_little: int, enough: int) -> int:
    """Returns the next limit: more as long as none was enough, then in the middle."""
    if not enough:
        return 2 * too_little
    return (too_little + enough) // 2


def judged(bundle: Bundle, is_right: bool, told: str, figures: dict[str, Any]) -> Result:
    """Returns a result that is right or wrong, where something was computed."""
    if bundle.nothing_is_computed:
        return Result(Status.NOT_JUDGED, told, figures)
    return Result(Status.RIGHT if is_right else Status.WRONG, told, figures)
