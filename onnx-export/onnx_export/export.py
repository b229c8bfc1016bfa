"""One export, from a checkpoint to a model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from torch import nn

from onnx_export.checkpoint import PARTS, Checkpoint, Choices
from onnx_export.contract import (
    FreeUEntry,
    LatentShape,
    ModelContract,
    Part,
    Precision,
    PromptEntry,
    SegmentEntry,
    Source,
)
from onnx_export.cut import cut_at_markers
from onnx_export.errors import UsageError
from onnx_export.finite import SINGLE, refuse_beyond_half, refuse_constants
from onnx_export.freeu import FreeUScales
from onnx_export.precision import store_weights_as_fp16
from onnx_export.prompt import Prompt, encode_prompt, read_prompt, refuse_prompt_beyond_half
from onnx_export.simplify import simplify
from onnx_export.trace import Input, trace
from onnx_export.unet import ExportedUnet, LatentSize, mark_injected_layers
from onnx_export.vae import VaeDecoder, VaeEncoder
from onnx_export.verify import OTHER_VAE, expected, probe, verify
from onnx_export.write import (
    refuse_existing,
    refuse_overlap,
    whole_folder,
    write_array,
    write_graph,
)

VAE_SCALE_FACTOR = 8
FREEU = FreeUScales()
NO_CHOICES = Choices()
TORCH_DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True)
class Settings:
    """What is exported and how; checked by `export`.

    The VAE computes and is stored as the UNet unless `vae_precision` says otherwise.
    """

    checkpoint: Path
    out: Path
    height: int
    width: int
    dtype: str = "fp32"
    weights: str = "fp32"
    vae_precision: Precision | None = None
    choices: Choices = NO_CHOICES
    freeu: FreeUScales | None = FREEU
    prompt: str = ""
    prompt_embedding: Path | None = None
    name: str | None = None
    force: bool = False

    def precision_of(self, part: str) -> Precision:
        """Returns what `unet` or `vae` computes in, and what its weights are stored in."""
        if part == "vae" and self.vae_precision is not None:
            return self.vae_precision
        return Precision(self.dtype, self.weights)

    def half_parts(self) -> tuple[str, ...]:
        """Returns the parts that compute in half precision."""
        return tuple(p for p in ("unet", "vae") if self.precision_of(p).dtype == "fp16")


def export(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the model folder `settings.out`.

    Every part of the checkpoint is read and checked before anything is traced, and the graphs are
    held against the checkpoint before the folder gets its name. Raises `UsageError` or
    `CheckpointError`; then `settings.out` is as it was.
    """
    refuse_overlap(settings.out, settings.checkpoint, PARTS)
    choices = settings.choices
    for used in (choices.vae, choices.config, *(lora.path for lora in choices.loras)):
        if used is not None:
            refuse_overlap(settings.out, used, PARTS)
    refuse_existing(settings.out, ModelContract.FILE, settings.force)
    checkpoint = Checkpoint.open(settings.checkpoint, choices)
    latent = latent_size(settings, checkpoint.num_levels)
    prompt = prompt_of(settings, checkpoint)
    vae, unet = checkpoint.vae(), checkpoint.unet()
    notes = [
        *checkpoint.notes(),
        *lora_notes(checkpoint, prompt),
        *prompt.notes,
        *half_notes(settings, checkpoint, {"vae": vae, "unet": unet}),
    ]
    if settings.dtype == "fp16":
        refuse_prompt_beyond_half(prompt)
    exported_unet = ExportedUnet(unet, latent, settings.freeu)
    given = probe(settings.height, settings.width, prompt.embedding, checkpoint.schedule)
    wanted = expected(given, exported_unet, vae, settings.half_parts())
    for line in (str(prompt), *notes, *wanted.notes):
        say(line)

    with whole_folder(settings.out, ModelContract.FILE, settings.force) as folder:
        source, embedding = source_of(settings, checkpoint, prompt), write_prompt(folder, prompt)
        say("tracing the VAE")
        image = Input("image", torch.zeros(2, 3, settings.height, settings.width), True)
        sample = torch.zeros(2, 4, latent.height, latent.width)
        precision = settings.precision_of("vae")
        encoder = traced(precision, VaeEncoder(vae), [image], "latent")
        decoder = traced(precision, VaeDecoder(vae), [Input("latent", sample, True)], "image")
        vae_encoder = save(precision, folder, "vae_encoder", encoder)
        vae_decoder = save(precision, folder, "vae_decoder", decoder)

        say("tracing the UNet")
        mark_injected_layers(unet)
        inputs = [
            Input("sample", sample, True),
            Input("timestep", torch.tensor([981]), False),
            Input("prompt_embedding", torch.from_numpy(prompt.embedding), False),
        ]
        precision = settings.precision_of("unet")
        model = traced(precision, exported_unet, inputs, "noise_pred")
        segments = tuple(
            SegmentEntry(
                part=save(precision, folder, f"unet/segment_{i}", each.model), layer=each.layer
            )
            for i, each in enumerate(cut_at_markers(model))
        )
        contract = ModelContract(
            **vae_entry(settings),
            source=source,
            width=settings.width,
            height=settings.height,
            latent=LatentShape(channels=4, width=latent.width, height=latent.height),
            dtype=settings.dtype,
            weights=settings.weights,
            vae_scale=vae.config.scaling_factor,
            schedule=checkpoint.schedule,
            freeu=None if settings.freeu is None else FreeUEntry("cross-image", settings.freeu),
            prompt=embedding,
            vae_encoder=vae_encoder,
            vae_decoder=vae_decoder,
            segments=segments,
        )
        say("holding the graphs against the checkpoint")
        verify(folder, contract, wanted)
        contract.write(folder)
        say(f"wrote {len(segments)} segments of the UNet")


