"""The demo's segmenter: which of Cityscapes' classes each pixel of a street shows.

It is the small U-Net that arms are trained with, a little wider. Segmenters of photographs know
nothing of drawings, so that what they say of the demo's labels would be of no use.
"""

from pathlib import Path

import torch
from torch import Tensor

from downstream.networks import UNet
from onnx_export.contract import Normalisation
from onnx_export.factory import Factory
from onnx_export.segmenter.export import Settings, export
from onnx_export.segmenter.sources import Made

CHANNELS = 24
NORMALISATION = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
NAME = "synth2real demo street segmenter"


def make_segmenter() -> UNet:
    """Returns the network as it is before training."""
    return UNet(CHANNELS)


def normalised(images: Tensor) -> Tensor:
    """Returns images `(n, 3, height, width)` in 0..1 as the network takes them."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in
                 (NORMALISATION.mean, NORMALISATION.std))  # fmt: skip
    return (images - mean) / std


def export_segmenter(checkpoint: Path, out: Path) -> None:
    """Writes the folder `out` with the trained network, in place of what is there."""
    factory = Factory("the factory", f"{__name__}:{make_segmenter.__name__}")
    settings = Settings(
        Made(factory, checkpoint),
        out,
        classes="cityscapes",
        normalisation=NORMALISATION,
        name=NAME,
        force=True,
    )
    export(settings)
