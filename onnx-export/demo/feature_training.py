"""Training of the demo's network of features, on streets that nothing else is drawn from."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from .classes import Label
from .features import CELL, HEIGHT, WIDTH, StreetFeatures, normalised
from .looks import LOOKS
from .pictures import look_of
from .scene import make_scene

log = logging.getLogger(__name__)

FIRST_SEED, FIRST_HELD_OUT_SEED = 2_000_000, 2_500_000
SMALLEST_SHARE = 0.1
"""A cell shows a class that covers at least this share of it."""


@dataclass(frozen=True)
class FeatureTraining:
    """How long and on what the network is trained; the same numbers give the same network."""

    steps: int = 1000
    scenes: int = 2000
    held_out: int = 400
    seed: int = 0
    batch: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class Streets:
    """Pictures `(n, 128, 256, 3)` bytes, their looks `(n)`, and classes shown `(n, 19, 8, 16)`."""

    pictures: Tensor
    looks: Tensor
    shown: Tensor

    @staticmethod
    def draw(first_seed: int, count: int) -> "Streets":
        """Draws streets in all looks by turns."""
        names = list(LOOKS)
        pictures = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
        shown = np.empty((count, len(Label), HEIGHT // CELL, WIDTH // CELL), bool)
        for index in range(count):
            scene = make_scene(first_seed + index)
            # As many samples a pixel as a larger picture has that is then made smaller.
            image, ids = scene.render(LOOKS[look_of(index)], WIDTH, HEIGHT, supersampling=4)
            pictures[index] = np.asarray(image)
            shown[index] = shares_of_cells(np.asarray(ids)) >= SMALLEST_SHARE
            if (index + 1) % 500 == 0:
                log.info("%d of %d streets drawn", index + 1, count)
        looks = [names.index(look_of(index)) for index in range(count)]
        return Streets(torch.from_numpy(pictures), torch.tensor(looks), torch.from_numpy(shown))


def shares_of_cells(ids: np.ndarray) -> np.ndarray:
    """Returns which share of each cell each class covers, `(19, rows, columns)`."""
    rows, columns = (size // CELL for size in ids.shape)
    cells = ids.reshape(rows, CELL, columns, CELL)
    return np.stack([(cells == label).mean(axis=(1, 3)) for label in Label])


def train_features(checkpoint: Path, training: FeatureTraining) -> None:
    """Trains from the start and writes the state dict `checkpoint`; logs how good it is."""
    torch.set_num_threads(1)
    torch.manual_seed(training.seed)
    rng = np.random.default_rng(training.seed)
    streets = Streets.draw(FIRST_SEED, training.scenes)
    held_out = Streets.draw(FIRST_HELD_OUT_SEED, training.held_out)
    network = StreetFeatures().train()
    optimizer = torch.optim.AdamW(
        network.parameters(), training.learning_rate, weight_decay=training.weight_decay
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.learning_rate, total_steps=training.steps, pct_start=0.2
    )
    losses: list[float] = []
    for step in range(1, training.steps + 1):
        chosen = torch.from_numpy(rng.integers(len(streets.pictures), size=training.batch))
        images, shown = normalised(streets.pictures[chosen]), streets.shown[chosen]
        if rng.random() < 0.5:
            images, shown = images.flip(-1), shown.flip(-1)
        loss = answers_loss(network(images), streets.looks[chosen], shown)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        rate.step()
        losses.append(loss.item())
        if step % 100 == 0:
            log.info("step %d of %d: loss %.4f", step, training.steps, np.mean(losses[-100:]))
    looks, classes = accuracies(network.eval(), held_out)
    log.info("%d held-out streets: %.1f %% of looks right, classes of cells %.1f %% (balanced)",
             training.held_out, 100 * looks, 100 * classes)  # fmt: skip
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), checkpoint)


def answers_loss(answers: tuple[Tensor, Tensor], looks: Tensor, shown: Tensor) -> Tensor:
    """Returns the cross entropies of both answers."""
    look, classes = answers
    told = functional.binary_cross_entropy_with_logits(classes, shown.float())
    return functional.cross_entropy(look, looks) + 10.0 * told


@torch.no_grad()
def accuracies(network: nn.Module, streets: Streets) -> tuple[float, float]:
    """Returns the share of looks told right, and the mean balanced accuracy of classes in cells.

    Balanced: the mean of the shares right where a class is shown and where it is not, over the
    classes that some cells show and some do not.
    """
    answers = [network(normalised(part)) for part in streets.pictures.split(50)]
    looks = torch.cat([look for look, _ in answers]).argmax(1)
    told = torch.cat([classes for _, classes in answers]) > 0
    balanced = [
        0.5 * (right[shown].float().mean() + right[~shown].float().mean())
        for right, shown in zip(
            (told == streets.shown).unbind(1), streets.shown.unbind(1), strict=True
        )
        if shown.any() and not shown.all()
    ]
    return (looks == streets.looks).float().mean().item(), torch.stack(balanced).mean().item()
