"""LoRA files: low-rank changes of weights, added to a part's weights when it is loaded.

Each changed module has two factors, `down (rank, inputs)` and `up (outputs, rank)`, and its weight
becomes `W + scale * alpha / rank * up down`. Two layouts of names are common: kohya's
(`lora_unet_mid_block_..._to_q.lora_down.weight`) and diffusers'
(`unet.mid_block....to_q.lora_A.weight` and earlier forms). They differ in dots and underscores
only, once the ends are taken off.

**Source:** Hu et al. 2021, eq. 3 (arXiv:2106.09685).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from onnx_export.configs import listed
from onnx_export.distilled import refuse_distilled_name
from onnx_export.errors import CheckpointError, UsageError
from onnx_export.weights import read_state_dict

KOHYA = re.compile(r"lora_(?P<part>unet|te)_(?P<module>\w+)\.(?P<end>[\w.]+)")
DIFFUSERS = re.compile(
    r"(?P<part>unet|text_encoder)\.(?P<module>.+?)\."
    r"(?P<end>alpha|lora_[AB](\.default)?\.weight|lora(_linear_layer)?\.(down|up)\.weight)"
)
# As attention had them in a processor of its own.
PROCESSOR = re.compile(r"\.processor\.(to_\w+?)_lora\.(down|up)\.weight$")
PARTS = {"unet": "unet", "te": "text_encoder", "text_encoder": "text_encoder"}
DOWN = {"lora_down.weight", "lora_A.weight", "lora.down.weight", "lora_linear_layer.down.weight"}
UP = {"lora_up.weight", "lora_B.weight", "lora.up.weight", "lora_linear_layer.up.weight"}
OF_XL = ("lora_te1_", "lora_te2_", "text_encoder_2.")
# What a library calls a file of any LoRA.
USUAL_NAME = "pytorch_lora_weights"
TEXT_MODEL = "text_model_"


@dataclass(frozen=True)
class LoraFile:
    """A LoRA file and how much of it is added."""

    path: Path
    scale: float = 1.0

    def __str__(self) -> str:
        return f"{self.path.stem}:{self.scale:g}"

    @staticmethod
    def parse(text: str) -> LoraFile:
        """Returns what `FILE[:SCALE]` names; raises `UsageError` if the scale is no number."""
        file, colon, said = text.rpartition(":")
        if not colon or Path(text).exists():
            return LoraFile(Path(text))
        try:
            scale = float(said)
        except ValueError:
            scale = math.nan
        if not math.isfinite(scale) or not file:
            raise UsageError(f"--lora {text}: {said!r} is no scale, expected FILE or FILE:0.8")
        return LoraFile(Path(file), scale)


@dataclass(frozen=True)
class Factors:
    """The change of one module."""

    down: Tensor
    up: Tensor
    alpha: float | None

    def change_of(self, weight: Tensor) -> Tensor | None:
        """Returns what is added to a weight: none if the factors do not fit it."""
        down, up = self.down.float().flatten(1), self.up.float().flatten(1)
        rank = len(down)
        if (len(up), up.shape[1], down.shape[1]) != (len(weight), rank, weight[0].numel()):
            return None
        share = 1.0 if self.alpha is None else self.alpha / rank
        return (share * (up @ down)).reshape(weight.shape)


@dataclass(frozen=True)
class Lora:
    """A LoRA that was read: the changes of each part, by the modules' names without dots."""

    file: LoraFile
    parts: Mapping[str, Mapping[str, Factors]]

    @staticmethod
    def open(file: LoraFile) -> Lora:
        """Returns the LoRA in a file; raises `CheckpointError` if it is none that can be added."""
        path = file.path
        folder = [path.resolve().parent.name] if path.stem == USUAL_NAME else []
        refuse_distilled_name(path, *folder)
        pieces: dict[tuple[str, str], dict[str, Tensor]] = {}
        for part, module, end, tensor in pieces_of(path, read_state_dict(path)):
            pieces.setdefault((part, module), {})[end] = tensor
        parts: dict[str, dict[str, Factors]] = {}
        for (part, module), tensors in pieces.items():
            parts.setdefault(part, {})[module] = factors(path, module, tensors)
        return Lora(file, parts)

    def changes(self, part: str) -> bool:
        """Returns whether it changes a part."""
        return part in self.parts

    @torch.no_grad()
    def fuse(self, part: str, model: nn.Module) -> None:
        """Adds the changes to a part's weights; raises `CheckpointError` if they do not fit."""
        modules = {flat(name): (name, module) for name, module in model.named_modules()}
        changes = self.parts.get(part, {})
        if strange := sorted(set(changes) - set(modules)):
            raise CheckpointError(
                f"{self.file.path} changes {len(strange)} modules that the {part} does not have, "
                f"{strange[0]} among them: give a LoRA that was trained on this kind of model"
            )
        for flat_name, change in changes.items():
            name, module = modules[flat_name]
            weight = getattr(module, "weight", None)
            if not isinstance(module, nn.Linear | nn.Conv2d) or not isinstance(weight, Tensor):
                raise CheckpointError(
                    f"{self.file.path} changes {name}, which is a {type(module).__name__} in the "
                    f"{part}: give a LoRA that was trained on this kind of model"
                )
            added = change.change_of(weight)
            if added is None:
                raise CheckpointError(
                    f"{self.file.path} has factors of shapes {tuple(change.up.shape)} and "
                    f"{tuple(change.down.shape)} for {name}, whose weight is "
                    f"{tuple(weight.shape)}: give a LoRA that was trained on this kind of model"
                )
            weight.add_(self.file.scale * added)
            if not bool(weight.isfinite().all()):
                raise CheckpointError(
                    f"{self.file.path} times {self.file.scale:g} makes {name} infinite: give a "
                    "smaller scale"
                )

    def note(self) -> str:
        """Returns what is added."""
        counts = [
            f"{len(self.parts[part])} of the {part}"
            for part in ("unet", "text_encoder")
            if part in self.parts
        ]
        added = " and ".join(counts)
        return f"{self.file.path.name}: added to weights, {added}, times {self.file.scale:g}"


