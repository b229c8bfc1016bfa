"""Checkpoints in one file, made of folders: weights under the names of the first releases."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.refusals import TEXT, UNET, VAE

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
BLOCK = re.compile(
    r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\."
)


def write_single_file(folder: Path, path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Writes the parts of a checkpoint folder, of one layer in each block, into one file."""
    tensors = {
        f"model.diffusion_model.{unet_name(name)}": tensor
        for name, tensor in load_file(folder / UNET).items()
    }
    for name, tensor in load_file(folder / VAE).items():
        tensors[f"first_stage_model.{vae_name(name)}"] = as_convolution(name, tensor)
    for name, tensor in load_file(folder / TEXT).items():
        tensors[f"cond_stage_model.transformer.text_model.{name}"] = tensor
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path


def configs_of(folder: Path, to: Path) -> Path:
    """Copies a checkpoint folder without its weights."""
    return shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.safetensors"))


def unet_name(name: str) -> str:
    for ours, theirs in UNET_ENDS.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    if name.startswith("mid_block."):
        _, kind, number, rest = name.split(".", 3)
        place = 1 if kind == "attentions" else 2 * int(number)
        return f"middle_block.{place}.{rest if kind == 'attentions' else resnet(rest)}"
    match = BLOCK.match(name)
    assert match is not None, name
    way, block, kind, layer = match[1], int(match[2]), match[3], int(match[4])
    rest = name[match.end() :]
    if kind == "downsamplers":
        return f"input_blocks.{1 + 2 * block + 1}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{2 * block + 1}.2.{rest}"
    down, up = f"input_blocks.{1 + 2 * block + layer}", f"output_blocks.{2 * block + layer}"
    holder = down if way == "down" else up
    return f"{holder}.1.{rest}" if kind == "attentions" else f"{holder}.0.{resnet(rest)}"


def resnet(rest: str) -> str:
    ours = rest.rpartition(".")[0]
    return rest.replace(ours, RESNET[ours], 1)


def vae_name(name: str) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        for ours, theirs in ATTENTION.items():
            name = name.replace(f"attn_1.{ours}.", f"attn_1.{theirs}.")
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{3 - int(m[1])}.block", name)
    return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)


def as_convolution(name: str, tensor: Tensor) -> Tensor:
    """Returns a matrix of attention as the kernel of one pixel that it once was."""
    return tensor[:, :, None, None] if "attentions" in name and tensor.ndim == 2 else tensor
