"""The prompt's embedding, constant for a whole run: `(1, 77, width)` float32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from onnx_export.checkpoint import Checkpoint
from onnx_export.configs import text_settings
from onnx_export.errors import CheckpointError, UsageError
from onnx_export.files import small_file
from onnx_export.finite import HALF_MAX, refuse_not_finite
from onnx_export.loading import load_transformers
from onnx_export.part_files import FolderPart
from onnx_export.tokenizer import (
    TOKENS,
    TextEncoderSize,
    Tokens,
    tokens_of,
    tokens_of_nothing,
)

SAVE = "save the prompt embedding with numpy.save"

# What the two ends were called in every text encoder of CLIP before it was mended; nothing that
# the embedding needs was computed from them.
USED_TO_BE = {"bos_token_id": 0, "eos_token_id": 2}


@dataclass(frozen=True)
class Prompt:
    """An embedding, and where it came from.

    `text` and `tokens` are none if it came from a file; `notes` are what else is to be said.
    """

    text: str | None
    embedding: np.ndarray
    tokens: Tokens | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Returns what the prompt is, as people read it."""
        if self.tokens is None:
            return "the prompt is an embedding from a file"
        return f"the prompt {self.text!r} is {self.tokens}"


def encode_prompt(checkpoint: Checkpoint, text: str, width: int) -> Prompt:
    """Returns the text encoder's last hidden state for `text`, padded to 77 tokens."""
    folder = checkpoint.configs
    needed = ("text_encoder",) if checkpoint.is_single_file else ("text_encoder", "tokenizer")
    for part in needed:
        if not (folder / part).is_dir():
            raise CheckpointError(
                f"{folder} has no {part}: download it, or give --prompt-embedding NPY"
            )
    config = folder / "text_encoder/config.json"
    settings = text_settings(config, width, checkpoint.parts["unet"].config, TOKENS)
    files = checkpoint.text_files()
    size = TextEncoderSize(settings["vocab_size"], settings["hidden_size"])
    tokens = prompt_tokens(checkpoint, text, size)
    refuse_other_ends(config, settings, tokens)

    from transformers import CLIPTextModel

    notes: list[str] = []
    if isinstance(files, FolderPart):
        encoder, notes = load_transformers(CLIPTextModel, files.path, files.files)
    else:
        encoder = files.load(CLIPTextModel)
    refuse_not_finite(encoder.state_dict(), files.path)
    checkpoint.fuse("text_encoder", encoder)
    with torch.no_grad():
        embedding = encoder(torch.tensor([tokens.ids]))[0].numpy()
    if note := files.note():
        notes = [f"text_encoder: {note}", *notes]
    checked_embedding = checked(embedding, files.path, width)
    return Prompt(text, checked_embedding, tokens, tuple(notes))


def prompt_tokens(checkpoint: Checkpoint, text: str, size: TextEncoderSize) -> Tokens:
    """Returns the tokens of `text`; those of the empty prompt are known without a tokenizer."""
    folder = checkpoint.configs / "tokenizer"
    if not checkpoint.is_single_file or folder.is_dir():
        return tokens_of(folder, text, size)
    tokens = tokens_of_nothing(size) if text == "" else None
    if tokens is None:
        raise UsageError(
            f"{checkpoint.path} is a checkpoint in one file, which has no tokenizer, and "
            f"--prompt {text!r} needs one: give --config DIR with a tokenizer in it, or "
            "--prompt-embedding NPY"
        )
    return tokens


def refuse_other_ends(path: Path, settings: dict[str, Any], tokens: Tokens) -> None:
    """Raises if the text encoder was made for other tokens at the ends of a prompt."""
    for role, ours in (("bos_token_id", tokens.begin), ("eos_token_id", tokens.end)):
        said = settings.get(role)
        if said not in (None, USED_TO_BE[role], ours):
            raise CheckpointError(
                f"{path} has {role} {said!r}, and the tokenizer has {ours}: use the tokenizer that "
                "belongs to it, or give --prompt-embedding NPY"
            )


def read_prompt(path: Path, width: int) -> Prompt:
    """Returns the embedding in an `.npy` file, `(1, 77, width)` or `(77, width)`."""
    try:
        embedding = np.load(small_file(path, SAVE), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(f"{path} cannot be read as .npy: {error}") from error
    if not isinstance(embedding, np.ndarray) or embedding.dtype.kind != "f":
        found = getattr(embedding, "dtype", None)
        raise CheckpointError(
            f"{path} is no array of floats{'' if found is None else f' but of {found}'}: {SAVE}"
        )
    embedding = checked(embedding, path, width)
    same = f"{path} has the same number everywhere" if np.ptp(embedding) == 0 else None
    return Prompt(None, embedding, notes=() if same is None else (same,))


def checked(embedding: np.ndarray, path: Path, width: int) -> np.ndarray:
    """Returns the embedding as `(1, 77, width)` float32, if it is one and finite."""
    if embedding.ndim == 2:
        embedding = embedding[None]
    if embedding.shape != (1, TOKENS, width):
        raise CheckpointError(
            f"{path} gives an embedding of shape {embedding.shape}, and the UNet takes "
            f"{(1, TOKENS, width)}: use the text encoder that belongs to this UNet"
        )
    with np.errstate(over="ignore"):
        embedding = np.ascontiguousarray(embedding, dtype=np.float32)
    if not np.isfinite(embedding).all():
        bad = np.argwhere(~np.isfinite(embedding))
        raise CheckpointError(
            f"{path} gives an embedding with {len(bad)} values that are not finite in float32, "
            f"{embedding[tuple(bad[0])]} for token {bad[0][1]} among them: make it again in float32"
        )
    return embedding


def refuse_prompt_beyond_half(prompt: Prompt) -> None:
    """Raises if half precision cannot hold the embedding."""
    largest = float(np.abs(prompt.embedding).max())
    if largest > HALF_MAX:
        raise CheckpointError(
            f"the prompt embedding reaches {largest:g}, and half precision ends at {HALF_MAX:g}: "
            "export with --dtype fp32"
        )
