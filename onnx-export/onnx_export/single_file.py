"""A checkpoint in one `.safetensors` file, with weights named as its first release named them.

Such a file has no configuration. Those of Stable Diffusion 1.x and 2.x are in
`single_file_configs`, and another folder may take their place. Nothing is looked up elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from onnx_export.distilled import INSTEAD, refuse_distilled_name
from onnx_export.errors import CheckpointError, UsageError, first_line
from onnx_export.files import StoredTensor, is_named, names_in, needed_file, read_json, tensors_in
from onnx_export.loading import quiet
from onnx_export.schedule import PREDICTION_TYPES
from onnx_export.weight_files import COUNTS, refuse_numbers_of_other_kinds

SHIPPED = Path(__file__).parent / "single_file_configs"
# By the width of the prompts that the UNet takes.
FAMILIES = {768: "stable-diffusion-1", 1024: "stable-diffusion-2"}

PREFIXES = {
    "unet": "model.diffusion_model.",
    "vae": "first_stage_model.",
    "text_encoder": "cond_stage_model.",
}
FIRST = f"{PREFIXES['unet']}input_blocks.0.0.weight"
PROMPT_KEYS = f"{PREFIXES['unet']}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
GUIDED = f"{PREFIXES['unet']}time_embed.cond_proj.weight"
AVERAGED = "model_ema."
VELOCITY, ZERO_SNR = "v_pred", "ztsnr"
OTHER_CHANNELS = {5: "depth", 7: "upscaling", 8: "editing", 9: "inpainting"}
# What metadata call it.
MODELSPEC = {"epsilon": "epsilon", "v": "v_prediction", "v_prediction": "v_prediction"}


@dataclass(frozen=True)
class FilePart:
    """A part of a checkpoint in one file: the weights whose names begin as the part's do."""

    path: Path
    part: str
    configs: Path

    @property
    def config(self) -> Path:
        return self.configs / self.part / "config.json"

    def note(self) -> str:
        """Returns whether there are other weights, too, that the library does not take."""
        with safe_open(self.path, "pt") as file:
            averaged = any(name.startswith(AVERAGED) for name in file.keys())  # noqa: SIM118
        if self.part == "unet" and averaged:
            return f"{self.path.name} has averaged weights as well ({AVERAGED}...), not used"
        return ""

    def used(self, part: str) -> dict[str, Path]:
        return {f"{part}/config.json": self.config, "weights": self.path}

    def load(self, kind: type) -> nn.Module:
        state = self.state()
        try:
            with quiet():
                model = self.converted(kind, state)
        except Exception as error:
            raise CheckpointError(
                f"{self.path} cannot be loaded as {self.config} says: {first_line(error)}: give "
                "the configuration that belongs to it with --config DIR"
            ) from error
        self.refuse_other_weights(model, state)
        return model.float().eval().requires_grad_(False)

    def state(self) -> dict[str, Tensor]:
        """Returns the part's weights by their names in the file."""
        prefix = PREFIXES[self.part]
        with safe_open(self.path, "pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name: file.get_tensor(name) for name in names}

    def converted(self, kind: Any, state: dict[str, Tensor]) -> nn.Module:
        """Returns the library's model of the weights; those that are not there stay on no device.

        diffusers' `from_single_file` of UNet and VAE is the same, but ends in an error that names
        no weight where one is missing.
        """
        from diffusers.loaders import single_file_utils as library

        if self.part == "text_encoder":
            return library.create_diffusers_clip_model_from_ldm(
                kind,
                checkpoint=dict(state),
                config=str(self.configs),
                subfolder=self.part,
                local_files_only=True,
            )
        settings = read_json(self.config)
        convert = {
            "unet": library.convert_ldm_unet_checkpoint,
            "vae": library.convert_ldm_vae_checkpoint,
        }[self.part]
        weights: dict[str, Tensor] = convert(dict(state), config=settings)
        with torch.device("meta"):
            model: nn.Module = kind.from_config(settings)
        for name, tensor in model.state_dict().items():
            if name in weights and weights[name].shape != tensor.shape:
                raise ValueError(
                    f"{name} has shape {tuple(weights[name].shape)}, expected {tuple(tensor.shape)}"
                )
        model.load_state_dict(weights, strict=False, assign=True)
        return model

    def refuse_other_weights(self, model: nn.Module, state: Mapping[str, Tensor]) -> None:
        """Raises unless each of the model's weights is in the file, and as many as are there.

        A text encoder may end before its last layers, and has parts that a prompt does not need.
        """
        loaded = model.state_dict()
        if missing := sorted(name for name, tensor in loaded.items() if tensor.is_meta):
            raise CheckpointError(
                f"{self.path} lacks {len(missing)} weights of the {self.part} that {self.config} "
                f"asks for, {missing[0]} among them: download it again, or give the configuration "
                "that belongs to it with --config DIR"
            )
        names = [name for name in state if not name.endswith(COUNTS)]
        if self.part != "text_encoder" and len(names) != len(loaded):
            raise CheckpointError(
                f"{self.path} has {len(names)} weights of the {self.part}, and {self.config} has a "
                f"place for {len(loaded)}: give the configuration that belongs to it with "
                "--config DIR"
            )


@dataclass(frozen=True)
class SingleFile:
    """A checkpoint in one file that was looked at, and the folder of its configurations."""

    path: Path
    configs: Path
    said_to_predict: str | None
    may_predict_either: bool

    @staticmethod
    def open(path: Path, config: Path | None, has_vae: bool) -> SingleFile:
        """Returns the checkpoint; `has_vae` if another VAE takes the place of its own."""
        if path.suffix != ".safetensors":
            raise CheckpointError(
                f"{path} is not a folder and no .safetensors file: give a diffusers checkpoint "
                "folder, or convert the file to safetensors"
            )
        refuse_distilled_name(path)
        tensors = tensors_in(path)
        metadata = metadata_of(path)
        refuse_other_models(path, tensors, has_vae)
        refuse_distilled_name(path, *filter(None, [metadata.get("modelspec.title")]))
        weights = {n: t for n, t in tensors.items() if n.startswith(tuple(PREFIXES.values()))}
        refuse_numbers_of_other_kinds(path, weights)
        configs = shipped_for(path, tensors) if config is None else given_configs(config, has_vae)
        said = metadata.get("modelspec.prediction_type", "").lower()
        return SingleFile(
            path,
            configs,
            said_to_predict="v_prediction" if VELOCITY in tensors else MODELSPEC.get(said),
            may_predict_either=configs == SHIPPED / FAMILIES[1024],
        )

    def part(self, part: str) -> FilePart:
        """Returns one of its parts."""
        return FilePart(self.path, part, self.configs)

    def prediction_type(self, chosen: str | None) -> str | None:
        """Returns what the UNet predicts: as chosen, or as the file says, or none for the config's.

        Raises `UsageError` if nothing tells.
        """
        found = chosen or self.said_to_predict
        if found is None and self.may_predict_either:
            epsilon, velocity = PREDICTION_TYPES
            raise UsageError(
                f"{self.path} is of Stable Diffusion 2.x, whose weights do not tell what they "
                f"predict: give --prediction-type {epsilon} (2.x base, for 512 pixels) or "
                f"--prediction-type {velocity} (2.x for 768 pixels)"
            )
        return found


def metadata_of(path: Path) -> Mapping[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata() or {}


def refuse_other_models(path: Path, tensors: Mapping[str, StoredTensor], has_vae: bool) -> None:
    """Raises `CheckpointError` if it is none of Stable Diffusion 1.x or 2.x for text to image."""
    if strange := next((name for name in tensors if name.startswith("conditioner.")), None):
        refiner = not any(name.startswith("conditioner.embedders.1.") for name in tensors)
        what = "the refiner of Stable Diffusion XL" if refiner else "Stable Diffusion XL"
        raise CheckpointError(
            f"{path} is {what} (it has {strange}), and only Stable Diffusion 1.x and 2.x are "
            "supported"
        )
    if FIRST not in tensors:
        raise CheckpointError(
            f"{path} has no {FIRST}, as Stable Diffusion 1.x and 2.x in one file have: give such a "
            "checkpoint (a LoRA goes to --lora, a VAE to --vae)"
        )
    if GUIDED in tensors:
        raise CheckpointError(f"{path} has {GUIDED} (LCM): {INSTEAD}")
    if ZERO_SNR in tensors:
        raise CheckpointError(
            f"{path} was trained down to no signal at all (it has {ZERO_SNR}), and the method "
            "divides by the signal: give a checkpoint of the usual schedule"
        )
    if len(tensors[FIRST].shape) != 4:
        raise CheckpointError(
            f"{path} has {FIRST} of shape {tuple(tensors[FIRST].shape)}, expected the four sides "
            "of a convolution: download it again"
        )
    channels = tensors[FIRST].shape[1]
    if channels != 4:
        kind = OTHER_CHANNELS.get(channels, "something else")
        raise CheckpointError(
            f"{path} has a UNet that takes {channels} channels, expected 4: it is a model for "
            f"{kind}: give the checkpoint for text to image"
        )
    if not has_vae and not any(name.startswith(PREFIXES["vae"]) for name in tensors):
        raise CheckpointError(
            f"{path} has no VAE ({PREFIXES['vae']}...): give the one that belongs to it with "
            "--vae DIR"
        )


def shipped_for(path: Path, tensors: Mapping[str, StoredTensor]) -> Path:
    """Returns the folder of configurations that fit the width of prompts."""
    shape = tensors[PROMPT_KEYS].shape if PROMPT_KEYS in tensors else ()
    width = shape[-1] if shape else 0
    if width not in FAMILIES:
        raise CheckpointError(
            f"{path} takes prompts of a width of {width}, and configurations are known for "
            f"{' and '.join(map(str, FAMILIES))}: give its own with --config DIR, a folder in "
            "diffusers' layout without weights"
        )
    return SHIPPED / FAMILIES[width]


def given_configs(folder: Path, has_vae: bool) -> Path:
    """Returns a folder of configurations that has those of all parts."""
    parts = ("unet",) if has_vae else ("unet", "vae")
    for name in (*(f"{part}/config.json" for part in parts), "scheduler/scheduler_config.json"):
        if not is_named(folder / name):
            raise CheckpointError(
                f"{folder / name} is missing, and {folder} has {names_in(folder)}: give --config a "
                "folder in diffusers' layout, with the configurations of unet, vae and scheduler"
            )
        needed_file(folder / name)
    return folder
