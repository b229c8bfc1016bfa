"""Runs exported graphs with ONNX Runtime and holds them against what they were made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from onnx_export.errors import CheckpointError, first_line

# How far results may be apart, as root mean square over that of the expected ones. Rounding a
# number to half precision moves it by up to 2^-11, and some hundred of them lie on the way.
TOLERANCES = {("fp32", "fp32"): 1e-3, ("fp32", "fp16"): 0.03, ("fp16", "fp16"): 0.06}
EXACT = TOLERANCES["fp32", "fp32"]


def run(path: Path, names: Sequence[str], given: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Returns a graph's outputs, all of them finite; raises `CheckpointError` if one is not."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        outputs = session.run(list(names), dict(given))
    except Exception as error:
        raise CheckpointError(
            f"the exported {path.name} cannot be run: {first_line(error)}"
        ) from error
    for name, output in zip(names, outputs, strict=True):
        if not np.isfinite(output).all():
            bad = int((~np.isfinite(output)).sum())
            raise CheckpointError(
                f"the exported {path.name} gives {name} with {bad} of {output.size} values that "
                f"are not finite in {output.dtype}: export with --dtype fp32, or give another "
                "checkpoint"
            )
    return outputs


def refuse_difference(what: str, found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Raises `CheckpointError` unless a graph computes what its checkpoint does."""
    refuse_constant(what, expected)
    if found.shape != expected.shape:
        raise CheckpointError(
            f"the exported {what} gives {found.shape}, and the checkpoint {expected.shape}"
        )
    difference = found.astype(np.float64) - expected
    error = float(np.sqrt((difference**2).mean() / (expected.astype(np.float64) ** 2).mean()))
    if not error <= tolerance:
        raise CheckpointError(
            f"the exported {what} is {error:.2g} away from what the checkpoint computes, expected "
            f"{tolerance:g} at most: export with --dtype fp32 and --weights fp32, or report this "
            "checkpoint"
        )


def refuse_constant(what: str, array: np.ndarray) -> None:
    """Raises `CheckpointError` if a result is one number everywhere, whatever it was made from."""
    if np.ptp(array) == 0:
        raise CheckpointError(
            f"{what} gives {float(array.flat[0]):g} everywhere for a seeded image: its weights are "
            "empty or not trained: give another checkpoint"
        )
