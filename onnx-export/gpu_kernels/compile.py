"""Compiles kernels ahead of time, by Triton and NVIDIA's assembler, which needs no GPU.

Source lines stay out of what is compiled, so that its bytes do not tell where that was.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Triton reads these when it compiles.
os.environ["TRITON_DISABLE_LINE_INFO"] = "1"
os.environ.pop("TRITON_INTERPRET", None)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, CompiledKernel

from gpu_kernels import attention, weak
from gpu_kernels.variants import Variant

NUMBERS = {
    "largest", "total", "content_largest", "content_total", "best_sum", "similarity", "ends",
}  # fmt: skip
INDICES = {"best_key", "positions", "num_strong"}
FLOATS = {"factor", "strength", "share"}
INTEGERS = {"tokens", "heads", "width", "shares", "below", "above"}
# Pointers are those of whole tensors, which every allocator aligns at least so.
ALIGNED = [["tt.divisibility", 16]]
# Triton adds two pointers, which these kernels do not follow.
SCRATCH = ("global_scratch", "profile_scratch")
FORMAT = 1
# No zip file is older.
DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Compiled:
    """A kernel for GPUs of an architecture."""

    variant: Variant
    cubin: bytes
    entry: dict[str, Any]


def argument_type(name: str, variant: Variant) -> str:
    """Returns the type of an argument as Triton writes it."""
    if name in dict(variant.known):
        return "constexpr"
    if name in NUMBERS:
        return "*fp32"
    if name in INDICES:
        return "*i32"
    if name in FLOATS:
        return "fp32"
    return "i32" if name in INTEGERS else f"*{variant.dtype}"


def compiled(variant: Variant, architecture: int) -> Compiled:
    """Compiles a kernel for an architecture, and says what a launch of it needs."""
    module = attention if hasattr(attention, variant.function) else weak
    function = getattr(module, variant.function)
    types = {name: argument_type(name, variant) for name in function.arg_names}
    pointers = [place for place, kind in enumerate(types.values()) if kind.startswith("*")]
    source = ASTSource(
        function, types, dict(variant.known), {(place,): ALIGNED for place in pointers}
    )
    blocks = variant.blocks
    # Products and sums of kernels may become one rounding less.
    options = {"num_warps": blocks.warps, "num_stages": blocks.stages, "enable_fp_fusion": True}
    kernel: CompiledKernel = triton.compile(source, GPUTarget("cuda", architecture, 32), options)
    if kernel.metadata.global_scratch_size or kernel.metadata.profile_scratch_size:
        raise ValueError(f"{variant.name} wants memory of its own")
    cubin: bytes = kernel.asm["cubin"]
    arguments = [name for name, kind in types.items() if kind != "constexpr"]
    return Compiled(
        variant,
        cubin,
        {
            "name": variant.name,
            "function": kernel.metadata.name,
            "dtype": variant.dtype,
            "width": variant.width,
            "queries": blocks.queries,
            "keys": blocks.keys,
            "warps": blocks.warps,
            "arguments": [f"{name}: {types[name]}" for name in arguments] + [*SCRATCH],
            "shared_bytes": kernel.metadata.shared,
            **usage(cubin),
            "sha256": hashlib.sha256(cubin).hexdigest(),
        },
    )


def usage(cubin: bytes) -> dict[str, int]:
    """Returns the registers of a thread and the bytes that it keeps in memory for want of them."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
        command: list[str | Path] = [tool, "--dump-resource-usage", file.name]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {key: int(value) for key, value in re.findall(r"\b(REG|STACK|LOCAL):(\d+)", told)}
    return {"registers": found["REG"], "spilled_bytes": found["STACK"] + found["LOCAL"]}


def write(folder: Path, architecture: int, found: Iterable[Compiled]) -> None:
    """Writes an archive of the kernels for an architecture, and its contract beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for kernel in found:
            archive.writestr(
                zipfile.ZipInfo(f"{kernel.variant.name}.cubin", DATE),
                kernel.cubin,
                zipfile.ZIP_DEFLATED,
                9,
            )
            entries.append(kernel.entry)
    contract = {
        "format": FORMAT,
        "architecture": architecture,
        "compiler": f"Triton {triton.__version__}",
        "sources": sources(),
        "kernels": entries,
    }
    (folder / f"sm_{architecture}.zip").write_bytes(buffer.getvalue())
    text = json.dumps(contract, indent=1) + "\n"
    (folder / f"sm_{architecture}.json").write_text(text)


def sources() -> str:
    """Returns the digest of what kernels are compiled from."""
    digest = hashlib.sha256()
    for name in ("attention.py", "blocks.py", "variants.py", "weak.py"):
        digest.update((Path(__file__).parent / name).read_bytes())
    return digest.hexdigest()
