"""Files of a checkpoint: there, whole and of their kind, before anything relies on them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from onnx_export.errors import CheckpointError, first_line

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LENGTH_BYTES = 8
# The library's own limit of a header.
LARGEST_HEADER_BYTES = 100_000_000
# More than any text, vocabulary or embedding of a checkpoint has.
LARGEST_READ_WHOLE_BYTES = 64 << 20
NUM_NAMES_SHOWN = 6


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file: its type in safetensors' words, and its shape."""

    dtype: str
    shape: tuple[int, ...]


def is_named(path: Path) -> bool:
    """Returns whether the folder has an entry of this name, be it a link that leads nowhere."""
    return path.is_symlink() or path.exists()


def needed_file(path: Path, advice: str = "download it again") -> Path:
    """Returns `path`, if there is a file with something in it; raises `CheckpointError` if not."""
    if not path.is_file():
        if path.is_symlink() and not path.exists():
            raise CheckpointError(
                f"{path} is a link to {path.readlink()}, which is not there: {advice}"
            )
        if path.exists():
            raise CheckpointError(f"{path} is not a file: {advice}")
        raise CheckpointError(
            f"{path} is missing, and {path.parent} has {names_in(path.parent)}: {advice}"
        )
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError(f"{path} is empty (0 bytes): {advice}")
    with path.open("rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            raise CheckpointError(
                f"{path} is a Git LFS pointer of {size} bytes and not the file itself: "
                "run `git lfs pull` where it was cloned, or download the file"
            )
    return path


def small_file(path: Path, advice: str = "download it again") -> Path:
    """Returns `path`, if there is a file with something in it that may be read whole.

    Raises `CheckpointError` if not.
    """
    size = needed_file(path, advice).stat().st_size
    if size > LARGEST_READ_WHOLE_BYTES:
        raise CheckpointError(
            f"{path} has {size} bytes, and such a file has at most "
            f"{LARGEST_READ_WHOLE_BYTES}: {advice}"
        )
    return path


def names_in(folder: Path) -> str:
    """Returns the names of a folder's entries as people read them: the first few, and how many."""
    if not folder.is_dir():
        return "nothing (there is no such folder)"
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "nothing"
    more = len(names) - NUM_NAMES_SHOWN
    return ", ".join(names[:NUM_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file that has to be there."""
    text = small_file(path).read_bytes()
    try:
        settings = json.loads(text.decode("utf-8"), parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not JSON ({first_line(error)}): download it again"
        ) from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} is not a JSON object: download it again")
    return settings


def refuse_constant(name: str) -> float:
    """Raises `ValueError`: NaN and Infinity, which Python would take, are no JSON."""
    raise ValueError(f"it has the number {name}")


def tensors_in(path: Path) -> dict[str, StoredTensor]:
    """Returns what a file of weights says it has, after proving that it is as long as it says.

    No weight is read.
    """
    needed_file(path)
    tensors = safetensors_in(path) if path.suffix == ".safetensors" else pickled_in(path)
    if not tensors:
        raise CheckpointError(f"{path} has no tensors: download it again")
    return tensors


def safetensors_in(path: Path) -> dict[str, StoredTensor]:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(LENGTH_BYTES)
        length = int.from_bytes(start, "little")
        if length > LARGEST_HEADER_BYTES or len(start) < LENGTH_BYTES:
            raise CheckpointError(
                f"{path} is no safetensors file: it begins with {start!r}, where the length of a "
                "header was expected: download it again"
            )
        text = file.read(length)
    if len(text) < length:
        raise CheckpointError(
            f"{path} is truncated: it has {size} bytes, and its header alone ends at "
            f"{LENGTH_BYTES + length}: download it again"
        )
    try:
        header = json.loads(text)
        header.pop("__metadata__", None)
        tensors = {
            name: StoredTensor(entry["dtype"], tuple(entry["shape"]))
            for name, entry in header.items()
        }
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path} has a header that cannot be read ({first_line(error)}): download it again"
        ) from error
    if size != LENGTH_BYTES + length + end:
        raise CheckpointError(truncated(path, size, LENGTH_BYTES + length + end))
    return tensors


def truncated(path: Path, size: int, expected: int) -> str:
    what = "truncated" if size < expected else "longer than it says"
    return f"{path} is {what}: it has {size} bytes, its header says {expected}: download it again"


PICKLED_DTYPES = {
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int64: "I64",
}


def pickled_in(path: Path) -> dict[str, StoredTensor]:
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise CheckpointError(
            f"{path} is truncated: the index at the end of its {path.stat().st_size} bytes is not "
            "there: download it again"
        )
    try:
        state = torch.load(path, map_location="meta", weights_only=True)
        return {
            name: StoredTensor(
                PICKLED_DTYPES.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape)
            )
            for name, tensor in state.items()
        }
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as a state dict: {first_line(error)}: download it again"
        ) from error
