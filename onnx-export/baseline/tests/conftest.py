"""The golden model, and what the released code made with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baseline.checkpoint import WIDTHS, write_checkpoint
from baseline.network import Network
from baseline.settings import METHODS, Method, Settings, Steps

GOLDEN = Path(__file__).parents[3] / "tests/fixtures/golden"
RELEASED = (
    "adain-snow",
    "cross-image-snow",
    "cacti-night",
    "cactif-night",
    "cactif-snow-warm",
    "cactif-night-default",
)


@dataclass(frozen=True)
class Golden:
    """A golden folder: its arrays and its settings."""

    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]

    @staticmethod
    def open(name: str) -> Golden:
        folder = GOLDEN / name
        with np.load(folder / "golden.npz") as arrays:
            return Golden(dict(arrays), json.loads((folder / "meta.json").read_text()))

    def method(self) -> str:
        """Returns the name of the method."""
        parts = self.meta["method"]
        method = Method(
            injection=parts["cross_image_attention"],
            class_adain=parts["class_adain"],
            filtering=parts["filtering"],
        )
        return next(name for name, known in METHODS.items() if known == method)

    def settings(self) -> Settings:
        """Returns what the released code was told."""
        return Settings(
            method=METHODS[self.method()],
            steps=self.meta["steps"],
            skip=self.meta["skip"],
            injected_steps=Steps.parse(self.meta["injected_steps"].replace(" and ", ",")),
            class_adain_steps=Steps.parse(self.meta["class_adain_steps"].replace(",", "..")),
            contrast_strength=self.meta["contrast_strength"],
            filter_fraction=self.meta["filter_fraction"],
        )

    def executed(self) -> int:
        """Returns the number of executed steps."""
        return self.meta["steps"] - self.meta["skip"]


@pytest.fixture(scope="session")
def golden_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a checkpoint folder."""
    folder = tmp_path_factory.mktemp("baseline") / "golden-model"
    write_checkpoint(folder, WIDTHS["golden"], WIDTHS["golden"].seed)
    return folder


@pytest.fixture(scope="session")
def network(golden_model: Path) -> Network:
    return Network(golden_model)
