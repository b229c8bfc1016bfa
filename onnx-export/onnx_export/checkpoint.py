"""A Stable Diffusion 1.x or 2.x checkpoint in diffusers' layout, checked for the method."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel

from onnx_export.configs import unet_settings, vae_settings
from onnx_export.contract import ScheduleConstants
from onnx_export.errors import CheckpointError
from onnx_export.files import is_named, names_in
from onnx_export.finite import refuse_not_finite
from onnx_export.loading import load_diffusers
from onnx_export.schedule import read_schedule
from onnx_export.weight_files import DIFFUSERS, WeightFiles, weight_files
from onnx_export.write import files_sha256

PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
CONFIGS = ("unet/config.json", "vae/config.json", "scheduler/scheduler_config.json")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder whose parts are there and whose schedule fits the method.

    Configurations and files have been looked at, weights have not been read.
    """

    folder: Path
    schedule: ScheduleConstants
    unet_settings: dict[str, Any]
    vae_settings: dict[str, Any]
    files: dict[str, WeightFiles] = field(repr=False)

    @staticmethod
    def open(folder: Path) -> Checkpoint:
        """Returns the checkpoint, or raises `CheckpointError` naming the file that is not right."""
        if not folder.is_dir():
            raise CheckpointError(f"{folder} is not a folder: give a diffusers checkpoint folder")
        for name in CONFIGS:
            if is_named(folder / name):
                continue
            part = (folder / name).parent
            near = part if part.is_dir() else folder
            raise CheckpointError(
                f"{folder / name} is missing, and {near} has {names_in(near)}: "
                "give a diffusers checkpoint with unet, vae and scheduler"
            )
        return Checkpoint(
            folder,
            schedule=read_schedule(folder / "scheduler/scheduler_config.json"),
            unet_settings=unet_settings(folder),
            vae_settings=vae_settings(folder),
            files={part: weight_files(folder / part, DIFFUSERS) for part in ("unet", "vae")},
        )

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
        said = ((part, files.note()) for part, files in self.files.items())
        return [f"{part}: {note}" for part, note in said if note]

    def unet(self) -> UNet2DConditionModel:
        """Returns the UNet in float32."""
        return self._load("unet", UNet2DConditionModel)

    def vae(self) -> AutoencoderKL:
        """Returns the VAE in float32."""
        return self._load("vae", AutoencoderKL)

    def sha256(self) -> str:
        """Returns a digest over the names and contents of the files of all parts, sorted."""
        files = [p for part in PARTS for p in (self.folder / part).rglob("*") if p.is_file()]
        return files_sha256(self.folder, files)

    def _load(self, part: str, kind: type) -> Any:
        folder = self.folder / part
        model = load_diffusers(kind, folder, self.files[part])
        refuse_not_finite(model.state_dict(), folder)
        return model
