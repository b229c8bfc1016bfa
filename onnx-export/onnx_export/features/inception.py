"""Pytorch-fid's Inception-v3, built by pytorch-fid itself from a local file.

The package looks for its weights in torch hub's folder before it downloads them, so it is shown a
folder that has them.

**Source:** Heusel et al. 2017 (arXiv:1706.08500); the network is TensorFlow's of 2015.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from pytorch_fid.inception import FID_WEIGHTS_URL, InceptionV3
from torch import Tensor, nn

from onnx_export.contract import Resize
from onnx_export.errors import CheckpointError
from onnx_export.features.network import FeatureNetwork
from onnx_export.weights import UNUSED, StateDict, read_state_dict
from onnx_export.write import file_sha256

NAME = "pytorch-fid Inception-v3 pool3"
WEIGHTS_NAME = FID_WEIGHTS_URL.rsplit("/", 1)[-1]
PUBLISHED_SHA256_PREFIX = Path(WEIGHTS_NAME).stem.rsplit("-", 1)[-1]


class Pool3(nn.Module):
    """The 2048 features after the last pooling; resizes to 299 x 299 and scales by itself."""

    def __init__(self, inception: InceptionV3) -> None:
        super().__init__()
        self.inception = inception

    def forward(self, images: Tensor) -> Tensor:
        return self.inception(images)[0].flatten(1)


def load_inception(checkpoint: Path) -> FeatureNetwork:
    """Returns pytorch-fid's network with the weights of `checkpoint`."""
    state = read_state_dict(checkpoint)
    try:
        inception = inception_with(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint} is not pytorch-fid's Inception ({complaint(error)}): give its release "
            f"{WEIGHTS_NAME}, or name another network with --extractor MODULE:FACTORY"
        ) from error
    return FeatureNetwork(
        module=Pool3(inception).eval(),
        name=NAME,
        resize=Resize(299, 299, "bilinear"),
        published_fid=file_sha256(checkpoint).startswith(PUBLISHED_SHA256_PREFIX),
    )


def inception_with(state: StateDict) -> InceptionV3:
    """Returns pytorch-fid's network with these weights; raises `RuntimeError` if they do not fit.

    Without counts of training steps, which nothing is computed from: a state dict that has some of
    them would have to have all.
    """
    weights = {key: tensor for key, tensor in state.items() if UNUSED not in key}
    usual = torch.hub.get_dir()
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (Path(folder) / "checkpoints").mkdir()
        torch.save(weights, Path(folder) / "checkpoints" / WEIGHTS_NAME)
        torch.hub.set_dir(folder)
        try:
            return InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]])
        finally:
            torch.hub.set_dir(usual)


def complaint(error: RuntimeError) -> str:
    """Returns the first thing that torch says does not fit, cut short."""
    lines = [line.strip() for line in str(error).splitlines()]
    reason = lines[min(1, len(lines) - 1)].rstrip(". ")
    return reason if len(reason) <= 160 else f"{reason[:160]}..."
