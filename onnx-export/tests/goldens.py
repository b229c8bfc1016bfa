"""Goldens of what the authors' have not: heads of Stable Diffusion's widths, and velocities.

    python -m tests.goldens     writes ../tests/fixtures/golden-heads and golden-velocity

**Heads.** The kernels that a GPU computes attention with are chosen by the width of heads, the
number of tokens and the precision. Heads of 4 and 8, as those of the authors' goldens, have none of
those that Stable Diffusion has. Here the full resolution has two heads of 40, as 1.x has, and the
half one a head of 64, as 2.x has; an image of 384x192 gives it 288 tokens, since from 256 on ONNX
Runtime takes other kernels in float32, too. Weights are drawn from a seed and rounded to multiples
of a power of two, matrices to -1, 0 and 1 of them. So half precision has all of them exactly, and
they pack into an eighth of their bytes.

**Velocities.** The authors' golden model, taken for one that predicts velocities: every formula of
the schedule is a call of diffusers' own scheduler.

Trajectories are walked by `baseline`, which gives the authors' latents on their goldens.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file, save_file

from baseline.attention import OUTPUT
from baseline.checkpoint import PROMPT, WIDTHS, Width, write_checkpoint
from baseline.denoise import Inverted, StepRecord, denoise
from baseline.inputs import read_image, read_labels
from baseline.inversion import invert
from baseline.network import Network
from baseline.schedule import Schedule
from baseline.settings import METHODS, Settings, Steps
from onnx_export.export import Settings as ExportSettings
from onnx_export.export import export

FIXTURES = Path(__file__).parents[2] / "tests/fixtures"
INPUTS = FIXTURES / "golden/inputs"
HEADS, VELOCITY = FIXTURES / "golden-heads", FIXTURES / "golden-velocity"
PRECISIONS = ("fp32", "fp16")

TWO_LEVELS = Width(
    unet={
        "block_out_channels": (80, 64),
        "down_block_types": ("DownBlock2D", "DownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 8,
        # By diffusers' name widths, in truth numbers of heads.
        "attention_head_dim": (2, 1),
        "cross_attention_dim": 16,
    },
    vae={
        "block_out_channels": (8, 8, 8, 8),
        "layers_per_block": 1,
        "norm_num_groups": 4,
    },
    prediction_scale=1.0,
    seed=40,
)


@dataclass(frozen=True)
class Recipe:
    """How a golden is converted; ranges of steps are `first,end`."""

    method: str
    size: tuple[int, int]
    steps: int
    skip: int
    injected_steps: str
    class_adain_steps: str

    def settings(self) -> Settings:
        """Returns what the conversion is told."""
        return Settings(
            method=METHODS[self.method],
            steps=self.steps,
            skip=self.skip,
            injected_steps=Steps.parse(self.injected_steps.replace(",", "..")),
            class_adain_steps=Steps.parse(self.class_adain_steps.replace(",", "..")),
        )

    def meta(self) -> dict[str, Any]:
        """Returns the settings in the words of the authors' goldens."""
        settings, (width, height) = self.settings(), self.size
        return {
            "method": {
                "filtering": settings.method.filtering,
                "class_adain": settings.method.class_adain,
                "cross_image_attention": settings.method.injection,
            },
            "preset": "released-code",
            "steps": self.steps,
            "skip": self.skip,
            "injected_steps": self.injected_steps,
            "class_adain_steps": self.class_adain_steps,
            "filter_fraction": settings.filter_fraction,
            "contrast_strength": settings.contrast_strength,
            "height": height,
            "width": width,
            "content_image": "00001.png",
            "content_label": "00001_label.png",
            "style_image": "night_000001_rgb_anon.png",
            "style_label": "night_000001_gt_labelColor.png",
        }


HEADS_SIZE = (384, 192)
OF_HEADS = {
    method: Recipe(method, HEADS_SIZE, 3, 1, injected_steps="0,2", class_adain_steps="1,2")
    for method in ("cacti", "cactif")
}
OF_VELOCITIES = Recipe("cactif", (256, 128), 6, 2, injected_steps="1,4", class_adain_steps="0,2")


