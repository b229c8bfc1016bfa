"""The kernels that the worker has are what contracts say, and of the sources that are here."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gpu_kernels.compile import sources
from gpu_kernels.occupancy import ARCHITECTURES, PROCESSORS, occupancy
from gpu_kernels.table import rows
from gpu_kernels.variants import variants

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "worker" / "engine" / "gpu-kernels"
EM_CUDA = 190
# What a processor of 8.6 has for one program.
LEAST_SHARED_BYTES = 99 << 10
ADVICE = "run `make gpu-kernels`"


def contract(architecture: int) -> dict[str, Any]:
    return json.loads((FOLDER / f"sm_{architecture}.json").read_text())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_kernel_is_code_for_its_architecture_and_what_its_contract_says(
    architecture: int,
) -> None:
    told = contract(architecture)
    assert (told["format"], told["architecture"]) == (1, architecture)
    wanted = [variant.name for variant in variants("fp16")]
    assert [kernel["name"] for kernel in told["kernels"]] == wanted
    with zipfile.ZipFile(FOLDER / f"sm_{architecture}.zip") as archive:
        assert archive.namelist() == [f"{name}.cubin" for name in wanted]
        for kernel in told["kernels"]:
            code = archive.read(f"{kernel['name']}.cubin")
            assert hashlib.sha256(code).hexdigest() == kernel["sha256"]
            assert code[:4] == b"\x7fELF"
            assert struct.unpack_from("<H", code, 18) == (EM_CUDA,)
            (flags,) = struct.unpack_from("<I", code, 48)
            # Where the number stands depends on the version of the format.
            assert architecture in (flags & 0xFF, flags >> 8 & 0xFF)
            # A path would be that of the machine that compiled it.
            assert b"gpu_kernels/" not in code
            assert kernel["function"].encode() + b"\0" in code


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_is_spilled_and_every_gpu_has_room_for_a_program(architecture: int) -> None:
    for kernel in contract(architecture)["kernels"]:
        assert kernel["spilled_bytes"] == 0, kernel["name"]
        if architecture != 90:
            assert kernel["shared_bytes"] <= LEAST_SHARED_BYTES, kernel["name"]
        needs = (kernel["warps"], kernel["registers"], kernel["shared_bytes"])
        for processor in PROCESSORS:
            if processor.architecture == architecture:
                assert occupancy(processor, *needs) > 0, (kernel["name"], processor)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kernels_are_of_the_sources_that_are_here(architecture: int) -> None:
    assert contract(architecture)["sources"] == sources(), ADVICE


def test_a_kernel_that_is_compiled_again_has_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "from gpu_kernels.compile import compiled; from gpu_kernels.variants import variants;"
        "order = next(one for one in variants('fp16') if one.function == 'order');"
        "print(compiled(order, 80).entry['sha256'])"
    )
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-W", "ignore", "-c", program]
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        command, env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    told = {kernel["name"]: kernel["sha256"] for kernel in contract(80)["kernels"]}
    assert ended.stdout.strip() == told["order_fp16"]


def test_the_table_in_the_readme_is_that_of_the_compiled_kernels() -> None:
    told = (ROOT / "onnx-export" / "README.md").read_text()
    for row in rows(FOLDER):
        assert row in told, f"{row}: run `python -m gpu_kernels.table`"