def vae_entry(settings: Settings) -> dict[str, Any]:
    """Returns what a contract says of a VAE whose precision is not the UNet's: else nothing."""
    precision = settings.precision_of("vae")
    if precision == settings.precision_of("unet"):
        return {}
    return {"format_version": ModelContract.WITH_VAE_PRECISION, "vae": precision}


def lora_notes(checkpoint: Checkpoint, prompt: Prompt) -> list[str]:
    """Returns what LoRA files change, and what they would have changed of another prompt."""
    notes = [lora.note() for lora in checkpoint.loras]
    if prompt.tokens is None:
        notes += [
            f"{lora.file.path.name}: its part of the text encoder is not used, for the prompt is "
            "an embedding from a file"
            for lora in checkpoint.loras
            if lora.changes("text_encoder")
        ]
    return notes


def half_notes(
    settings: Settings, checkpoint: Checkpoint, modules: Mapping[str, nn.Module]
) -> list[str]:
    """Returns what half precision loses of the parts' weights that are stored in it.

    Raises `CheckpointError` if it cannot hold them.
    """
    notes = []
    for part, module in modules.items():
        precision = settings.precision_of(part)
        if "fp16" not in (precision.dtype, precision.weights):
            continue
        matrices_only = precision.dtype == "fp32"
        path, advice = checkpoint.parts[part].path, OTHER_VAE if part == "vae" else SINGLE
        lost = refuse_beyond_half(module.state_dict(), path, matrices_only, advice).note()
        notes += [f"{part}: {lost}"] if lost else []
    return notes


def prompt_of(settings: Settings, checkpoint: Checkpoint) -> Prompt:
    width = checkpoint.prompt_width
    if settings.prompt_embedding is None:
        return encode_prompt(checkpoint, settings.prompt, width)
    return read_prompt(settings.prompt_embedding, width)


def traced(
    precision: Precision, module: nn.Module, inputs: Sequence[Input], output: str
) -> ir.Model:
    """Returns the module's graph, computing in a precision."""
    dtype = TORCH_DTYPES[precision.dtype]
    return trace(simplify(module).to(dtype), [i.to(dtype) for i in inputs], output)


def save(precision: Precision, folder: Path, name: str, model: ir.Model) -> Part:
    """Writes a graph with its weights in a precision, and returns its entry."""
    if precision == Precision("fp32", "fp16"):
        store_weights_as_fp16(model)
    refuse_constants(model, name)
    return write_graph(folder, name, model)


def source_of(settings: Settings, checkpoint: Checkpoint, prompt: Prompt) -> Source:
    sha256 = checkpoint.sha256(with_text=prompt.tokens is not None)
    return Source(settings.name or checkpoint.name, sha256)


def write_prompt(folder: Path, prompt: Prompt) -> PromptEntry:
    _, tokens, width = prompt.embedding.shape
    file = write_array(folder, "prompt_embedding.npy", prompt.embedding)
    return PromptEntry(prompt.text, tokens, width, file)


def latent_size(settings: Settings, levels: int) -> LatentSize:
    """Returns the latent's size, if the image's size can be halved all the way down."""
    multiple = VAE_SCALE_FACTOR << (levels - 1)
    for option, size in (("--height", settings.height), ("--width", settings.width)):
        if size < multiple or size % multiple != 0:
            raise UsageError(f"{option} {size} is not a multiple of {multiple}, as this UNet needs")
    return LatentSize(settings.height // VAE_SCALE_FACTOR, settings.width // VAE_SCALE_FACTOR)
