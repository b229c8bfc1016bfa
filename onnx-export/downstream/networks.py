"""The networks that arms are trained with: published ones, and a small one for a CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from downstream.classes import NUM_CLASSES
from downstream.errors import ExperimentError
from onnx_export.errors import first_line, tells_of_memory
from onnx_export.write import files_sha256

UNET_WIDTH = 16


@dataclass(frozen=True)
class Network:
    """A kind of network: its recipe unless another is asked for, and how one is made.

    `make` takes the file or folder of weights to begin with. `backbone` is the part that they are
    mostly of, and whose learning rate is the recipe's own.
    """

    name: str
    recipe: str
    backbone: str
    make: Callable[[Path | None], nn.Module]
    smallest_batch: int = 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Goes to other processes by its name, for functions made in functions cannot."""
        return network_named, (self.name,)


class UNet(nn.Module):
    """A small U-Net: a stem at half the size, four levels, group norms."""

    def __init__(self, width: int = UNET_WIDTH) -> None:
        super().__init__()
        widths = [width, 2 * width, 3 * width, 4 * width]
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        inputs = [width, *widths[:-1]]
        self.down = nn.ModuleList(map(_block, inputs, widths))
        self.up = nn.ModuleList(_block(widths[at] + widths[at + 1], widths[at]) for at in range(3))
        self.head = nn.Conv2d(width, NUM_CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        kept = []
        for at, block in enumerate(self.down):
            x = block(x if at == 0 else functional.max_pool2d(x, 2, ceil_mode=True))
            kept.append(x)
        for at in (2, 1, 0):
            x = functional.interpolate(x, kept[at].shape[-2:])
            x = self.up[at](torch.cat([kept[at], x], 1))
        return self.head(x)


def _block(inputs: int, outputs: int) -> nn.Module:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False)]
        layers += [nn.GroupNorm(8, outputs), nn.SiLU()]
    return nn.Sequential(*layers)


class Hub(nn.Module):
    """A network whose answer holds the logits under a name, as published ones have it."""

    def __init__(self, network: nn.Module, answer: str) -> None:
        super().__init__()
        self.network, self.answer = network, answer

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)[self.answer]


def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    """Returns logits `(batch, 19, height, width)` at the size of the images."""
    logits: Tensor = network(images)
    size = images.shape[-2:]
    if logits.shape[-2:] != size:
        logits = functional.interpolate(logits, size, mode="bilinear", align_corners=False)
    return logits


SEGFORMER: dict[str, dict[str, Any]] = {
    "b0": {"hidden_sizes": [32, 64, 160, 256], "depths": [2, 2, 2, 2], "decoder": 256},
    "b1": {"hidden_sizes": [64, 128, 320, 512], "depths": [2, 2, 2, 2], "decoder": 256},
    "b2": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 6, 3], "decoder": 768},
    "b3": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 4, 18, 3], "decoder": 768},
    "b4": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 8, 27, 3], "decoder": 768},
    "b5": {"hidden_sizes": [64, 128, 320, 512], "depths": [3, 6, 40, 3], "decoder": 768},
}  # fmt: skip


def _segformer(variant: str) -> Callable[[Path | None], nn.Module]:
    def make(weights: Path | None) -> nn.Module:
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        shape = SEGFORMER[variant]
        if weights is None:
            config = SegformerConfig(
                num_labels=NUM_CLASSES,
                hidden_sizes=shape["hidden_sizes"],
                depths=shape["depths"],
                decoder_hidden_size=shape["decoder"],
            )
            return Hub(SegformerForSemanticSegmentation(config), "logits")
        if not (weights / "config.json").is_file():
            raise ExperimentError(
                f"{weights} has no config.json: expected a folder as `hf download "
                f"nvidia/mit-{variant} --local-dir {weights}` makes it"
            )
        try:
            config = SegformerConfig.from_pretrained(weights, num_labels=NUM_CLASSES)
            found = {key: getattr(config, key) for key in ("hidden_sizes", "depths")}
            if found != {key: shape[key] for key in found}:
                raise ExperimentError(
                    f"{weights} has the depths {found['depths']} and widths "
                    f"{found['hidden_sizes']}, which are not those of segformer-{variant}: "
                    "give its weights, or another --network"
                )
            network = SegformerForSemanticSegmentation.from_pretrained(
                weights, config=config, local_files_only=True, ignore_mismatched_sizes=True
            )
        except ExperimentError:
            raise
        except Exception as error:
            if tells_of_memory(error):
                raise
            raise ExperimentError(
                f"{weights} cannot be used ({first_line(error)}): download it again"
            ) from error
        return Hub(network, "logits")

    return make


