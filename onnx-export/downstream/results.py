"""What came out: as JSON for programs, as a table for people."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from downstream.arms import ArmKind
from downstream.bootstrap import Bootstrap, Comparison, compare
from downstream.classes import CLASSES
from downstream.experiment import Experiment
from downstream.scores import OverSeeds, ious, mean_iou

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ArmResult:
    """The figures of an arm; classes that no label of the test shows have none."""

    name: str
    kind: ArmKind
    run: str | None
    images: int
    miou: OverSeeds
    classes: dict[str, OverSeeds]
    against_source: Comparison | None


def arm_results(
    experiment: Experiment, confusions: dict[str, np.ndarray], how: Bootstrap
) -> list[ArmResult]:
    """Returns the figures of all arms."""
    source = confusions[ArmKind.SOURCE.value]
    results = []
    for arm in experiment.arms:
        counted = confusions[arm.key]
        summed = counted.sum(1)
        each = ious(summed)
        classes = {
            of.name: OverSeeds(tuple(map(float, each[:, at])))
            for at, of in enumerate(CLASSES)
            if not np.isnan(each[:, at]).any()
        }
        is_source = arm.kind is ArmKind.SOURCE
        results.append(
            ArmResult(
                arm.name, arm.kind, arm.run, len(arm.examples),
                OverSeeds(tuple(map(float, mean_iou(summed)))), classes,
                None if is_source else compare(counted, source, how),
            )
        )  # fmt: skip
    return results


def as_json(experiment: Experiment, results: list[ArmResult], how: Bootstrap) -> dict[str, Any]:
    """Returns the document `downstream.json`."""
    training, identity = experiment.training, experiment.identity()
    test = experiment.test
    shown = set().union(*(result.classes for result in results))
    return {
        "format_version": FORMAT_VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "experiment_sha256": hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
        "partial": any(run.is_partial for run in experiment.runs),
        "runs": [
            {
                "run": run.name, "plan_hash": run.plan_hash, "method": run.method,
                "preset": run.preset, "styles": list(run.chosen_styles), "items": run.planned,
                "done": run.done, "partial": run.is_partial,
            }
            for run in experiment.runs
        ],
        "test": {
            "folder": str(test.folder), "images": len(test.images), "sha256": test.sha256,
            "classes": [of.name for of in CLASSES if of.name in shown],
        },
        "width": training.size.width,
        "height": training.size.height,
        "network": {"name": training.network.name, "weights_sha256": training.weights_sha256},
        "recipe": training.recipe.as_json(),
        "images": len(experiment.arms[0].examples),
        "seeds": list(experiment.seeds),
        "bootstrap": {"resamples": how.resamples, "level": how.level, "seed": how.seed},
        "arms": [_arm_json(result) for result in results],
    }  # fmt: skip


def _arm_json(result: ArmResult) -> dict[str, Any]:
    against = result.against_source
    return {
        "name": result.name,
        "kind": result.kind.value,
        "run": result.run,
        "images": result.images,
        "miou": _figure(result.miou),
        "classes": {name: _figure(figure) for name, figure in result.classes.items()},
        "against_source": None if against is None else {
            "difference": against.difference,
            "low": against.interval.low,
            "high": against.interval.high,
            "images_only": {"low": against.of_images.low, "high": against.of_images.high},
            "verdict": against.verdict.value,
        },
    }  # fmt: skip


def _figure(figure: OverSeeds) -> dict[str, Any]:
    return {"mean": figure.mean, "deviation": figure.deviation, "seeds": list(figure.seeds)}


def table(experiment: Experiment, results: list[ArmResult], how: Bootstrap) -> str:
    """Returns the figures as text: mean IoU with the verdict, then the classes."""
    training = experiment.training
    widest = max(len(result.name) for result in results)
    lines = [
        f"{training.network.name}, recipe {training.recipe.name}: {training.recipe.steps} steps of "
        f"{training.recipe.batch}, {len(experiment.arms[0].examples)} images an arm at "
        f"{training.size}, {len(experiment.seeds)} seeds",
        f"tested on {len(experiment.test.images)} images of {experiment.test.folder}; mean IoU in "
        f"percent, intervals of {how.level:.0%} against source only",
    ]
    for run in experiment.runs:
        if run.is_partial:
            lines.append(f"run {run.name} is partial: {run.done} of {run.planned} items are done")
    lines.append("")
    for result in results:
        lines.append(f"{result.name:<{widest}}  {_cell(result.miou)}  {_verdict(result)}".rstrip())
    names = [of.name for of in CLASSES if of.name in results[0].classes]
    widths = [max(13, len(result.name)) for result in results]
    heads = (f"{result.name:>{width}}" for result, width in zip(results, widths, strict=True))
    lines += ["", "  ".join([f"{'IoU':<13}", *heads])]
    for name in names:
        cells = (
            f"{_cell(result.classes[name]):>{width}}"
            for result, width in zip(results, widths, strict=True)
        )
        lines.append("  ".join([f"{name:<13}", *cells]))
    return "\n".join(lines) + "\n"


def _cell(figure: OverSeeds) -> str:
    deviation = "" if figure.deviation is None else f"± {figure.deviation:4.1f}"
    return f"{figure.mean:5.1f} {deviation}".rjust(13)


def _verdict(result: ArmResult) -> str:
    against = result.against_source
    if against is None:
        return ""
    interval = f"{against.interval.low:+.1f} to {against.interval.high:+.1f}"
    return f"{against.difference:+5.1f}  {against.verdict} ({interval})"
