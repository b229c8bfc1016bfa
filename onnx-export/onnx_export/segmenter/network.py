"""A segmenter as the worker runs it: images in, the network's own class of each pixel out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from onnx_export.contract import Normalisation, Source
from onnx_export.errors import CheckpointError
from onnx_export.prepare import Prepare

IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
UNCHANGED = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

NOT_JUDGED = -1
"""The class of a pixel with a score that is not finite: the worker leaves such an image out."""


@dataclass(frozen=True)
class SegmentationNetwork:
    """A module from normalised images to scores `(batch, classes, height, width)` of any size.

    `names` are those that the network has for its classes, if it has some. `notes` are said. One
    that is not for `any_size` is only traced at one.
    """

    module: nn.Module
    name: str
    source: Source
    normalisation: Normalisation
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    any_size: bool = True


class Scores(nn.Module):
    """What a network answers, as one tensor: alone, as `out` of a mapping, or as `logits`."""

    def __init__(self, network: nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.name = network, name

    def forward(self, images: Tensor) -> Tensor:
        answer: Any = self.network(images)
        if isinstance(answer, Mapping) and "out" in answer:
            answer = answer["out"]
        answer = getattr(answer, "logits", answer)
        if not isinstance(answer, Tensor) or answer.ndim != 4:
            said = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
            raise CheckpointError(
                f"{self.name} answers {said} to a batch of images, expected scores (batch, "
                "classes, height, width), alone, as `out` or as `logits`: wrap it in a factory "
                "that gives them"
            )
        return answer


class MaskScores(nn.Module):
    """Scores of a network of masks: how likely each mask is, summed by its class.

    `size` is that of the masks before they are summed; none for their own.

    **Source:** Cheng et al. 2021, section 3.4 (arXiv:2107.06278).
    **Differs:** masks are brought to `size` and not to the images', as transformers does.
    """

    def __init__(self, network: nn.Module, size: tuple[int, int] | None) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, images: Tensor) -> Tensor:
        answer: Any = self.network(pixel_values=images)
        masks: Tensor = answer.masks_queries_logits
        if self.size is not None:
            masks = functional.interpolate(masks, self.size, mode="bilinear", align_corners=False)
        # The last class is that of masks of nothing.
        classes = answer.class_queries_logits.softmax(-1)[..., :-1]
        return torch.einsum("bqc,bqhw->bchw", classes, masks.sigmoid())


class Segmenter(nn.Module):
    """Images `(batch, 3, height, width)` in 0..1 to classes `(batch, height, width)`.

    Scores are brought to the images' size before the highest is taken, the first of equal ones;
    where one is not finite, the class is `NOT_JUDGED`.
    """

    def __init__(self, prepare: Prepare, scores: nn.Module) -> None:
        super().__init__()
        self.prepare, self.scores = prepare, scores

    def forward(self, images: Tensor) -> Tensor:
        scores = self.scores_of(images)
        return torch.where(scores.isfinite().all(1), scores.argmax(1), NOT_JUDGED)

    def scores_of(self, images: Tensor) -> Tensor:
        """Returns scores `(batch, classes, height, width)` at the images' size."""
        scores = self.scores(self.prepare(images))
        size = images.shape[-2:]
        return functional.interpolate(scores, size, mode="bilinear", align_corners=False)
