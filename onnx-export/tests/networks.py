"""Seeded networks in their public formats, and exported ones run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from tests.contracts import valid_contract


@torch.no_grad()
def liven(network: nn.Module, seed: int) -> nn.Module:
    """Returns `network` with seeded weights: no layer is flat, and signals keep their size."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            spread = (2.0 / module.weight[0].numel()) ** 0.5
            module.weight.normal_(0.0, spread, generator=generator)
            if module.bias is not None:
                module.bias.normal_(0.0, 0.1, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.6, 1.4, generator=generator)
            module.bias.normal_(0.0, 0.2, generator=generator)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.2, generator=generator)
            module.running_var.uniform_(0.6, 1.4, generator=generator)
    return network.eval()


def patches(width: int = 4) -> nn.Module:
    """Returns a network whose last layer has more values for larger images."""
    return nn.Sequential(nn.Conv2d(3, width, 8, stride=8), nn.Flatten(2))


def pictures(seed: int, *shape: int) -> np.ndarray:
    """Returns images in 0..1 with coarse and fine structure, `(batch, 3, height, width)`."""
    rng = np.random.default_rng(seed)
    batch, channels, height, width = shape
    coarse = torch.from_numpy(rng.uniform(0, 1, (batch, channels, 5, 7)).astype(np.float32))
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bilinear").numpy()
    return np.clip(smooth + rng.normal(0, 0.05, shape), 0, 1).astype(np.float32)


class Exported:
    """A folder with one exported network."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.contract = valid_contract(folder / f"{kind}.json")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 2
        self.session = ort.InferenceSession(
            folder / self.contract["file"], options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        names = [entry["name"] for entry in self.contract["inputs"]]
        (output,) = self.session.run(None, dict(zip(names, inputs, strict=True)))
        return output
