"""Converts the day scenes with each method, by the program as anyone runs it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from downstream.errors import ExperimentError
from downstream.store import write_whole

SETTINGS = """\
# Day scenes into the demo's styles, for the proof.

[run]
name = "{name}"
root = "{root}"

[content]
root = "{contents}"
layout = "gta5"

[style]
root = "{styles}"
{class_maps}

[pairing]
mode = "every-style"

[method]
method = "{method}"
preset = "released-code"
seed = 42

[model]
path = "{model}"

[shards]
contents = 4
styles = 3
"""


# Of methods that are made for photographs without labels, which a segmenter maps.
WITHOUT_LABELS = frozenset({"ast"})
CLASS_MAPS = """use_labels = false
segmenter = "{segmenter}"
"""


@dataclass(frozen=True)
class Conversions:
    """The runs of a proof: one for each method, with every style of the demo."""

    work: Path
    program: Path
    contents: Path
    styles: Path
    model: Path
    segmenter: Path

    @property
    def root(self) -> Path:
        """The storage root of the runs."""
        return self.work / "out"

    def settings(self, method: str) -> Path:
        """Writes the settings file of a method and returns its path."""
        path = self.work / "settings" / f"{method}.toml"
        paths = {"root": self.root, "contents": self.contents, "styles": self.styles}
        for folder in (*paths.values(), self.model, self.segmenter):
            if any(letter in str(folder) for letter in '"\\\n'):
                raise ExperimentError(
                    f"{folder} has a character that settings files do not take: use another --work"
                )
        mapped = method in WITHOUT_LABELS
        class_maps = CLASS_MAPS.format(segmenter=self.segmenter) if mapped else ""
        text = SETTINGS.format(
            name=method, method=method, model=self.model, class_maps=class_maps, **paths
        )
        write_whole(path, lambda file: file.write(text.encode()))
        return path

    def run(self, method: str) -> Path:
        """Converts with a method, or goes on with it, and returns the folder of the run."""
        command = [str(self.program), "run", str(self.settings(method))]
        try:
            ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise ExperimentError(
                f"{self.program} is not there: `make build` builds it, or give --program"
            ) from error
        if ended.returncode != 0:
            raise ExperimentError(
                f"`{' '.join(command)}` ended with exit code {ended.returncode}: what it says is "
                f"above; with other scenes than {self.work} was begun with, give another --work"
            )
        return self.root / "runs" / method
