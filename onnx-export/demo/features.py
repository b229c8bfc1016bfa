"""The demo's network of features: which look a street has, and which classes are where.

What it learns on the way, 64 values pooled over the picture, is what the demo's FID and KID
compare. Published figures are made with an Inception network trained on photographs, which says
little of drawings.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from onnx_export.contract import Resize
from onnx_export.features.adapter import Adapter
from onnx_export.features.export import Settings, export

from .classes import Label
from .looks import LOOKS

WIDTH, HEIGHT = 256, 128
NUM_FEATURES = 64
CHANNELS = (16, 32, 48, NUM_FEATURES, NUM_FEATURES)
CELL = 16
"""Pixels of a cell's side: classes are told cell by cell, for a whole picture says too little."""
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
NAME = "synth2real demo street features"


class StreetFeatures(nn.Module):
    """Four convolutions that halve and one that does not, and two linear answers on top."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in CHANNELS:
            stride = 1 if channels == before else 2
            layers += [
                nn.Conv2d(before, channels, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            ]
            before = channels
        self.trunk = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.look = nn.Linear(NUM_FEATURES, len(LOOKS))
        self.shown = nn.Conv2d(NUM_FEATURES, len(Label), 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns scores of looks `(n, 4)` and of classes in cells `(n, 19, 8, 16)`.

        The images are normalised, `(n, 3, 128, 256)`. Looks are told from the pooled features.
        """
        cells = self.trunk(images)
        return self.look(self.pool(cells).flatten(1)), self.shown(cells)


def normalised(pictures: Tensor) -> Tensor:
    """Returns bytes `(n, height, width, 3)` as the network takes them, `(n, 3, height, width)`."""
    channels = pictures.permute(0, 3, 1, 2).float() / 255.0
    return (channels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def export_features(checkpoint: Path, out: Path) -> None:
    """Writes the folder `out` with the trained network, in place of what is there."""
    adapter = Adapter(
        extractor=f"{__name__}:{StreetFeatures.__name__}",
        layer="pool",
        resize=Resize(WIDTH, HEIGHT, "bilinear"),
        mean=MEAN,
        std=STD,
    )
    export(Settings(checkpoint, out, adapter, NAME, force=True))
