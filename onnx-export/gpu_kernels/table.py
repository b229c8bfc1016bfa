"""Prints what compiled kernels take of a GPU, as a table: `python -m gpu_kernels.table DIR`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from gpu_kernels.occupancy import ARCHITECTURES, PROCESSORS, Processor, occupancy

HEAD = (
    "| kernel | warps | registers (8.x, 9.0, 12.0) | shared KiB (8.x, 9.0, 12.0) | spilled | "
    "occupancy (8.0, 8.6, 8.9, 9.0, 12.0) |"
)


def share(processor: Processor, kernel: dict[str, Any]) -> str:
    """Returns the share of a processor's warps that a kernel keeps there, in per cent."""
    needs = (kernel["warps"], kernel["registers"], kernel["shared_bytes"])
    return f"{100 * occupancy(processor, *needs):.0f} %"


def rows(folder: Path) -> list[str]:
    """Returns the lines of the table."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for architecture in ARCHITECTURES:
        told = json.loads((folder / f"sm_{architecture}.json").read_text())
        for kernel in told["kernels"]:
            found.setdefault(kernel["name"], {})[architecture] = kernel
    lines = [HEAD, "|" + "---|" * HEAD.count(" |")]
    for name, kernels in found.items():
        each = [kernels[architecture] for architecture in ARCHITECTURES]
        registers = ", ".join(str(kernel["registers"]) for kernel in each)
        shared = ", ".join(f"{kernel['shared_bytes'] / 1024:.0f}" for kernel in each)
        spilled = sum(kernel["spilled_bytes"] for kernel in each)
        shares = ", ".join(share(one, kernels[one.architecture]) for one in PROCESSORS)
        warps = each[0]["warps"]
        lines.append(f"| `{name}` | {warps} | {registers} | {shared} | {spilled} | {shares} |")
    return lines


if __name__ == "__main__":
    print("\n".join(rows(Path(sys.argv[1]))))
