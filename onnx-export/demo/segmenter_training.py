"""Training of the demo's segmenter, on streets that nothing else is drawn from."""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from downstream.classes import CLASSES, NUM_CLASSES, TRAIN_ID_OF_LABEL_ID, UNKNOWN
from downstream.networks import logits_of
from downstream.scores import ious, mean_iou
from downstream.testing import confusion

from .looks import LOOKS
from .muon import optimizers
from .pictures import HEIGHT, WIDTH, look_of
from .scene import make_scene
from .segmenter import make_segmenter, normalised

log = logging.getLogger(__name__)

FIRST_SEED, FIRST_HELD_OUT_SEED = 5_000_000, 5_500_000
CROP_WIDTH, CROP_HEIGHT = WIDTH // 2, HEIGHT // 2
HALVED_SHARE = 0.35
"""Of pictures seen whole at half their size; of the others a part of this size is seen."""
SOFTENED_SHARE, COARSEST = 0.6, 4.0
"""What is decoded from a latent is softer than a drawing: up to this many pixels become one."""
GAIN, SHIFT, GRAIN = 0.3, 0.08, 0.03
STAIN, STAIN_PIXELS = 0.08, 32
"""Colours of a converted picture run into one another."""


@dataclass(frozen=True)
class SegmenterTraining:
    """How long and on what the network is trained; the same numbers give the same network."""

    steps: int = 2400
    scenes: int = 1600
    held_out: int = 40
    seed: int = 0
    batch: int = 6
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2


@dataclass(frozen=True)
class LabelledStreets:
    """Pictures `(n, 3, 256, 512)` and their train ids `(n, 256, 512)`, both bytes."""

    pictures: Tensor
    labels: Tensor

    @staticmethod
    def draw(first_seed: int, looks: list[str]) -> "LabelledStreets":
        """Draws a street for each of the looks."""
        pictures = np.empty((len(looks), 3, HEIGHT, WIDTH), np.uint8)
        labels = np.empty((len(looks), HEIGHT, WIDTH), np.uint8)
        for index, look in enumerate(looks):
            scene = make_scene(first_seed + index)
            image, ids = scene.render(LOOKS[look], WIDTH, HEIGHT, supersampling=2)
            pictures[index] = np.asarray(image).transpose(2, 0, 1)
            labels[index] = TRAIN_ID_OF_LABEL_ID[np.asarray(ids)]
            if (index + 1) % 200 == 0:
                log.info("%d of %d streets drawn", index + 1, len(looks))
        return LabelledStreets(torch.from_numpy(pictures), torch.from_numpy(labels))


def train_segmenter(checkpoint: Path, training: SegmenterTraining) -> None:
    """Trains from the start and writes the state dict `checkpoint`; logs how good it is."""
    torch.set_num_threads(1)
    torch.manual_seed(training.seed)
    log.info("seed %d, streets from %d and from %d", training.seed, FIRST_SEED,
             FIRST_HELD_OUT_SEED)  # fmt: skip
    looks = [look_of(index) for index in range(training.scenes)]
    streets = LabelledStreets.draw(FIRST_SEED, looks)
    weights = weights_of_classes(streets.labels)
    network = make_segmenter().train()
    steppers = optimizers(
        network, training.learning_rate, training.weight_decay, ends=("stem", "head")
    )
    losses: list[float] = []
    batches = batches_of(streets, training)
    for step in range(1, training.steps + 1):
        images, labels = next(batches)
        logits = logits_of(network, normalised(images))
        loss = functional.cross_entropy(logits, labels, weights, ignore_index=UNKNOWN)
        for group in (group for stepper in steppers for group in stepper.param_groups):
            group["lr"] = training.learning_rate * schedule(step, training.steps)
        network.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
        losses.append(loss.item())
        if step % 100 == 0:
            log.info("step %d of %d: loss %.4f", step, training.steps, np.mean(losses[-100:]))
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), checkpoint)
    for look in LOOKS:
        held_out = LabelledStreets.draw(FIRST_HELD_OUT_SEED, training.held_out * [look])
        tell_agreement(look, confusion_of(network.eval(), held_out))