def _torchvision(name: str) -> Callable[[Path | None], nn.Module]:
    def make(weights: Path | None) -> nn.Module:
        from torchvision.models import segmentation

        built = getattr(segmentation, name)
        network = built(weights=None, weights_backbone=None, num_classes=NUM_CLASSES)
        if weights is not None:
            _load(network, _weight_file(weights))
        return Hub(network, "out")

    return make


def _weight_file(weights: Path) -> Path:
    if weights.is_file():
        return weights
    found = sorted([*weights.glob("*.pth"), *weights.glob("*.safetensors")])
    if len(found) != 1:
        raise ExperimentError(
            f"{weights} has {len(found)} files of weights: expected one .pth or .safetensors, or "
            "the file itself"
        )
    return found[0]


def _load(network: nn.Module, path: Path) -> None:
    """Takes all weights that fit, of a whole network or of a classifier as its backbone."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if tells_of_memory(error):
            raise
        raise ExperimentError(
            f"{path} cannot be read as weights ({first_line(error)}): download it again"
        ) from error
    own = network.state_dict()
    taken: dict[str, Tensor] = {}
    for name, value in state.items():
        for there in (name, f"backbone.{name}", f"backbone.{name.removeprefix('features.')}"):
            if there in own and own[there].shape == value.shape:
                taken[there] = value
                break
    of_backbone = [name for name in own if name.startswith("backbone.")]
    missing = [name for name in of_backbone if name not in taken]
    if missing:
        raise ExperimentError(
            f"{path} lacks {len(missing)} of {len(of_backbone)} weights of the backbone, such as "
            f"{missing[0].removeprefix('backbone.')}: give those of "
            "torchvision's network of this name"
        )
    network.load_state_dict(taken, strict=False)


def _unet(weights: Path | None) -> nn.Module:
    if weights is not None:
        raise ExperimentError(f"--weights {weights}: the small U-Net has none, leave them out")
    return UNet()


NETWORKS = {
    network.name: network
    for network in (
        Network("unet", "small", "", _unet),
        *(
            Network(f"segformer-{of}", "daformer", "network.segformer.", _segformer(of))
            for of in SEGFORMER
        ),
        Network("deeplabv3-resnet50", "deeplab", "network.backbone.",
                _torchvision("deeplabv3_resnet50"), smallest_batch=2),
        Network("deeplabv3-resnet101", "deeplab", "network.backbone.",
                _torchvision("deeplabv3_resnet101"), smallest_batch=2),
        Network("deeplabv3-mobilenet", "deeplab", "network.backbone.",
                _torchvision("deeplabv3_mobilenet_v3_large"), smallest_batch=2),
        Network("lraspp", "deeplab", "network.backbone.",
                _torchvision("lraspp_mobilenet_v3_large"), smallest_batch=2),
    )
}  # fmt: skip


def network_named(name: str) -> Network:
    """Returns a network by its name."""
    return NETWORKS[name]


def build(network: Network, weights: Path | None, seed: int) -> nn.Module:
    """Returns a network to train: the seed decides of every weight that is not given."""
    if weights is not None and not weights.exists():
        raise ExperimentError(f"--weights {weights} is not there: download it before")
    torch.manual_seed(seed)
    return network.make(weights)


def digest_of_weights(weights: Path | None) -> str | None:
    """Returns the SHA-256 over the names and bytes of a file or folder of weights."""
    if weights is None:
        return None
    if not weights.is_dir():
        return files_sha256(weights.parent, [weights])
    # What a download leaves beside the files is not part of them.
    parts = (path for path in weights.rglob("*") if path.relative_to(weights).parts[0] != ".cache")
    return files_sha256(weights, (path for path in parts if path.is_file()))
