"""How arms are trained: published recipes by their names, and one for a CPU."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from downstream.errors import ExperimentError
from downstream.pictures import Size


@dataclass(frozen=True)
class Recipe:
    """Steps, crops and the optimiser; the same for every arm of an experiment.

    `head_rate` multiplies the learning rate of everything but the backbone. `scales` are those that
    an image is resized by at random before it is cropped.
    """

    name: str
    steps: int
    batch: int
    crop: Size
    optimizer: Literal["adamw", "sgd"]
    learning_rate: float
    head_rate: float
    weight_decay: float
    warmup: int
    power: float
    scales: tuple[float, float] = (1.0, 1.0)
    source: str = ""

    def rate(self, step: int) -> float:
        """Returns by what the learning rate is multiplied at a step: warm-up, then poly."""
        poly = (1.0 - step / self.steps) ** self.power
        return poly * min(1.0, (step + 1) / (self.warmup + 1))

    def as_json(self) -> dict[str, Any]:
        """Returns what results say of it."""
        said = asdict(self)
        said["crop"], said["scales"] = list(self.crop), list(self.scales)
        return said


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("small", 400, 8, Size(256, 128), "adamw", 4e-3, 1.0, 1e-2, 40, 0.9),
        Recipe(
            "daformer", 40_000, 2, Size(512, 512), "adamw", 6e-5, 10.0, 1e-2, 1500, 1.0,
            source="Hoyer et al. 2022, arXiv:2111.14887",
        ),
        Recipe(
            "segformer", 160_000, 8, Size(1024, 1024), "adamw", 6e-5, 10.0, 1e-2, 1500, 1.0,
            (0.5, 2.0), source="Xie et al. 2021, arXiv:2105.15203",
        ),
        Recipe(
            "deeplab", 40_000, 8, Size(769, 769), "sgd", 1e-2, 1.0, 5e-4, 0, 0.9,
            (0.5, 2.0), source="Chen et al. 2017, arXiv:1706.05587",
        ),
    )
}  # fmt: skip


def recipe(name: str, **changes: Any) -> Recipe:
    """Returns a recipe by its name, with what is not None in place of its own."""
    given = {key: value for key, value in changes.items() if value is not None}
    changed = replace(RECIPES[name], **given)
    if "steps" in given and "warmup" not in given:
        share = changed.steps / RECIPES[name].steps
        changed = replace(changed, warmup=min(changed.warmup, int(changed.warmup * share)))
    bounded = {
        "steps": changed.steps,
        "batch": changed.batch,
        "crop's width": changed.crop.width,
        "crop's height": changed.crop.height,
    }
    for key, value in bounded.items():
        if value < 1:
            raise ExperimentError(f"the {key} ({value}) must be at least 1")
    if not 0 < changed.learning_rate < math.inf:
        raise ExperimentError(
            f"the learning rate ({changed.learning_rate}) must be above 0 and finite"
        )
    return changed