def schedule(step: int, steps: int) -> float:
    """Returns the share of the learning rate of a step: it grows at first, then falls to none."""
    return min(1.0, 20 * step / steps) * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def weights_of_classes(labels: Tensor) -> Tensor:
    """Returns a weight for each class, larger for rarer ones, one on average over the pixels."""
    counts = torch.bincount(labels.flatten(), minlength=256)[:NUM_CLASSES].double()
    shares = counts / counts.sum()
    weights = 1.0 / shares.clamp(min=1e-4).sqrt()
    return (weights / (weights * shares).sum()).float()


def batches_of(
    streets: LabelledStreets, training: SegmenterTraining
) -> Iterator[tuple[Tensor, Tensor]]:
    """Gives images `(batch, 3, 128, 256)` in 0..1 and their train ids, without an end."""
    rng = np.random.default_rng(training.seed)
    while True:
        chosen = rng.integers(len(streets.pictures), size=training.batch)
        seen = [part(streets, int(index), rng) for index in chosen]
        images = torch.stack([image for image, _ in seen])
        labels = torch.stack([label for _, label in seen])
        if rng.random() < 0.5:
            images, labels = images.flip(-1), labels.flip(-1)
        yield changed(images, rng), labels.long()


def part(streets: LabelledStreets, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Returns a picture at half its size, or a part of it at its own size."""
    picture, label = streets.pictures[index].float() / 255.0, streets.labels[index]
    if rng.random() < HALVED_SHARE:
        return functional.avg_pool2d(picture, 2), label[::2, ::2]
    top = int(rng.integers(HEIGHT - CROP_HEIGHT + 1))
    left = int(rng.integers(WIDTH - CROP_WIDTH + 1))
    rows, columns = slice(top, top + CROP_HEIGHT), slice(left, left + CROP_WIDTH)
    return picture[:, rows, columns], label[rows, columns]


def changed(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Returns images as a conversion may leave them: softer, stained, in other colours, grainy.

    A judge that has seen sharp drawings only takes blur and a shade of colour for another class.
    """
    count, height, width = len(images), *images.shape[-2:]
    softened = torch.stack([soft(image, rng) for image in images])
    gains = _uniform(rng, 1 - GAIN, 1 + GAIN, (count, 3, 1, 1))
    shifts = _uniform(rng, -SHIFT, SHIFT, (count, 3, 1, 1))
    spots = (count, 3, height // STAIN_PIXELS, width // STAIN_PIXELS)
    spread = _uniform(rng, 0, STAIN, (count, 1, 1, 1))
    stains = functional.interpolate(_normal(rng, spots), (height, width), mode="bilinear")
    grain = _uniform(rng, 0, GRAIN, (count, 1, 1, 1)) * _normal(rng, images.shape)
    return (softened * gains + shifts + spread * stains + grain).clamp(0, 1)


def soft(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Returns an image `(3, height, width)` made smaller and large again, or as it is."""
    if rng.random() >= SOFTENED_SHARE:
        return image
    size = image.shape[-2:]
    coarse = [round(side / rng.uniform(1.0, COARSEST)) for side in size]
    small = functional.interpolate(image[None], coarse, mode="bilinear", antialias=True)
    return functional.interpolate(small, size, mode="bicubic")[0].clamp(0, 1)


def _uniform(rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(rng.uniform(low, high, shape)).float()


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape, np.float32))


@torch.no_grad()
def confusion_of(network: nn.Module, streets: LabelledStreets) -> np.ndarray:
    """Returns the pixels of each class (rows) that are taken for each class, `(19, 19)`."""
    counts = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
    for pictures, labels in zip(streets.pictures.split(4), streets.labels.split(4), strict=True):
        found = logits_of(network, normalised(pictures.float() / 255.0)).argmax(1)
        counts += confusion(labels.numpy(), found.numpy())
    return counts


def tell_agreement(look: str, counts: np.ndarray) -> None:
    """Logs the mean IoU over held-out drawings of a look, and the IoU of each class."""
    each = ", ".join(
        f"{of.name} {iou:.0f}"
        for of, iou in zip(CLASSES, ious(counts), strict=True)
        if not np.isnan(iou)
    )
    log.info("held-out drawings, %s: mIoU %.1f (%s)", look, mean_iou(counts), each)