def flat(name: str) -> str:
    """Returns a module's name without dots, and without a wrapper that some releases have."""
    return name.replace(".", "_").removeprefix(TEXT_MODEL)


def pieces_of(path: Path, state: Mapping[str, Tensor]) -> Iterator[tuple[str, str, str, Tensor]]:
    """Gives part, module, what it is of it, and the tensor, of every tensor of a LoRA."""
    if ours := [key for key in state if key.startswith(OF_XL)]:
        raise CheckpointError(
            f"{path} is a LoRA of Stable Diffusion XL (it has {ours[0]}), and only Stable "
            "Diffusion 1.x and 2.x are supported"
        )
    strange = []
    for key, tensor in state.items():
        name = PROCESSOR.sub(r".\1.lora.\2.weight", key).replace(".to_out.lora", ".to_out.0.lora")
        match = KOHYA.fullmatch(name) or DIFFUSERS.fullmatch(name)
        end = "" if match is None else match["end"].replace(".default", "")
        if match is None or end not in DOWN | UP | {"alpha"}:
            strange.append(key)
            continue
        yield PARTS[match["part"]], flat(match["module"]), end, tensor
    if strange:
        raise CheckpointError(
            f"{path} has {listed(strange)}, which is no part of a LoRA in kohya's or diffusers' "
            "layout: give a plain LoRA (LoHa, LoKr and DoRA are not supported)"
        )


def factors(path: Path, module: str, tensors: Mapping[str, Tensor]) -> Factors:
    """Returns a module's factors, if both are there."""
    downs = [tensors[end] for end in sorted(DOWN) if end in tensors]
    ups = [tensors[end] for end in sorted(UP) if end in tensors]
    alphas = [tensors["alpha"]] if "alpha" in tensors else []
    if (
        len(downs) != 1
        or len(ups) != 1
        or any(tensor.ndim < 2 or tensor.numel() == 0 for tensor in downs + ups)
        or any(alpha.numel() != 1 for alpha in alphas)
    ):
        found = ", ".join(f"{end} {tuple(tensor.shape)}" for end, tensor in tensors.items())
        raise CheckpointError(
            f"{path} has {found} of {module}, expected two matrices, down and up, of one layout, "
            "and at most one alpha: download it again"
        )
    return Factors(downs[0], ups[0], float(alphas[0]) if alphas else None)
