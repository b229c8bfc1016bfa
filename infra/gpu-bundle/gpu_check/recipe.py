"""Makes the recipe of a model that was exported with random weights: see `weights`.

    python3 -m gpu_check.recipe MODEL OUT

Tensors of more than 16 KiB are drawn again if their numbers are even between two limits, as torch
draws them; constants of another kind, which graphs have as well, are kept.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from gpu_check import weights
from gpu_check.graph_data import FLOAT, HALF, Tensor, tensors
from gpu_check.weights import CONTRACT, Drawn, Kept, Table, WeightsFile

LARGEST_KEPT_BYTES = 16 << 10
KINDS = {FLOAT: "float32", HALF: "float16"}
# As many numbers of a tensor tell how they are spread, in pieces that lie evenly.
PIECES, OF_A_PIECE = 16, 4096
# The largest of numbers that are even between two limits is the root of 3 times their deviation.
EVEN = (1.70, 1.76)


def spread(file: BinaryIO, tensor: Tensor) -> float | None:
    """Returns the limit that a tensor's numbers are even within; nothing of one that is not."""
    kind = KINDS[tensor.data_type]
    size = weights.SIZES[kind]
    total = tensor.length // size
    numbers: list[float] = []
    for piece in range(PIECES):
        begin = piece * total // PIECES
        count = min(OF_A_PIECE, total // PIECES)
        file.seek(tensor.offset + begin * size)
        numbers += struct.unpack(f"<{count}{weights.CODES[kind]}", file.read(count * size))
    most = max(map(abs, numbers))
    deviation = (sum(number * number for number in numbers) / len(numbers)) ** 0.5
    if not 0.0 < deviation < float("inf") or not EVEN[0] < most / deviation < EVEN[1]:
        return None
    return weights.spread_of(most)


def of_file(graph: Path, data: Path, path: str, kept: bytearray) -> WeightsFile:
    """Returns what a graph's file of weights is made of; adds what is kept of it."""
    entries: list[Drawn | Kept] = []
    with data.open("rb") as file:
        for tensor in tensors(graph):
            place = tensor.offset, tensor.length
            is_large = tensor.length > LARGEST_KEPT_BYTES and tensor.data_type in KINDS
            limit = spread(file, tensor) if is_large else None
            if limit is not None:
                entries.append(Drawn(*place, KINDS[tensor.data_type], limit))
                continue
            file.seek(tensor.offset)
            entries.append(Kept(*place, len(kept)))
            kept += file.read(tensor.length)
    return WeightsFile(path, data.stat().st_size, tuple(entries))


def graphs_of(contract: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns what a contract says of its graphs that have weights."""
    graphs = [contract["vae_encoder"], contract["vae_decoder"], *contract["segments"]]
    return [graph for graph in graphs if graph.get("data")]


def write(model: Path, out: Path) -> None:
    """Writes the recipe of a model folder; the one that is there is made anew."""
    contract = json.loads((model / CONTRACT).read_text())
    graphs = graphs_of(contract)
    data = {graph["data"]["file"] for graph in graphs}
    shutil.rmtree(out, ignore_errors=True)

    def without(folder: str, names: list[str]) -> list[str]:
        below = Path(folder).relative_to(model)
        return [name for name in names if (below / name).as_posix() in data]

    shutil.copytree(model, out, ignore=without)
    kept, table, files = bytearray(), Table(), []
    for graph in graphs:
        path = graph["data"]["file"]
        files.append(of_file(model / graph["file"], model / path, path, kept))
    for graph, file in zip(graphs, files, strict=True):
        digest = hashlib.sha256()
        for piece in weights.contents(file, bytes(kept), table):
            digest.update(piece)
        graph["data"]["sha256"] = digest.hexdigest()
    (out / weights.KEPT).write_bytes(kept)
    (out / weights.FILE).write_text(json.dumps([asdict(file) for file in files]) + "\n")
    (out / CONTRACT).write_text(json.dumps(contract, indent=2) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
