"""What every network of features is to the export."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from onnx_export.contract import Resize


@dataclass(frozen=True)
class FeatureNetwork:
    """A module from images `(batch, 3, height, width)` in 0..1 to features `(batch, n)`.

    `resize` says what the module does to its input; the module does it itself. Figures may be held
    against published FID if `published_fid`.
    """

    module: nn.Module
    name: str
    resize: Resize | None
    published_fid: bool
