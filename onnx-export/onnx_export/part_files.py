"""The files of one part of a checkpoint, and how they become its module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn

from onnx_export.loading import load_diffusers
from onnx_export.weight_files import WeightFiles


class PartFiles(Protocol):
    """Where a part's weights and its configuration are."""

    @property
    def path(self) -> Path:
        """What messages name: a folder, or a file with all parts."""

    @property
    def config(self) -> Path:
        """The part's `config.json`."""

    def note(self) -> str:
        """Returns what is to be said of the files: nothing where they are the usual ones."""

    def used(self, part: str) -> dict[str, Path]:
        """Returns the files that are read, by the names that a digest takes them under."""

    def load(self, kind: type) -> nn.Module:
        """Returns one of diffusers' models in float32, with exactly the weights of the files."""


@dataclass(frozen=True)
class FolderPart:
    """A part in a folder of its own, as diffusers and transformers lay them out."""

    path: Path
    files: WeightFiles

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    def note(self) -> str:
        return self.files.note()

    def used(self, part: str) -> dict[str, Path]:
        return {f"{part}/{path.name}": path for path in (self.config, *self.files.used())}

    def load(self, kind: type) -> nn.Module:
        return load_diffusers(kind, self.path, self.files)
