"""A Stable Diffusion 1.x or 2.x checkpoint, as a folder or in one file, checked for the method."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from onnx_export.configs import unet_settings, vae_settings
from onnx_export.contract import ScheduleConstants
from onnx_export.errors import CheckpointError, UsageError
from onnx_export.files import is_named, names_in
from onnx_export.finite import refuse_not_finite
from onnx_export.lora import Lora, LoraFile
from onnx_export.part_files import FolderPart, PartFiles
from onnx_export.schedule import read_schedule
from onnx_export.single_file import FilePart, SingleFile
from onnx_export.tokenizer import tokenizer_files
from onnx_export.weight_files import DIFFUSERS, TRANSFORMERS, weight_files
from onnx_export.write import named_sha256

PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
SCHEDULE = "scheduler/scheduler_config.json"


@dataclass(frozen=True)
class Choices:
    """What takes the place of a checkpoint's own, or is added to it.

    `config` is a folder with the configurations of a checkpoint in one file, `vae` the folder of
    another VAE.
    """

    config: Path | None = None
    vae: Path | None = None
    prediction_type: str | None = None
    loras: tuple[LoraFile, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose parts are there and whose schedule fits the method.

    `path` is its folder or file, `configs` the folder that its configurations are in. These and
    files have been looked at, weights of the parts have not been read.
    """

    path: Path
    configs: Path
    schedule: ScheduleConstants
    unet_settings: dict[str, Any]
    parts: dict[str, PartFiles] = field(repr=False)
    loras: tuple[Lora, ...] = field(repr=False)
    is_single_file: bool

    @staticmethod
    def open(path: Path, choices: Choices | None = None) -> Checkpoint:
        """Returns the checkpoint, or raises `CheckpointError` naming the file that is not right."""
        choices = choices or Choices()
        parts: dict[str, PartFiles]
        if path.is_file():
            single = SingleFile.open(path, choices.config, has_vae=choices.vae is not None)
            configs, parts = single.configs, {"unet": single.part("unet")}
            vae = single.part("vae") if choices.vae is None else other_vae(choices.vae)
            prediction_type = single.prediction_type(choices.prediction_type)
        else:
            refuse_other_than_folder(path, choices)
            configs, prediction_type = path, choices.prediction_type
            parts = {"unet": folder_part(path / "unet")}
            vae = folder_part(path / "vae") if choices.vae is None else other_vae(choices.vae)
        vae_settings(vae.config)
        return Checkpoint(
            path,
            configs,
            schedule=read_schedule(configs / SCHEDULE, prediction_type),
            unet_settings=unet_settings(parts["unet"].config),
            parts=parts | {"vae": vae},
            loras=tuple(Lora.open(file) for file in choices.loras),
            is_single_file=path.is_file(),
        )

    @property
    def name(self) -> str:
        """What it is called in a contract: by its file or folder, and what was added to it."""
        own = self.path.stem if self.is_single_file else self.path.resolve().name
        return "+".join([own, *(str(lora.file) for lora in self.loras)])

    @property
    def prompt_width(self) -> int:
        """The width of the prompt embeddings that the UNet takes."""
        return self.unet_settings["cross_attention_dim"]

    @property
    def num_levels(self) -> int:
        """How many sizes the UNet works in, each half of the one before."""
        return len(self.unet_settings["block_out_channels"])

    def notes(self) -> list[str]:
        """Returns what is to be said of the files that the weights are read from."""
        said = ((part, files.note()) for part, files in self.parts.items())
        return [f"{part}: {note}" for part, note in said if note]

    def unet(self) -> UNet2DConditionModel:
        """Returns the UNet in float32, with what LoRA files change of it."""
        return self._load("unet", UNet2DConditionModel)

    def vae(self) -> AutoencoderKL:
        """Returns the VAE in float32."""
        return self._load("vae", AutoencoderKL)

    def text_files(self) -> PartFiles:
        """Returns the text encoder's files, which nothing has looked at before."""
        if self.is_single_file:
            return FilePart(self.path, "text_encoder", self.configs)
        folder = self.configs / "text_encoder"
        return FolderPart(folder, weight_files(folder, TRANSFORMERS))

    def fuse(self, part: str, module: nn.Module) -> None:
        """Adds what LoRA files change of a part."""
        for lora in self.loras:
            lora.fuse(part, module)

    def sha256(self, with_text: bool = True) -> str:
        """Returns a digest over the names and contents of the files that an export is made from.

        Those of the text encoder count if it makes the prompt's embedding.
        """
        used = {SCHEDULE: self.configs / SCHEDULE}
        for part, files in self.parts.items():
            used |= files.used(part)
        if with_text:
            used |= self.text_files().used("text_encoder")
            tokenizer = tokenizer_files(self.configs / "tokenizer")
            used |= {f"tokenizer/{path.name}": path for path in tokenizer}
        for number, lora in enumerate(self.loras):
            used[f"lora/{number}/{lora.file.scale!r}"] = lora.file.path
        return named_sha256(used)

    def _load(self, part: str, kind: type) -> Any:
        files = self.parts[part]
        model = files.load(kind)
        refuse_not_finite(model.state_dict(), files.path)
        self.fuse(part, model)
        return model


def folder_part(folder: Path) -> FolderPart:
    """Returns a part in diffusers' layout, of which the weights are there."""
    return FolderPart(folder, weight_files(folder, DIFFUSERS))


def other_vae(folder: Path) -> FolderPart:
    """Returns the VAE in a folder of its own, or that of the checkpoint in it."""
    if is_named(folder / "vae/config.json"):
        folder = folder / "vae"
    if not is_named(folder / "config.json"):
        raise CheckpointError(
            f"{folder} has no config.json, it has {names_in(folder)}: give --vae the folder of a "
            "VAE in diffusers' layout, with its config.json and weights"
        )
    return folder_part(folder)


def refuse_other_than_folder(path: Path, choices: Choices) -> None:
    """Raises unless there is a folder with configurations of all that is needed of it."""
    if not path.is_dir():
        raise CheckpointError(
            f"{path} is not a folder: give a diffusers checkpoint folder, or a checkpoint in one "
            ".safetensors file"
        )
    if choices.config is not None:
        raise UsageError(f"--config is for a checkpoint in one file, and {path} is a folder")
    own_vae = ("vae/config.json",) if choices.vae is None else ()
    for name in ("unet/config.json", *own_vae, SCHEDULE):
        if is_named(path / name):
            continue
        part = (path / name).parent
        near = part if part.is_dir() else path
        raise CheckpointError(
            f"{path / name} is missing, and {near} has {names_in(near)}: "
            "give a diffusers checkpoint with unet, vae and scheduler"
        )
