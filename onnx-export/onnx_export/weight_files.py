"""Which files a part's weights are in: one file or shards, whole precision or a variant of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from onnx_export.errors import CheckpointError
from onnx_export.files import StoredTensor, is_named, names_in, needed_file, read_json, tensors_in

# What file names call a precision; without a name it is the one that was trained in.
VARIANTS = (None, "fp16", "bf16")
FLOATS = ("F16", "BF16", "F32", "F64")
# Ends of the names of whole numbers that some checkpoints have and others lack: counts of steps, of
# positions and of places in a window, which follow from the configuration or are used for nothing.
COUNTS = ("position_ids", "num_batches_tracked", "relative_position_index")


@dataclass(frozen=True)
class WeightNames:
    """What a library calls its files of weights."""

    safetensors: str
    pickled: str

    def single(self, is_safetensors: bool, variant: str | None) -> str:
        """Returns the name of a file that has all weights."""
        dot = "" if variant is None else f".{variant}"
        if is_safetensors:
            return f"{self.safetensors}{dot}.safetensors"
        return f"{self.pickled}{dot}.bin"

    def index(self, is_safetensors: bool, variant: str | None) -> str:
        """Returns the name of the file that says which shard has which weights."""
        dot = "" if variant is None else f".{variant}"
        whole = self.single(is_safetensors, None)
        return f"{whole}.index{dot}.json"


DIFFUSERS = WeightNames("diffusion_pytorch_model", "diffusion_pytorch_model")
TRANSFORMERS = WeightNames("model", "pytorch_model")


@dataclass(frozen=True)
class WeightFiles:
    """A part's weights on disk, all of them there and as long as they say."""

    files: tuple[Path, ...]
    is_safetensors: bool
    variant: str | None
    index: Path | None = None

    def used(self) -> tuple[Path, ...]:
        """Returns every file that is read."""
        return self.files if self.index is None else (self.index, *self.files)

    def note(self) -> str:
        """Returns what is to be said of the files: nothing of the precision trained in."""
        if self.variant is None:
            return ""
        return f"the {self.variant} variant is used, {self.files[0].name}"


def weight_files(folder: Path, names: WeightNames) -> WeightFiles:
    """Returns the files that the weights of a part are read from.

    The precision that was trained in comes before its variants, and safetensors before pickles. A
    file that is there but cannot be used is refused, and not passed over for another.
    """
    for variant in VARIANTS:
        for is_safetensors in (True, False):
            single = folder / names.single(is_safetensors, variant)
            index = folder / names.index(is_safetensors, variant)
            if is_named(single) and is_named(index):
                raise CheckpointError(
                    f"{folder} has both {single.name} and {index.name}: remove the one that is not "
                    "meant"
                )
            if is_named(single):
                refuse_numbers_of_other_kinds(single, tensors_in(single))
                return WeightFiles((single,), is_safetensors, variant)
            if is_named(index):
                return WeightFiles(shards(index), is_safetensors, variant, index)
    raise CheckpointError(
        f"{folder} has no {names.single(True, None)}, no {names.single(True, 'fp16')} and no "
        f"{names.single(False, None)}, it has {names_in(folder)}: download the weights"
    )


def shards(index: Path) -> tuple[Path, ...]:
    """Returns the shards that an index names, after looking that each has what it is to have."""
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise CheckpointError(f"{index} has no weight_map: download it again")
    names = sorted({str(name) for name in where.values()})
    for name in names:
        if Path(name).name != name:
            raise CheckpointError(f"{index} names the shard {name!r}, which is no file beside it")
    missing = [name for name in names if not is_named(index.parent / name)]
    if missing:
        raise CheckpointError(
            f"{index.parent} lacks {len(missing)} of the {len(names)} shards that {index.name} "
            f"names, {missing[0]} among them: download it"
        )
    for name in names:
        shard = needed_file(index.parent / name)
        tensors = tensors_in(shard)
        refuse_numbers_of_other_kinds(shard, tensors)
        for tensor in (t for t, file in where.items() if file == name):
            if tensor not in tensors:
                raise CheckpointError(
                    f"{shard} has no tensor {tensor}, which {index.name} says is in it: "
                    "download both again"
                )
    return tuple(index.parent / name for name in names)


def refuse_numbers_of_other_kinds(path: Path, tensors: dict[str, StoredTensor]) -> None:
    """Raises if a weight is no float: a quantised one means something only with its scales."""
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS and not name.endswith(COUNTS):
            raise CheckpointError(
                f"{path} has {name} as {tensor.dtype}, and weights are floats of 16, 32 or 64 "
                "bits: give the checkpoint before it was quantised"
            )
