"""Writes a model folder whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx_ir as ir

from onnx_export.contract import Part, Source, StoredFile, TensorEntry
from onnx_export.errors import UsageError
from onnx_export.values import dtype_of, name_of, shape_of

INLINE_BYTES = 256
DTYPES = {
    ir.DataType.FLOAT: "float32",
    ir.DataType.FLOAT16: "float16",
    ir.DataType.INT64: "int64",
}


@contextmanager
def whole_folder(target: Path, made_here: str, force: bool) -> Iterator[Path]:
    """Gives a temporary folder beside `target` and renames it to `target` at the end.

    If the body raises, `target` is as it was. An existing, non-empty `target` is refused without
    `force`, and with it unless it has the file `made_here`, which the body writes as well.
    """
    refuse_existing(target, made_here, force)
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = f"{os.getpid()}-{secrets.token_hex(4)}"
    partial = target.with_name(f".{target.name}.partial-{beside}")
    replaced = target.with_name(f".{target.name}.replaced-{beside}")
    partial.mkdir()
    try:
        yield partial
        refuse_existing(target, made_here, force)
        if target.exists():
            target.rename(replaced)
        try:
            partial.rename(target)
        except BaseException:
            if replaced.exists():
                replaced.rename(target)
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def refuse_existing(target: Path, made_here: str, force: bool) -> None:
    """Raises `UsageError` if `target` holds what must not be replaced."""
    if target.is_symlink() and not target.exists():
        raise UsageError(f"--out {target} is a link to {target.readlink()}, which is not there")
    if target.exists() and not target.is_dir():
        raise UsageError(f"--out {target} is a file: name a folder")
    if not target.is_dir() or not any(target.iterdir()):
        return
    if not force:
        raise UsageError(f"--out {target} is not empty: name another folder or add --force")
    if not (target / made_here).is_file():
        raise UsageError(
            f"--out {target} is not empty and has no {made_here}, so that it is no earlier export, "
            "which is all that --force replaces: name another folder, or empty it"
        )


def refuse_overlap(target: Path, source: Path, parts: Iterable[str] = ()) -> None:
    """Raises `UsageError` if writing `target` would touch the checkpoint that it is made from."""
    out, checkpoint = target.resolve(), source.resolve()
    if out == checkpoint or out in checkpoint.parents:
        raise UsageError(f"--out {target} has the checkpoint {source} in it: name another folder")
    for part in (checkpoint / name for name in parts):
        if out == part or part in out.parents:
            raise UsageError(f"--out {target} is a part of the checkpoint: name another folder")


def write_graph(folder: Path, name: str, model: ir.Model) -> Part:
    """Writes `name.onnx` and, for its weights, `name.data`; returns what a contract says of them.

    Shapes, scales and other initializers of up to 256 bytes stay inside the graph: shape
    inference cannot read external data.
    """
    path = folder / f"{name}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = [
        (value, tensor)
        for value in model.graph.initializers.values()
        if (tensor := value.const_value) is not None and tensor.nbytes > INLINE_BYTES
    ]
    data = None
    if weights:
        data_path = path.with_suffix(".data")
        external = ir.external_data.convert_tensors_to_external(
            [tensor for _, tensor in weights], path.parent, data_path.name
        )
        for (value, _), tensor in zip(weights, external, strict=True):
            value.const_value = tensor
        data = stored_file(folder, data_path)
    proto = ir.to_proto(model)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return Part(
        graph=stored_file(folder, path),
        data=data,
        inputs=tuple(tensor_entry(value) for value in model.graph.inputs),
        outputs=tuple(tensor_entry(value) for value in model.graph.outputs),
    )


def tensor_entry(value: ir.Value) -> TensorEntry:
    """Returns name, dtype and shape of a graph's input or output; the batch is a string."""
    shape = (size if isinstance(size, int) else str(size) for size in shape_of(value))
    return TensorEntry(name_of(value), DTYPES[dtype_of(value)], tuple(shape))


def write_array(folder: Path, name: str, array: np.ndarray) -> StoredFile:
    """Writes a `.npy` file and returns its entry."""
    np.save(folder / name, array, allow_pickle=False)
    return stored_file(folder, folder / name)


def stored_file(folder: Path, path: Path) -> StoredFile:
    return StoredFile(path.relative_to(folder).as_posix(), file_sha256(path))


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_sha256(folder: Path, files: Iterable[Path]) -> str:
    """Returns a digest over the names and contents of files below `folder`, sorted."""
    return named_sha256({path.relative_to(folder).as_posix(): path for path in files})


def named_sha256(files: Mapping[str, Path]) -> str:
    """Returns a digest over names and the contents of their files, sorted."""
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(name.encode() + b"\0")
        digest.update(bytes.fromhex(file_sha256(path)))
    return digest.hexdigest()


def source_file(path: Path) -> Source:
    """Returns what a contract says of a network that was made from one file."""
    return Source(path.name, file_sha256(path))
