"""A small dataset of the goldens' pictures, and settings for a run of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from gpu_check.bundle import Bundle, Ran

CONTENT = ("00001.png", "00001_label.png")
STYLES = (
    ("night_000001_rgb_anon.png", "night_000001_gt_labelColor.png"),
    ("snow_000002_leftImg8bit.png", "snow_000002_gtFine_color.png"),
)
RUN = "check"


class Project:
    """A folder with as many contents and styles as are asked for."""

    def __init__(self, bundle: Bundle, name: str, model: Path, contents: int, styles: int) -> None:
        self.bundle, self.model = bundle, model
        self.folder = bundle.folder(name)
        for number in range(1, contents + 1):
            for kind, file in zip(("images", "labels"), CONTENT, strict=True):
                self._place(file, f"gta5/{kind}/{number:05}.png")
        for files in STYLES[:styles]:
            for kind, file in zip(("images", "labels"), files, strict=True):
                self._place(file, f"style/{kind}/{file}")

    def _place(self, file: str, target: str) -> None:
        source, path = self.bundle.goldens() / "inputs" / file, self.folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.resolve(), path)
        except OSError:
            shutil.copyfile(source, path)

    def settings(self, method: str, engine: Mapping[str, int] | None = None) -> Path:
        """Writes settings with a method's and the engine's, and returns their file."""
        keys = {"device": json.dumps(self.bundle.device), **(engine or {})}
        tables = [
            f'run = {{ name = "{RUN}", root = "out" }}',
            'content = { root = "gta5", layout = "gta5" }',
            'style = { root = "style" }',
            f"method = {{ {method} }}",
            f"model = {{ path = {json.dumps(str(self.model))} }}",
            "shards = { contents = 64, styles = 2 }",
            f"engine = {{ {', '.join(f'{key} = {value}' for key, value in keys.items())} }}",
        ]
        path = self.folder / "run.toml"
        path.write_text("\n".join(tables) + "\n")
        return path

    def run(self, settings: Path, seconds: float, **variables: str) -> Ran:
        """Runs all of it from the beginning."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        return self.bundle.synth2real("run", settings, seconds=seconds, **variables)

    def images(self) -> dict[str, str]:
        """Returns the digests of all images that were made."""
        images = self.folder / "out/runs" / RUN / "images"
        return {
            path.relative_to(images).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(images.rglob("*.png"))
        }
