"""The trial that every program makes of a GPU before any work, as `synth2real probe` tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpu_check.bundle import Bundle, Ran, UnusableError, precision_of
from gpu_check.project import Project
from gpu_check.report import Result, Status

# Comparing a layer of 8192 tokens takes a processor seconds.
SECONDS = 120.0
METHOD = "steps = 50, skip = 30"
UNTRUSTED = "what the device computes cannot be trusted: "


def check(bundle: Bundle, model: Path) -> Result:
    """Tries out a model, with what cuDNN says of its engines."""
    project = Project(bundle, "trial", model, contents=1, styles=1)
    variables = {
        "CUDNN_FRONTEND_LOG_INFO": "1",
        "CUDNN_FRONTEND_LOG_FILE": str(project.folder / "engines.log"),
    }
    settings = project.settings(METHOD)
    ran = bundle.synth2real("probe", settings, seconds=SECONDS, **variables)
    figures = {"precision": precision_of(model), **sections(ran.out)}
    if ran.code != 0 or bundle.reports_trial:
        return failed(bundle, settings, ran, figures)
    found = sections(ran.out)
    platform, lines = " ".join(found.get("platform", [])), found.get("trial", [])
    told = f"{platform}; {'; '.join(found.get('device', []))}"
    if bundle.nothing_is_computed:
        return Result(Status.NOT_JUDGED, platform, figures)
    if not lines:
        return Result(Status.WRONG, f"{platform}: no trial was made there", figures)
    return Result(Status.RIGHT, f"{told}; {lines[-1]}", figures)


def failed(bundle: Bundle, settings: Path, ran: Ran, figures: dict[str, Any]) -> Result:
    """Returns what the trial found to be wrong; raises `UnusableError` if there was none."""
    bundle.reports_trial = True
    reported = bundle.synth2real("probe", settings, seconds=SECONDS)
    if reported.code != 0:
        raise UnusableError(reported.complaint())
    figures |= sections(reported.out)
    said = [event["fields"]["message"] for event in reported.said(UNTRUSTED)]
    if not said and ran.code == 0:
        return Result(Status.RIGHT, figures["trial"][-1], figures)
    figures["failures"] = [message.removeprefix(UNTRUSTED) for message in said]
    told = figures["failures"][0] if said else ran.complaint()
    more = f"; and {len(said) - 1} more" if len(said) > 1 else ""
    return Result(Status.WRONG, told + more, figures)


def sections(text: str) -> dict[str, list[str]]:
    """Returns the lines that `probe` prints, by the word in front of them."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        # A word and spaces up to the tenth column.
        name = line[:9].strip() or name
        found.setdefault(name, []).append(line[9:].strip())
    return found
