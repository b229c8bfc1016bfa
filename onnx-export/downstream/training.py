"""Trains one arm with one seed; a training that was ended goes on to the same weights."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from downstream.arms import Arm
from downstream.batches import Batch, Pictures, StepBatches, normalised
from downstream.classes import UNKNOWN
from downstream.errors import ExperimentError
from downstream.loaders import killed_loaders_named, loaded
from downstream.networks import Network, build, logits_of
from downstream.pictures import Size
from downstream.recipes import Recipe
from downstream.store import write_whole

Told = Callable[[int, float], None]
"""Is told the number of steps done and the last loss."""


def nothing_told(_steps: int, _loss: float) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Training:
    """What arms have in common: network, recipe, size, and how a machine is used."""

    network: Network
    weights: Path | None
    weights_sha256: str | None
    recipe: Recipe
    size: Size
    device: torch.device
    loaders: int = 0
    checkpoint_seconds: float = 60.0
    clock: Callable[[], float] = field(default=time.monotonic)

    def key(self, arm: Arm, seed: int) -> str:
        """Returns a digest of everything that decides what is trained."""
        decides = [
            arm.sha256, self.size, self.network.name, self.weights_sha256, self.recipe.as_json(),
            seed,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


@killed_loaders_named()
def train(
    training: Training, arm: Arm, seed: int, checkpoint: Path, told: Told = nothing_told
) -> nn.Module:
    """Returns the trained network. `checkpoint` is where a training that is ended goes on from."""
    recipe, device = training.recipe, training.device
    if recipe.batch < training.network.smallest_batch:
        raise ExperimentError(
            f"the batch ({recipe.batch}) must be at least {training.network.smallest_batch} for "
            f"{training.network.name}, which normalises over it"
        )
    network = build(training.network, training.weights, seed).to(device).train()
    optimizer = _optimizer(network, training.network, recipe)
    first = _go_on(checkpoint, training.key(arm, seed), network, optimizer, device)
    saved_at = training.clock()
    for step, batch in _batches(training, arm, seed, first):
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * recipe.rate(step)
        loss = _loss(
            logits_of(network, normalised(batch.images.to(device))), batch.labels.to(device)
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        lost = loss.item()
        if not math.isfinite(lost):
            raise ExperimentError(
                f"arm {arm.name}, seed {seed}: the loss is {lost} at step {step + 1}: lower the "
                "learning rate, as with --learning-rate"
            )
        if training.clock() - saved_at >= training.checkpoint_seconds and step + 1 < recipe.steps:
            _save(checkpoint, training.key(arm, seed), step + 1, network, optimizer)
            saved_at = training.clock()
        told(step + 1, lost)
    return network.eval()


def _batches(training: Training, arm: Arm, seed: int, first: int) -> Iterator[tuple[int, Batch]]:
    steps = range(first, training.recipe.steps)
    pictures = Pictures(arm.examples, training.size, max(1, training.loaders))
    batches = StepBatches(pictures, training.recipe, seed)
    return zip(steps, loaded(batches, steps, training.loaders), strict=True)


def _optimizer(network: nn.Module, kind: Network, recipe: Recipe) -> torch.optim.Optimizer:
    parts: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, weight in network.named_parameters():
        in_backbone, decays = name.startswith(kind.backbone), weight.ndim > 1
        parts.setdefault((in_backbone, decays), []).append(weight)
    groups = []
    for (in_backbone, decays), weights in parts.items():
        rate = recipe.learning_rate * (1.0 if in_backbone else recipe.head_rate)
        decay = recipe.weight_decay if decays else 0.0
        groups.append({"params": weights, "lr": rate, "full": rate, "weight_decay": decay})
    match recipe.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, recipe.learning_rate)
        case "sgd":
            return torch.optim.SGD(groups, recipe.learning_rate, momentum=0.9)


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the mean cross entropy of the pixels that have a class; 0 if none has."""
    labels = labels.long()
    summed = functional.cross_entropy(logits, labels, ignore_index=UNKNOWN, reduction="sum")
    return summed / (labels != UNKNOWN).sum().clamp(min=1)


def _save(
    path: Path, key: str, steps: int, network: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    state: dict[str, Any] = {
        "key": key,
        "steps": steps,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    write_whole(path, lambda file: torch.save(state, file))


def _go_on(
    path: Path,
    key: str,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
) -> int:
    """Returns the steps that were done before, after taking up what they made; 0 without them."""
    if not path.is_file():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["key"] != key:
            return 0
    except Exception:
        # It only saves time: what cannot be read is trained again.
        return 0
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    if device.type == "cuda" and state["random_cuda"]:
        torch.cuda.set_rng_state_all(state["random_cuda"])
    return int(state["steps"])
