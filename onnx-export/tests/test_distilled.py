"""Models that were distilled to a few steps are refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onnx_export.distilled import refuse_distilled_name
from onnx_export.errors import CheckpointError
from tests.refusals import Accepted, change, refused

SCHEDULER = "scheduler/scheduler_config.json"
REASON = "it was distilled to a few steps, and the method inverts images over the whole schedule"


@pytest.mark.parametrize(
    ("file", "settings", "told"),
    [
        (SCHEDULER, {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"},
         "_class_name 'EulerDiscreteScheduler' with timestep_spacing 'trailing'"),
        (SCHEDULER, {"_class_name": "EulerAncestralDiscreteScheduler",
                     "timestep_spacing": "trailing"}, "as Turbo and Lightning are saved"),
        (SCHEDULER, {"_class_name": "LCMScheduler"}, "_class_name 'LCMScheduler'"),
        (SCHEDULER, {"_class_name": "TCDScheduler"}, "_class_name 'TCDScheduler'"),
        ("unet/config.json", {"time_cond_proj_dim": 256}, "time_cond_proj_dim 256 (LCM)"),
    ],
)  # fmt: skip
def test_a_folder_of_a_distilled_model_is_refused(
    capsys: pytest.CaptureFixture[str], copy: Path, file: str, settings: dict[str, Any], told: str
) -> None:
    change(copy / file, **settings)
    code, line = refused(capsys, copy)
    assert code == 3
    assert f"{copy / file} has {told}" in line or told in line
    assert REASON in line


@pytest.mark.parametrize("kind", ["DDIMScheduler", "DPMSolverMultistepScheduler"])
def test_trailing_steps_alone_are_no_distillation(
    accepted: Accepted, copy: Path, kind: str
) -> None:
    change(copy / SCHEDULER, _class_name=kind, timestep_spacing="trailing")
    accepted(copy)


@pytest.mark.parametrize(
    "name",
    [
        "sd_turbo",
        "DreamShaper8_LCM",
        "lcm-lora-sdv1-5",
        "Hyper-SD15-8steps-lora",
        "lightning_4step",
    ],
)
def test_what_only_a_name_tells_is_refused_by_it(name: str) -> None:
    with pytest.raises(CheckpointError, match="if it was not distilled, rename it"):
        refuse_distilled_name(Path(f"models/{name}.safetensors"))
    with pytest.raises(CheckpointError, match=REASON):
        refuse_distilled_name(Path("pytorch_lora_weights.safetensors"), name)


@pytest.mark.parametrize("name", ["turbocharged-cars", "hyper-real-streets", "sd15", "calcms"])
def test_other_names_are_taken(name: str) -> None:
    refuse_distilled_name(Path(f"turbo/{name}.safetensors"))
