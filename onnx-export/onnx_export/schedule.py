"""The noise schedule that a checkpoint was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onnx_export.configs import is_number, refuse_unknown
from onnx_export.contract import ScheduleConstants
from onnx_export.distilled import refuse_distilled_schedule
from onnx_export.errors import CheckpointError
from onnx_export.files import read_json

PREDICTION_TYPES = ("epsilon", "v_prediction")

# Scheduler settings that the model was trained with, and the only values the method knows.
TRAINING_SETTINGS: dict[str, tuple[Any, ...]] = {
    "prediction_type": PREDICTION_TYPES,
    "beta_schedule": ("scaled_linear",),
    "num_train_timesteps": (1000,),
    "trained_betas": (None,),
    "rescale_betas_zero_snr": (False, None),
}
BETAS = ("beta_start", "beta_end")
USUAL = "give those the model was trained with (Stable Diffusion: 0.00085 and 0.012)"


def read_schedule(path: Path, prediction_type: str | None = None) -> ScheduleConstants:
    """Returns the contract's schedule; `prediction_type` takes the place of what the file says.

    How the model was trained (betas, prediction type) is the checkpoint's and is checked. How it
    is sampled (leading timesteps, offset 1, the last step to `alphas_cumprod[0]`) is the method's
    own, whatever sampler the checkpoint happens to be saved with.
    """
    settings = read_json(path)
    refuse_distilled_schedule(path, settings)
    if prediction_type is not None:
        settings["prediction_type"] = prediction_type
    refuse_unknown(path, settings, TRAINING_SETTINGS)
    for key in (*BETAS, "beta_schedule"):
        if key not in settings:
            raise CheckpointError(f"{path} lacks {key}: give the one the model was trained with")
    for key in BETAS:
        if not is_number(settings[key]):
            raise CheckpointError(f"{path} has {key} {settings[key]!r}, expected a number")
    start, end = (settings[key] for key in BETAS)
    if not 0.0 < start < end < 1.0:
        raise CheckpointError(
            f"{path} has beta_start {start} and beta_end {end}, expected two numbers between 0 and "
            f"1, the first below the second: {USUAL}"
        )
    schedule = ScheduleConstants(
        num_train_timesteps=int(settings.get("num_train_timesteps", 1000)),
        beta_start=start,
        beta_end=end,
        beta_schedule=settings["beta_schedule"],
        steps_offset=1,
        set_alpha_to_one=False,
        timestep_spacing="leading",
        prediction_type=settings.get("prediction_type", "epsilon"),
    )
    refuse_alphas(path, schedule)
    return schedule


def alphas_cumprod(schedule: ScheduleConstants) -> np.ndarray:
    """Returns the share of the image that is left at each timestep, float64."""
    start, end = np.sqrt(np.array([schedule.beta_start, schedule.beta_end], np.float64))
    betas = np.linspace(start, end, schedule.num_train_timesteps) ** 2
    return np.cumprod(1.0 - betas)


def refuse_alphas(path: Path, schedule: ScheduleConstants) -> None:
    """Raises unless every timestep has less of the image than the one before it, and some."""
    with np.errstate(all="ignore"):
        alphas = alphas_cumprod(schedule)
    inside = np.isfinite(alphas) & (alphas > 0.0) & (alphas < 1.0)
    if not inside.all():
        first = int(np.argmin(inside))
        said = f"alphas_cumprod {alphas[first]:g} at timestep {first}, expected one between 0 and 1"
    elif not (np.diff(alphas) < 0.0).all():
        said = "an alphas_cumprod that does not fall from timestep to timestep"
    else:
        return
    raise CheckpointError(
        f"{path} has beta_start {schedule.beta_start} and beta_end {schedule.beta_end}, which give "
        f"{said}: {USUAL}"
    )
