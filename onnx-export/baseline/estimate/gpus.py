"""What a GPU is known by: rates of its data sheet, what of them work reaches, and launches."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from onnx_export.errors import CheckpointError

FILE_BYTES = 1 << 16
"""A file of figures is no longer than this."""


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU; each rate is the data sheet's, and its share is what large pieces of work reach.

    `tensor_tflops` is of products of float16 with sums of float32, without sparsity: in TF32 tensor
    cores do half of it. A launch is what the host needs for one.
    """

    name: str
    tensor_tflops: float
    float32_tflops: float
    gigabytes_per_second: float
    launch_microseconds: float = 6.0
    tensor_share: float = 0.5
    float32_share: float = 0.7
    memory_share: float = 0.8
    source: str = ""

    def __post_init__(self) -> None:
        for name, value in self.numbers().items():
            least_is_zero = name == "launch_microseconds"
            if not math.isfinite(value) or value < 0.0 or (value == 0.0 and not least_is_zero):
                raise CheckpointError(f"{name} ({value}) of {self.name} must be a positive number")
            if name.endswith("_share") and value > 1.0:
                raise CheckpointError(f"{name} ({value}) of {self.name} must be at most 1")

    def numbers(self) -> dict[str, float]:
        """Returns the figures by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if not isinstance(value, str)}

    @property
    def half_rate(self) -> float:
        """Operations a second on float16."""
        return 1e12 * self.tensor_tflops * self.tensor_share

    @property
    def tf32_rate(self) -> float:
        """Operations a second in TF32."""
        return self.half_rate / 2.0

    @property
    def single_rate(self) -> float:
        """Operations a second on float32."""
        return 1e12 * self.float32_tflops * self.float32_share

    @property
    def byte_rate(self) -> float:
        """Bytes a second."""
        return 1e9 * self.gigabytes_per_second * self.memory_share

    @property
    def launch_seconds(self) -> float:
        """Seconds of a launch."""
        return 1e-6 * self.launch_microseconds


# Shares of tensor cores are judged, not measured: a power limit holds the L4 and the A10G back, and
# one image at a time the H100, on which ONNX Runtime was seen to reach 0.15 at 512x512
# (github.com/microsoft/onnxruntime, pull request 22834).
GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu(
            name="H100",
            tensor_tflops=989.4,
            float32_tflops=66.9,
            gigabytes_per_second=3350.0,
            tensor_share=0.30,
            source="NVIDIA H100 Tensor Core GPU data sheet, SXM5",
        ),
        Gpu(
            name="RTX 4090",
            tensor_tflops=165.2,
            float32_tflops=82.6,
            gigabytes_per_second=1008.0,
            tensor_share=0.79,
            source="NVIDIA Ada GPU architecture, appendix A",
        ),
        Gpu(
            name="A10G",
            tensor_tflops=70.0,
            float32_tflops=35.0,
            gigabytes_per_second=600.0,
            tensor_share=0.64,
            source="NVIDIA A10G data sheet, as AWS has it for G5",
        ),
        Gpu(
            name="L4",
            tensor_tflops=121.0,
            float32_tflops=30.3,
            gigabytes_per_second=300.0,
            tensor_share=0.41,
            source="NVIDIA L4 Tensor Core GPU data sheet, halved where it has sparsity",
        ),
    )
}


def read_gpu(path: Path) -> Gpu:
    """Returns the GPU of a TOML file; raises `CheckpointError` if it is none."""
    with path.open("rb") as file:
        text = file.read(FILE_BYTES + 1)
    if len(text) > FILE_BYTES:
        raise CheckpointError(f"{path} is longer than {FILE_BYTES} bytes: it is no file of figures")
    try:
        table = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no TOML: {error}") from error
    try:
        figures: dict[str, Any] = {name: figure(name, value) for name, value in table.items()}
        return Gpu(**figures)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except TypeError as error:
        wanted = ", ".join(field.name for field in fields(Gpu))
        raise CheckpointError(f"{path} must have a GPU's keys, which are {wanted}") from error


def figure(name: str, value: Any) -> str | float:
    """Returns the value of a key; raises `CheckpointError` if it is of another kind."""
    if name in ("name", "source"):
        if isinstance(value, str):
            return value
        raise CheckpointError(f"{name} ({value!r}) must be a text")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise CheckpointError(f"{name} ({value!r}) must be a number")
