"""The released code's work in plain PyTorch on the same GPU, where PyTorch is found."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from gpu_check.bundle import Bundle, precision_of, size_of
from gpu_check.report import Result, Status

SECONDS = 150.0
LEAST_SECONDS = 40.0
# Names the interpreter that has PyTorch.
VARIABLE = "PYTORCH_PYTHON"
LACKING = (
    "no Python with PyTorch, CUDA and diffusers was found: name one by PYTORCH_PYTHON, of an "
    "environment with `pip install torch diffusers`"
)
ASKED = "import torch, diffusers; assert torch.cuda.is_available(); print(torch.__version__)"


def measure(bundle: Bundle, recipe: Path) -> Result:
    """Times the rewrite in the precision of a model, at the size of its images."""
    precision, (width, height) = precision_of(recipe), size_of(recipe)
    figures: dict[str, Any] = {"precision": precision, "width": width, "height": height}
    if bundle.nothing_is_computed:
        return Result(Status.NOT_RUN, "nothing is computed here", figures)
    bundle.budget.at_most(SECONDS, LEAST_SECONDS)
    python = found(bundle)
    if python is None:
        return Result(Status.NOT_RUN, LACKING, figures)
    bundle.budget.at_most(SECONDS, LEAST_SECONDS)
    command: list[str | Path] = [python, "-m", "baseline.card", "--device", bundle.device]
    command += ["--dtype", precision, "--size", f"{width}x{height}"]
    ran = bundle.run(command, SECONDS, folder=bundle.root / "pytorch")
    if ran.code != 0:
        return Result(Status.NOT_RUN, f"PyTorch: {ran.complaint()}", figures)
    figures |= json.loads(ran.out)
    told = (
        f"{figures['seconds_an_image']:.2f} s an image of {width}x{height}, "
        f"{figures['peak_bytes'] / 1e9:.1f} GB, by the released code's {figures['evaluations']} "
        f"evaluations (torch {figures['torch']})"
    )
    ours = bundle.seconds_an_image.get(recipe.name)
    if ours:
        figures["synth2real_is_faster"] = figures["seconds_an_image"] / ours
        told += f"; synth2real is {figures['synth2real_is_faster']:.1f} times as fast"
    return Result(Status.MEASURED, told, figures)


def found(bundle: Bundle) -> str | None:
    """Returns a Python that has what the rewrite needs."""
    named = [os.environ.get(VARIABLE), shutil.which("python3"), shutil.which("python")]
    for python in dict.fromkeys(filter(None, named)):
        try:
            asked = bundle.run([python, "-c", ASKED], 60.0)
        except OSError:
            continue
        if asked.code == 0:
            return python
    return None
