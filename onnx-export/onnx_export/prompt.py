"""The prompt's embedding, constant for a whole run: `(1, 77, width)` float32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from onnx_export.checkpoint import Checkpoint
from onnx_export.errors import CheckpointError

TOKENS = 77


@dataclass(frozen=True)
class Prompt:
    """An embedding, and the text it came from (none if it came from a file)."""

    text: str | None
    embedding: np.ndarray


def encode_prompt(checkpoint: Checkpoint, text: str, width: int) -> Prompt:
    """Returns the text encoder's last hidden state for `text`, padded to 77 tokens."""
    if not checkpoint.has_text_encoder():
        raise CheckpointError(
            f"{checkpoint.folder} has no text_encoder and tokenizer: give --prompt-embedding NPY"
        )
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    folder = checkpoint.folder
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        encoder = CLIPTextModel.from_pretrained(
            folder / "text_encoder", local_files_only=True, dtype=torch.float32
        )
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{folder / 'text_encoder'} or tokenizer cannot be loaded: {reason}"
        ) from error
    tokens = tokenizer(
        text, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        embedding = encoder.eval()(tokens.input_ids)[0].numpy()
    return Prompt(text, checked(embedding, folder / "text_encoder", width))


def read_prompt(path: Path, width: int) -> Prompt:
    """Returns the embedding in an `.npy` file, `(1, 77, width)` or `(77, width)`."""
    try:
        embedding = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(f"{path} cannot be read as .npy: {error}") from error
    if not isinstance(embedding, np.ndarray) or embedding.dtype.kind != "f":
        raise CheckpointError(
            f"{path} is no array of floats: save the prompt embedding with numpy.save"
        )
    return Prompt(None, checked(embedding, path, width))


def checked(embedding: np.ndarray, path: Path, width: int) -> np.ndarray:
    if embedding.ndim == 2:
        embedding = embedding[None]
    if embedding.shape != (1, TOKENS, width):
        raise CheckpointError(
            f"{path} gives an embedding of shape {embedding.shape}, and the UNet takes "
            f"{(1, TOKENS, width)}: use the text encoder that belongs to this UNet"
        )
    if not np.isfinite(embedding).all():
        raise CheckpointError(f"{path} gives an embedding with values that are not finite")
    return np.ascontiguousarray(embedding, dtype=np.float32)
