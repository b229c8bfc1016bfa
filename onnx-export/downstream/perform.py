"""One experiment from what was asked for to its stored figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from downstream.arms import ArmOptions
from downstream.bootstrap import Bootstrap
from downstream.colour import ColourTransfer
from downstream.errors import ExperimentError
from downstream.experiment import plan
from downstream.networks import NETWORKS, digest_of_weights
from downstream.pictures import Size
from downstream.plot import draw
from downstream.real import open_real
from downstream.recipes import recipe
from downstream.results import ArmResult, arm_results, as_json, table
from downstream.runs import RunOptions, open_run
from downstream.store import Store, write_json, write_whole
from downstream.training import Training


@dataclass(frozen=True)
class Request:
    """What is asked for on the command line; None is what the recipe or the machine says."""

    runs: tuple[str, ...]
    real: Path
    out: Path
    root: Path = Path("out")
    real_split: str | None = None
    real_train: Path | None = None
    real_train_split: str | None = None
    content_root: Path | None = None
    style_root: Path | None = None
    styles: tuple[str, ...] = ()
    partial: bool = False
    images: int | None = None
    size: tuple[int, int] | None = None
    with_source_and_run: bool = True
    colour_transfer: str = "reinhard"
    seeds: int = 3
    network: str = "unet"
    weights: Path | None = None
    recipe: str | None = None
    steps: int | None = None
    batch: int | None = None
    crop: tuple[int, int] | None = None
    learning_rate: float | None = None
    device: str | None = None
    threads: int | None = None
    jobs: int = 1
    loaders: int = 0
    trained: Path | None = None
    bootstrap: Bootstrap = field(default_factory=Bootstrap)


@dataclass(frozen=True)
class Performed:
    """The figures of an experiment, and how they are told."""

    results: list[ArmResult]
    document: dict[str, Any]
    table: str


def perform(request: Request) -> Performed:
    """Runs an experiment, or goes on with it, and stores its figures below `request.out`."""
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    if request.size is not None and min(request.size) < 1:
        raise ExperimentError(f"the size ({Size(*request.size)}) must be at least 1x1")
    options = RunOptions(
        request.root, request.styles, request.partial, request.content_root, request.style_root
    )
    runs = [open_run(name, options) for name in request.runs]
    training = _training(request, runs[0].size if request.size is None else Size(*request.size))
    real = open_real(request.real, training.size, request.real_split)
    oracle = None
    if request.real_train is not None:
        oracle = open_real(request.real_train, training.size, request.real_train_split)
    arms = ArmOptions(
        ColourTransfer(request.colour_transfer), request.images, request.with_source_and_run
    )
    experiment = plan(runs, real, oracle, arms, training, range(request.seeds), request.trained)
    store = Store(request.out)
    with store.locked():
        confusions = experiment.run(store, request.jobs)
        results = arm_results(experiment, confusions, request.bootstrap)
        document = as_json(experiment, results, request.bootstrap)
        text = table(experiment, results, request.bootstrap)
        write_whole(store.folder / "downstream.txt", lambda file: file.write(text.encode()))
        draw(store.folder / "downstream.png", {str(request.real): results})
        write_json(store.folder / "downstream.json", document)
    return Performed(results, document, text)


def _training(request: Request, size: Size) -> Training:
    network = NETWORKS[request.network]
    crop = None if request.crop is None else Size(*request.crop)
    chosen = recipe(
        request.recipe or network.recipe, steps=request.steps, batch=request.batch, crop=crop,
        learning_rate=request.learning_rate,
    )  # fmt: skip
    if request.weights is not None and not request.weights.exists():
        raise ExperimentError(f"--weights {request.weights} is not there: download it before")
    return Training(
        network, request.weights, digest_of_weights(request.weights), chosen, size,
        _device(request.device), request.loaders,
    )  # fmt: skip


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ExperimentError(
            f"--device {name} cannot be used here: cpu can, and cuda where there is a GPU"
        ) from error
    return device
