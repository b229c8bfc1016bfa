"""Compiles the kernels: `python -m gpu_kernels --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from gpu_kernels.blocks import Dtype
from gpu_kernels.compile import compiled, write
from gpu_kernels.occupancy import ARCHITECTURES
from gpu_kernels.variants import variants


def main() -> None:
    """Compiles the kernels for each architecture, and says what each takes of a GPU."""
    parser = argparse.ArgumentParser(prog="gpu_kernels", description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument(
        "--arch", type=int, nargs="+", default=ARCHITECTURES, help="compute capabilities, as 80"
    )
    parser.add_argument("--dtype", nargs="+", choices=get_args(Dtype), default=["fp16"])
    arguments = parser.parse_args()
    for architecture in arguments.arch:
        found = []
        for dtype in arguments.dtype:
            for variant in variants(dtype):
                kernel = compiled(variant, architecture)
                entry = kernel.entry
                print(
                    f"sm_{architecture} {variant.name}: {entry['registers']} registers, "
                    f"{entry['shared_bytes']} bytes shared, {entry['spilled_bytes']} spilled",
                    flush=True,
                )
                found.append(kernel)
        write(arguments.out, architecture, found)


if __name__ == "__main__":
    main()