class DiffusersSchedule(Schedule):
    """The schedule whose formulas are calls of diffusers' scheduler."""

    def __init__(self, constants: dict[str, Any], steps: int, skip: int) -> None:
        super().__init__(constants, steps, skip)
        self.scheduler = DDIMScheduler.from_config({**constants, "clip_sample": False})
        self.scheduler.set_timesteps(steps)
        assert torch.equal(self.timesteps, self.scheduler.timesteps)

    def noised(self, latent: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        return self.scheduler.add_noise(latent, noise, self.timesteps[index])

    def mean(self, x: torch.Tensor, noise_pred: torch.Tensor, index: int) -> torch.Tensor:
        return self._step(x, noise_pred, index, torch.zeros_like(x))

    def sigma(self, index: int) -> torch.Tensor:
        zero, one = torch.zeros(1), torch.ones(1)
        return self._step(zero, zero, index, one)[0]

    def _step(
        self, x: torch.Tensor, predicted: torch.Tensor, index: int, noise: torch.Tensor
    ) -> torch.Tensor:
        step = self.scheduler.step
        return step(predicted, self.timesteps[index], x, eta=1.0, variance_noise=noise).prev_sample


def write_heads_checkpoint(folder: Path) -> None:
    """Writes the checkpoint with heads of 40 and 64."""
    write_checkpoint(folder, TWO_LEVELS, TWO_LEVELS.seed)
    for weights in folder.glob("*/*.safetensors"):
        save_file({name: packed(t) for name, t in load_file(weights).items()}, weights)
    prompt = np.load(folder / PROMPT)
    np.save(folder / PROMPT, prompt.astype(np.float16).astype(np.float32))


def packed(weights: torch.Tensor) -> torch.Tensor:
    """Returns the weights, matrices rounded to three values and vectors to half precision."""
    if weights.ndim < 2:
        return weights.half().float()
    step = 2.0 ** torch.log2(1.25 * weights.abs().max()).round()
    return (weights / step).round().clamp(-1, 1) * step


def write_velocity_checkpoint(folder: Path) -> None:
    """Writes the authors' golden model, taken for one that predicts velocities."""
    write_checkpoint(folder, WIDTHS["golden"], WIDTHS["golden"].seed)
    path = folder / "scheduler/scheduler_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "prediction_type": "v_prediction"}))


def converted(
    network: Network, make_schedule: Callable[..., Schedule], recipe: Recipe
) -> dict[str, np.ndarray]:
    """Returns the arrays of a golden."""
    settings, meta, (width, height) = recipe.settings(), recipe.meta(), recipe.size
    schedule = make_schedule(network.schedule_constants, settings.steps, settings.skip)
    arrays = {"timesteps": schedule.timesteps.numpy()}
    generator = torch.Generator().manual_seed(11)
    inverted = {}
    for name in ("content", "style"):
        image = read_image(INPUTS / meta[f"{name}_image"], recipe.size)
        labels = read_labels(INPUTS / meta[f"{name}_label"], recipe.size)
        latent = network.encode(image)
        shape = (settings.steps, 4, height // 8, width // 8)
        # Half precision packs better.
        noise = torch.randn(shape, generator=generator).half().float()
        inverted[name] = Inverted(invert(network, schedule, latent, noise), labels)
        arrays[f"noise_{name}"] = noise.numpy()
        arrays[f"latent_{name}"] = latent[None].numpy()
        arrays[f"label_{name}"], arrays[f"label_{name}_latent"] = labels.image, labels.latent

    def watch(record: StepRecord) -> None:
        arrays[f"step{record.step}_latents"] = record.latents[OUTPUT].numpy()

    last = denoise(network, schedule, inverted["content"], inverted["style"], settings, watch)
    arrays["image_output"] = network.decode(last)
    return arrays


def write_golden(folder: Path, recipe: Recipe, arrays: dict[str, np.ndarray]) -> None:
    """Writes `meta.json` and `golden.npz`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.json").write_text(json.dumps(recipe.meta(), indent=1) + "\n")
    write_arrays(folder / "golden.npz", arrays)


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def export_heads(checkpoint: Path, out: Path, precision: str) -> None:
    """Exports the checkpoint with heads of 40 and 64."""
    width, height = HEADS_SIZE
    prompt = checkpoint / PROMPT
    settings = ExportSettings(
        checkpoint, out, height, width, precision, precision, prompt_embedding=prompt
    )
    export(replace(settings, name="golden-heads"))


def pack_folder(folder: Path, path: Path) -> None:
    """Writes the files of a folder as the bytes of arrays."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    read = {str(f.relative_to(folder)): np.frombuffer(f.read_bytes(), np.uint8) for f in files}
    write_arrays(path, read)


def unpack_folder(path: Path, folder: Path) -> Path:
    """Writes the files again that `pack_folder` packed."""
    with np.load(path) as files:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(files[name].tobytes())
    return folder


def main() -> None:
    """Writes both fixtures."""
    with tempfile.TemporaryDirectory() as temporary:
        heads, velocity = (Path(temporary) / name for name in ("heads", "velocity"))
        write_heads_checkpoint(heads)
        write_velocity_checkpoint(velocity)
        HEADS.mkdir(exist_ok=True)
        for precision in PRECISIONS:
            out = Path(temporary) / precision
            export_heads(heads, out, precision)
            pack_folder(out, HEADS / f"model-{precision}.npz")
            shutil.rmtree(out)
        for method, recipe in OF_HEADS.items():
            write_golden(HEADS / method, recipe, converted(Network(heads), Schedule, recipe))
        arrays = converted(Network(velocity), DiffusersSchedule, OF_VELOCITIES)
        write_golden(VELOCITY / "cactif", OF_VELOCITIES, arrays)


if __name__ == "__main__":
    main()
