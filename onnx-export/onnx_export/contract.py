"""What crosses to the worker: `model.json`, and a contract of each network beside it.

A field is a key, in the order in which keys are written; a `FLATTENED` field gives those of its own
fields instead, and an `IF_GIVEN` field is left out where it is none. `shared/schemas` says the
same in JSON Schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar

from onnx_export import __version__
from onnx_export.freeu import FreeUScales

FORMAT_VERSION = 1
PRODUCER = f"onnx_export {__version__}"
FLATTENED = {"flattened": True}
IF_GIVEN = {"if_given": True}


@dataclass(frozen=True)
class Source:
    """What a network was made from."""

    name: str
    sha256: str


@dataclass(frozen=True)
class StoredFile:
    """A file of the folder, relative to it."""

    file: str
    sha256: str


@dataclass(frozen=True)
class TensorEntry:
    """An input or output of a graph; a dimension is a number, or a name where it is free."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A graph, with its weights in `data` if it has any."""

    graph: StoredFile = field(metadata=FLATTENED)
    data: StoredFile | None
    inputs: tuple[TensorEntry, ...]
    outputs: tuple[TensorEntry, ...]

    def output_names(self) -> list[str]:
        return [output.name for output in self.outputs]


@dataclass(frozen=True)
class InjectedLayer:
    """An injected self-attention, with the names of its tensors.

    `input` is what query, key and value are projected from, of layers with a token for each
    position of the latent.
    """

    name: str
    tokens: int
    heads: int
    head_width: int
    query: str
    key: str
    value: str
    input: str | None
    output: str


@dataclass(frozen=True, kw_only=True)
class SegmentEntry:
    """A part of the UNet and the layer that follows it (none after the last)."""

    part: Part = field(metadata=FLATTENED)
    layer: InjectedLayer | None


@dataclass(frozen=True)
class Precision:
    """What a part computes in, and what its weights are stored in: `fp32` or `fp16`."""

    dtype: str
    weights: str


@dataclass(frozen=True)
class LatentShape:
    """The size of a latent."""

    channels: int
    width: int
    height: int


@dataclass(frozen=True)
class ScheduleConstants:
    """The noise schedule, in diffusers' words."""

    num_train_timesteps: int
    beta_start: float
    beta_end: float
    beta_schedule: str
    steps_offset: int
    set_alpha_to_one: bool
    timestep_spacing: str
    prediction_type: str


@dataclass(frozen=True)
class FreeUEntry:
    """The FreeU in the graphs."""

    kind: str
    scales: FreeUScales = field(metadata=FLATTENED)


@dataclass(frozen=True)
class PromptEntry:
    """The prompt's embedding, `(1, tokens, width)`; no text if it came from a file."""

    text: str | None
    tokens: int
    width: int
    embedding: StoredFile = field(metadata=FLATTENED)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What every contract begins with."""

    FILE: ClassVar[str]

    format_version: int = FORMAT_VERSION
    producer: str = PRODUCER

    def to_json(self) -> str:
        """Returns the text of the contract's file."""
        return json.dumps(as_json(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def write(self, folder: Path) -> None:
        (folder / self.FILE).write_text(self.to_json(), encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class ModelContract(Contract):
    """An exported checkpoint: `shared/schemas/model.schema.json`."""

    FILE = "model.json"

    # Of version 1, layers hand over no input; a precision of the VAE's own makes version 3, and
    # what has none is still read by programs that know no such model.
    format_version: int = 2
    WITH_VAE_PRECISION: ClassVar[int] = 3

    source: Source
    width: int
    height: int
    latent: LatentShape
    dtype: str
    weights: str
    vae: Precision | None = field(default=None, metadata=IF_GIVEN)
    vae_scale: float
    schedule: ScheduleConstants
    freeu: FreeUEntry | None
    prompt: PromptEntry
    vae_encoder: Part
    vae_decoder: Part
    segments: tuple[SegmentEntry, ...]

    @property
    def vae_precision(self) -> Precision:
        """What the VAE computes in, and what its weights are stored in."""
        return self.vae or Precision(self.dtype, self.weights)


@dataclass(frozen=True)
class Resize:
    """The size that images are resized to inside the graph, without antialiasing."""

    width: int
    height: int
    filter: str


@dataclass(frozen=True, kw_only=True)
class NetworkContract(Contract):
    """A network that judges images: `shared/schemas/network.schema.json`."""

    name: str
    source: Source


@dataclass(frozen=True, kw_only=True)
class FeaturesContract(NetworkContract):
    """A network of features. Figures may be held against published FID if `published_fid`."""

    FILE = "features.json"

    published_fid: bool
    resize: Resize | None
    num_features: int
    part: Part = field(metadata=FLATTENED)


@dataclass(frozen=True, kw_only=True)
class PerceptualContract(NetworkContract):
    """An LPIPS. Distances may be held against published ones if `published_lpips`."""

    FILE = "perceptual.json"

    published_lpips: bool
    resize: Resize | None
    part: Part = field(metadata=FLATTENED)


@dataclass(frozen=True, kw_only=True)
class PriorContract(NetworkContract):
    """A network whose features tell classes: those of each patch, row by row, of one size."""

    FILE = "prior.json"

    num_features: int
    part: Part = field(metadata=FLATTENED)


@dataclass(frozen=True)
class SegmenterClass:
    """A class of a segmenter, and the train id of Cityscapes that it stands for, if for one."""

    name: str
    train_id: int | None


@dataclass(frozen=True)
class Normalisation:
    """What the graph takes from the channels of images in 0..1, and divides them by."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class SegmenterContract(NetworkContract):
    """A semantic segmentation; its predictions are indices of `classes`."""

    FILE = "segmenter.json"

    resize: Resize | None
    normalisation: Normalisation
    classes: tuple[SegmenterClass, ...]
    part: Part = field(metadata=FLATTENED)


@dataclass(frozen=True)
class Translation:
    """What a translator's numbers mean.

    Images that it takes have `input_range`, those that it gives `output_range`: the values of black
    and of white. A pixel whose class is not known is `zeros` in all channels of a label, or has the
    `channel` after those of the classes; none of a translator that takes no label.
    """

    input_range: tuple[float, float]
    output_range: tuple[float, float]
    unknown: str | None


@dataclass(frozen=True, kw_only=True)
class TranslatorContract(NetworkContract):
    """A network from images to images, which converts without a diffusion model."""

    FILE = "translator.json"

    translation: Translation
    part: Part = field(metadata=FLATTENED)


def as_json(value: object) -> Any:
    """Returns a part of a contract as what `json` writes."""
    if is_dataclass(value):
        entries: dict[str, Any] = {}
        for each in fields(value):
            if each.metadata == IF_GIVEN and getattr(value, each.name) is None:
                continue
            inner = as_json(getattr(value, each.name))
            entries |= inner if each.metadata == FLATTENED else {each.name: inner}
        return entries
    return [as_json(each) for each in value] if isinstance(value, tuple) else value
