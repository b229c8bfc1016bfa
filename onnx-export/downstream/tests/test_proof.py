"""The proof: with a program that stands in for synth2real, it ends in its table, and goes on."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from downstream import experiment
from downstream.errors import ExperimentError
from downstream.pictures import Size
from downstream.proof import cli
from downstream.proof.proof import LOOKS, Settings, prove, style_of
from downstream.proof.scenes import Scenes

REPOSITORY = Path(__file__).parents[3]
STAND_IN = """#!{python}
import sys
sys.path.insert(0, {package!r})
from downstream.tests.test_proof import stand_in
sys.exit(stand_in(sys.argv[1:]))
"""


def stand_in(arguments: list[str]) -> int:
    """Does what `synth2real run SETTINGS` does, but for converting: outputs are the contents."""
    from downstream.tests.drawn import Converted

    command, path = arguments
    assert command == "run"
    settings = tomllib.loads(Path(path).read_text())
    assert settings["pairing"] == {"mode": "every-style"}
    unlabelled = settings["method"]["method"] == "ast"
    assert settings["style"].get("use_labels", True) is not unlabelled
    assert ("segmenter" in settings["style"]) is unlabelled
    Converted(
        root=Path(settings["run"]["root"]),
        name=settings["run"]["name"],
        method=settings["method"]["method"],
        contents=Path(settings["content"]["root"]),
        styles=Path(settings["style"]["root"]),
        size=Size(64, 32),
    ).write()
    return 0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    program = tmp_path / "synth2real"
    package = str(Path(__file__).parents[2])
    program.write_text(STAND_IN.format(python=sys.executable, package=package))
    program.chmod(0o755)
    shutil.copytree(REPOSITORY / "infra/demo/data/style", tmp_path / "demo/data/style")
    return Settings(
        tmp_path / "work", program, tmp_path / "demo", methods=("cactif", "ast"), scenes=3,
        tests=2, steps=2, batch=2, jobs=1, drawn=Size(64, 32), trained=Size(32, 16),
    )  # fmt: skip


def test_a_proof_ends_in_the_seeds_of_every_arm_and_look_and_goes_on(settings: Settings) -> None:
    text = prove(settings)
    document = json.loads((settings.work / "proof.json").read_text())
    arms = ["source", "colour-transfer", "cactif", "ast", "oracle"]
    assert list(document["looks"]) == list(LOOKS) == ["night", "snow", "autumn"]
    for look, of in document["looks"].items():
        assert list(of) == arms
        assert all(len(seeds) == 3 for seeds in of.values())
        assert list(document["against_source"][look]) == arms[1:]
        assert len(re.findall(rf"^\| {look} \|", text, re.MULTILINE)) == len(arms)
    # Source only is one arm for all looks, and here outputs are the contents, too.
    assert len(list((settings.work / "trained").iterdir())) == 3 * (1 + 2 * len(LOOKS))
    assert Image.open(settings.work / "proof.png").width > 1000
    made_at = {path: path.stat().st_mtime_ns for path in settings.work.rglob("*.png")}
    made_at.pop(settings.work / "proof.png")
    (settings.work / "proof.json").unlink()
    kept = {path: made for path, made in made_at.items() if "scenes" in path.parts}
    assert prove(settings) == text
    assert json.loads((settings.work / "proof.json").read_text()) == document
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_proof_does_not_go_on_with_fewer_drawings(tmp_path: Path) -> None:
    scenes = Scenes(tmp_path, 3, 2, Size(64, 32))
    scenes.draw(("night",), print)
    scenes.draw(("night",), print)
    for fewer, folder in (
        (dataclasses.replace(scenes, contents=2), scenes.content_root),
        (dataclasses.replace(scenes, contents=4, tests=1), scenes.test_root("night")),
    ):
        with pytest.raises(ExperimentError) as refused:
            fewer.draw(("night",), print)
        count = len(list((folder / "images").iterdir())) - 1
        assert str(refused.value) == (
            f"{folder} has more than {count} drawings: give another --work"
        )
    assert len(list((scenes.content_root / "images").iterdir())) == 3


def test_the_styles_of_the_demo_are_named_as_runs_name_them() -> None:
    assert [style_of(look) for look in LOOKS] == [
        "GOPR0001_frame_000001", "GOPR0002_frame_000001", "autumn_000001_000019",
    ]  # fmt: skip


def test_a_conversion_that_fails_or_a_program_that_is_away_is_told(settings: Settings) -> None:
    settings.program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(ExperimentError, match="ended with exit code 3: what it says is above"):
        prove(settings)
    nowhere = dataclasses.replace(settings, program=settings.work / "nothing")
    with pytest.raises(ExperimentError, match="`make build` builds it, or give --program"):
        prove(nowhere)


def test_the_command_knows_as_many_seeds_as_an_experiment_needs() -> None:
    assert cli.LEAST_SEEDS == experiment.LEAST_SEEDS


def test_the_command_refuses_what_cannot_be(tmp_path: Path) -> None:
    for wrong in (["--scenes", "0"], ["--looks", "noon"], ["--seeds", "2"]):
        with pytest.raises(SystemExit) as refused:
            cli.main(["--work", str(tmp_path), *wrong])
        assert refused.value.code == 2
