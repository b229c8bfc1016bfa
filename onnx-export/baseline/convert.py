"""One conversion, from files to files."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from baseline.denoise import Inverted, denoise
from baseline.inputs import LATENT_SCALE, read_image, read_labels
from baseline.inversion import invert
from baseline.network import Network
from baseline.noise import drawn_noise, read_noise
from baseline.schedule import Schedule
from baseline.settings import Settings
from baseline.times import Times
from baseline.trace import Trace
from onnx_export.errors import CheckpointError, UsageError

# The UNet halves a latent three times.
SIZE_MULTIPLE = 8 * LATENT_SCALE


@dataclass(frozen=True)
class Labelled:
    """An image file and its label map's."""

    image: Path
    label: Path


@dataclass(frozen=True)
class Job:
    """The files of a conversion; `size` is (width, height)."""

    model: Path
    content: Labelled
    style: Labelled
    out: Path
    size: tuple[int, int]
    seed: int = 42
    prompt_embedding: Path | None = None
    noise: Path | None = None
    trace: Path | None = None
    times: Path | None = None


def convert(job: Job, settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Writes the output, and the trace and times if they are asked for.

    Raises `UsageError`, `CheckpointError` or `OSError`.
    """
    refuse(job)
    times, trace = Times(), Trace()
    width, height = job.size
    shape = (settings.steps, 4, height // LATENT_SCALE, width // LATENT_SCALE)
    drawn = drawn_noise(job.seed, shape) if job.noise is None else read_noise(job.noise, shape)
    with times.part("load"):
        network = Network(job.model, job.prompt_embedding)
        schedule = Schedule(network.schedule_constants, settings.steps, settings.skip)

    def inverted(name: str, files: Labelled) -> Inverted:
        with times.part("prepare"):
            image, labels = read_image(files.image, job.size), read_labels(files.label, job.size)
        with times.part("encode"):
            latent = network.encode(image)
        say(f"inverting the {name}")
        with times.part(f"inversion_{name}", network):
            return Inverted(invert(network, schedule, latent, drawn[name]), labels)

    content, style = inverted("content", job.content), inverted("style", job.style)
    trace.inputs(schedule, content, style)
    say("denoising")
    with times.part("denoising", network):
        latent = denoise(network, schedule, content, style, settings, trace.step)
    with times.part("decode"):
        image = network.decode(latent)
    with times.part("store"):
        Image.fromarray(image).save(job.out, format="PNG")

    if job.trace is not None:
        trace.write(job.trace)
    if job.times is not None:
        about = {
            "width": width,
            "height": height,
            "steps": settings.steps,
            "skip": settings.skip,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        job.times.write_text(json.dumps({**about, **times.report()}, indent=2) + "\n")


def refuse(job: Job) -> None:
    """Raises before any work if the job cannot end well."""
    for name, length in zip(("width", "height"), job.size, strict=True):
        if length < SIZE_MULTIPLE or length % SIZE_MULTIPLE:
            raise UsageError(f"{name} ({length}) must be a multiple of {SIZE_MULTIPLE}")
    inputs = (job.content.image, job.content.label, job.style.image, job.style.label)
    for path in (*inputs, job.noise):
        if path is not None and not path.is_file():
            raise CheckpointError(f"{path} is not a file")
    for path in (job.out, job.trace, job.times):
        if path is not None and not path.parent.is_dir():
            raise CheckpointError(f"{path.parent} is not a folder: {path} cannot be written")
