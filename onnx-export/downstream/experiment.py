"""An experiment: every arm with every seed trained and tested, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from downstream.arms import Arm, ArmOptions, build_arms
from downstream.errors import ExperimentError
from downstream.progress import Progress
from downstream.real import RealSet, refuse_contents, refuse_shared, refuse_styles
from downstream.runs import Run
from downstream.store import Store
from downstream.training import Training
from downstream.work import Task, Work, run_tasks
from onnx_export.console import tell

LEAST_SEEDS = 3


@dataclass(frozen=True)
class Experiment:
    """What is compared, and how.

    `trained` is a folder of trained networks, which experiments with the same arms share.
    """

    runs: tuple[Run, ...]
    test: RealSet
    oracle: RealSet | None
    arms: tuple[Arm, ...]
    training: Training
    seeds: tuple[int, ...]
    trained: Path | None = None

    def identity(self) -> dict[str, Any]:
        """Returns what decides the figures, but for the seeds: there may be more later."""
        return {
            "runs": [{"run": run.name, "plan_hash": run.plan_hash} for run in self.runs],
            "real": {"images": len(self.test.images), "sha256": self.test.sha256},
            "network": self.training.network.name,
            "weights_sha256": self.training.weights_sha256,
            "recipe": self.training.recipe.as_json(),
            "size": list(self.training.size),
            "arms": {
                arm.key: {"images": len(arm.examples), "sha256": arm.sha256} for arm in self.arms
            },
        }

    def run(self, store: Store, jobs: int = 1) -> dict[str, np.ndarray]:
        """Returns the confusions `(seeds, images, 19, 19)` of each arm, made if they are missing.

        A seed of all arms comes before the next, so that figures of fewer seeds are there early.
        """
        store.begin(self.identity())
        steps, images = self.training.recipe.steps, len(self.test.images)
        tasks = [Task(arm, seed) for seed in self.seeds for arm in self.arms]
        missing = [task for task in tasks if store.read(task.arm.key, task.seed, images) is None]
        progress = Progress(steps * len(tasks), steps * (len(tasks) - len(missing)))
        work = Work(self.training, self.test, store, self.trained)
        run_tasks(work, missing, jobs, progress)
        return {arm.key: np.stack([_made(store, arm, seed, images) for seed in self.seeds])
                for arm in self.arms}  # fmt: skip


def _made(store: Store, arm: Arm, seed: int, images: int) -> np.ndarray:
    confusions = store.read(arm.key, seed, images)
    if confusions is None:
        raise ExperimentError(
            f"{store.result(arm.key, seed)} went while the experiment was running: start it again"
        )
    return confusions


def plan(
    runs: Sequence[Run],
    test: RealSet,
    oracle: RealSet | None,
    options: ArmOptions,
    training: Training,
    seeds: Sequence[int],
    trained: Path | None = None,
) -> Experiment:
    """Returns an experiment after proving that it can tell something."""
    if len(seeds) < LEAST_SEEDS:
        raise ExperimentError(
            f"{len(seeds)} seeds do not tell how figures vary: give --seeds {LEAST_SEEDS} or more"
        )
    refuse_styles(test, runs, training.size)
    if oracle is not None:
        refuse_shared(oracle, test)
    arms = build_arms(runs, oracle, options, tell)
    refuse_contents(test, (example.image for example in arms[0].examples), training.size)
    return Experiment(tuple(runs), test, oracle, tuple(arms), training, tuple(seeds), trained)
