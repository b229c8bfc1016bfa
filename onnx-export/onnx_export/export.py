"""One export, from a checkpoint to a model folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir
import torch
from torch import nn

from onnx_export.checkpoint import PARTS, Checkpoint
from onnx_export.contract import (
    FreeUEntry,
    LatentShape,
    ModelContract,
    Part,
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
TORCH_DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True)
class Settings:
    """What is exported and how; checked by `export`."""

    checkpoint: Path
    out: Path
    height: int
    width: int
    dtype: str = "fp32"
    weights: str = "fp32"
    freeu: FreeUScales | None = FREEU
    prompt: str = ""
    prompt_embedding: Path | None = None
    name: str | None = None
    force: bool = False


def export(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the model folder `settings.out`.

    Every part of the checkpoint is read and checked before anything is traced, and the graphs are
    held against the checkpoint before the folder gets its name. Raises `UsageError` or
    `CheckpointError`; then `settings.out` is as it was.
    """
    refuse_overlap(settings.out, settings.checkpoint, PARTS)
    refuse_existing(settings.out, ModelContract.FILE, settings.force)
    checkpoint = Checkpoint.open(settings.checkpoint)
    latent = latent_size(settings, checkpoint.num_levels)
    prompt = prompt_of(settings, checkpoint)
    vae, unet = checkpoint.vae(), checkpoint.unet()
    notes = [*checkpoint.notes(), *prompt.notes, *half_notes(settings, checkpoint, unet, vae)]
    if settings.dtype == "fp16":
        refuse_prompt_beyond_half(prompt)
    exported_unet = ExportedUnet(unet, latent, settings.freeu)
    given = probe(settings.height, settings.width, prompt.embedding, checkpoint.schedule)
    wanted = expected(given, exported_unet, vae, half=settings.dtype == "fp16")
    for line in (str(prompt), *notes, *wanted.notes):
        say(line)

    with whole_folder(settings.out, ModelContract.FILE, settings.force) as folder:
        source, embedding = source_of(settings, checkpoint), write_prompt(folder, prompt)
        say("tracing the VAE")
        image = Input("image", torch.zeros(2, 3, settings.height, settings.width), True)
        sample = torch.zeros(2, 4, latent.height, latent.width)
        encoder = traced(settings, VaeEncoder(vae), [image], "latent")
        decoder = traced(settings, VaeDecoder(vae), [Input("latent", sample, True)], "image")
        vae_encoder = save(settings, folder, "vae_encoder", encoder)
        vae_decoder = save(settings, folder, "vae_decoder", decoder)

        say("tracing the UNet")
        mark_injected_layers(unet)
        inputs = [
            Input("sample", sample, True),
            Input("timestep", torch.tensor([981]), False),
            Input("prompt_embedding", torch.from_numpy(prompt.embedding), False),
        ]
        model = traced(settings, exported_unet, inputs, "noise_pred")
        segments = tuple(
            SegmentEntry(
                part=save(settings, folder, f"unet/segment_{i}", each.model), layer=each.layer
            )
            for i, each in enumerate(cut_at_markers(model))
        )
        contract = ModelContract(
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


def half_notes(
    settings: Settings, checkpoint: Checkpoint, unet: nn.Module, vae: nn.Module
) -> list[str]:
    """Returns what half precision loses of the weights, if they are stored in it.

    Raises `CheckpointError` if it cannot hold them.
    """
    if "fp16" not in (settings.dtype, settings.weights):
        return []
    matrices_only = settings.dtype == "fp32"
    notes = []
    for part, module, advice in (("vae", vae, OTHER_VAE), ("unet", unet, SINGLE)):
        path = checkpoint.folder / part
        lost = refuse_beyond_half(module.state_dict(), path, matrices_only, advice).note()
        notes += [f"{part}: {lost}"] if lost else []
    return notes


def prompt_of(settings: Settings, checkpoint: Checkpoint) -> Prompt:
    width = checkpoint.prompt_width
    if settings.prompt_embedding is None:
        return encode_prompt(checkpoint, settings.prompt, width)
    return read_prompt(settings.prompt_embedding, width)


def traced(settings: Settings, module: nn.Module, inputs: Sequence[Input], output: str) -> ir.Model:
    """Returns the module's graph, computing in the precision that `settings` ask for."""
    dtype = TORCH_DTYPES[settings.dtype]
    return trace(simplify(module).to(dtype), [i.to(dtype) for i in inputs], output)


def save(settings: Settings, folder: Path, name: str, model: ir.Model) -> Part:
    """Writes a graph with its weights as `settings` ask for, and returns its entry."""
    if (settings.dtype, settings.weights) == ("fp32", "fp16"):
        store_weights_as_fp16(model)
    refuse_constants(model, name)
    return write_graph(folder, name, model)


def source_of(settings: Settings, checkpoint: Checkpoint) -> Source:
    name = settings.name or checkpoint.folder.resolve().name
    return Source(name, checkpoint.sha256())


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
