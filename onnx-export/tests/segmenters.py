"""Small seeded segmenters in the layouts of torchvision and of transformers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import get_model

from tests.networks import liven

NAMES = ("Road", "side walk", "traffic_light", "Traffic-Sign", "SKY", "unlabeled", "person")
"""As people write them, and one that is no class."""
TRAIN_IDS = (0, 1, 6, 7, 10, None, 11)
LRASPP = "lraspp_mobilenet_v3_large"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREPROCESSOR = {
    "do_normalize": True,
    "do_rescale": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.25, 0.3],
    "rescale_factor": 0.00392156862745098,
}


def lraspp(num_classes: int) -> nn.Module:
    network = get_model(LRASPP, weights=None, weights_backbone=None, num_classes=num_classes)
    return liven(network, 40)


def write_lraspp(path: Path, num_classes: int = 19) -> Path:
    torch.save(lraspp(num_classes).state_dict(), path)
    return path


def named(names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }


def write_segformer(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        **named(names),
    )
    torch.manual_seed(41)
    return save(SegformerForSemanticSegmentation(config), folder)


def write_mask2former(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, ResNetConfig

    backbone = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=16,
        num_queries=8,
        **named(names),
    )
    torch.manual_seed(71)
    network = Mask2FormerForUniversalSegmentation(config)
    return save(network, folder, sharper=network.class_predictor)


def save(network: Any, folder: Path, sharper: nn.Linear | None = None) -> Path:
    """Writes a folder with seeded weights; with those of `sharper` masks are of one class each."""
    liven(network, 75)
    if sharper is not None:
        nn.init.orthogonal_(sharper.weight, 8.0)
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    return folder


def normalised(images: np.ndarray) -> Tensor:
    """Returns images as `PREPROCESSOR` has them."""
    mean, std = (torch.tensor(PREPROCESSOR[key]).view(3, 1, 1) for key in
                 ("image_mean", "image_std"))  # fmt: skip
    return (torch.from_numpy(images) - mean) / std


@torch.no_grad()
def highest(scores: Callable[[], Tensor], images: np.ndarray) -> np.ndarray:
    """Returns the class with the highest of scores that are brought to the images' size."""
    size = images.shape[-2:]
    resized = functional.interpolate(scores(), size, mode="bilinear", align_corners=False)
    return resized.argmax(1).numpy()


def assert_same_classes(found: np.ndarray, expected: np.ndarray) -> None:
    """Holds predictions against each other; where two scores are as good as equal, either will do.

    One class everywhere would prove nothing.
    """
    assert found.dtype == np.int64
    assert found.shape == expected.shape
    assert len(np.unique(expected)) > 2
    assert (found != expected).mean() <= 1e-3


def broken_scores() -> nn.Module:
    """Returns a network whose answer is no scores."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))


def halves(size: int = 8, num_classes: int = 19) -> nn.Module:
    """Returns a network for images of 16 x 16 only."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 2, stride=2),
        nn.Flatten(1),
        nn.Linear(4 * size * size, num_classes * size * size),
        nn.Unflatten(1, (num_classes, size, size)),
    )


class ByNumbers(nn.Module):
    """A network that makes numbers of Python of its images' size: a graph has it as constants."""

    def __init__(self, num_classes: int = 19) -> None:
        super().__init__()
        self.scores = nn.Conv2d(3, num_classes, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        size = (int(images.shape[-2]), int(images.shape[-1]))
        return functional.interpolate(self.scores(images), size, mode="bilinear")


class ByWhatItSees(nn.Module):
    """A network that decides by the numbers of its images what it computes."""

    def __init__(self, num_classes: int = 19) -> None:
        super().__init__()
        self.scores = nn.Conv2d(3, num_classes, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.scores(images)
        return scores if float(images.mean()) > 0.25 else -scores


def flat(num_classes: int = 19) -> nn.Module:
    """Returns a network with the same scores for whatever it sees."""
    network = nn.Conv2d(3, num_classes, 1)
    nn.init.zeros_(network.weight)
    return network


class Answers(nn.Module):
    """A network that answers a mapping with its scores as `out`."""

    def __init__(self, num_classes: int = 19) -> None:
        super().__init__()
        self.scores = nn.Conv2d(3, num_classes, 3, stride=2, padding=1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": self.scores(images), "aux": self.scores(images)}


def of_precision(dtype: str) -> nn.Module:
    """Returns a seeded network whose weights are `float16`, `bfloat16` or of another type."""
    network: nn.Module = liven(Answers(), 45).to(getattr(torch, dtype))
    return network


class AlwaysAnswers(nn.Module):
    """A network of transformers with one answer to whatever it sees."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, pixel_values: Tensor) -> Any:
        assert pixel_values.ndim == 4
        return self.answer
