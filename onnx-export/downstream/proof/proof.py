"""The proof: drawings, conversions, an experiment for each look, and one table of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.dataset import STYLES
from downstream.arms import ArmKind
from downstream.bootstrap import Bootstrap
from downstream.perform import Request, perform
from downstream.pictures import Size
from downstream.plot import draw
from downstream.proof.conversions import Conversions
from downstream.proof.scenes import Scenes
from downstream.results import ArmResult
from downstream.store import write_json, write_whole
from onnx_export.console import tell

METHODS = ("cactif", "ast", "cacti", "cross-image", "adain")
LOOKS = tuple(style.look for style in STYLES)
DRAWN, TRAINED = Size(512, 256), Size(256, 128)
STYLE_SUFFIXES = ("_rgb_anon.png", "_leftImg8bit.png")


@dataclass(frozen=True)
class Settings:
    """How large a proof is. The defaults take at most 40 minutes on two cores."""

    work: Path
    program: Path
    demo: Path
    methods: tuple[str, ...] = METHODS
    looks: tuple[str, ...] = LOOKS
    scenes: int = 60
    tests: int = 60
    seeds: int = 3
    steps: int = 200
    batch: int = 4
    learning_rate: float = 6e-3
    jobs: int = 2
    drawn: Size = DRAWN
    trained: Size = TRAINED


def prove(settings: Settings) -> str:
    """Runs the proof, or goes on with it; stores its figures and returns their table."""
    work = settings.work
    scenes = Scenes(work, settings.scenes, settings.tests, settings.drawn)
    scenes.draw(settings.looks, tell)
    conversions = Conversions(
        work, settings.program, scenes.content_root, settings.demo / "data/style",
        settings.demo / "model", settings.demo / "segmenter",
    )  # fmt: skip
    for method in settings.methods:
        tell(f"converting with {method}")
        conversions.run(method)
    found: dict[str, list[ArmResult]] = {}
    for look in settings.looks:
        tell(f"training and testing for {look}")
        done = perform(_request(settings, scenes, conversions, look))
        found[look] = done.results
    text = table(found, settings)
    write_whole(work / "proof.txt", lambda file: file.write(text.encode()))
    draw(work / "proof.png", found)
    write_json(work / "proof.json", document(found))
    return text


def style_of(look: str) -> str:
    """Returns the name that runs give to the demo's style of a look."""
    name = next(style.image_name for style in STYLES if style.look == look)
    for suffix in STYLE_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _request(settings: Settings, scenes: Scenes, conversions: Conversions, look: str) -> Request:
    return Request(
        runs=settings.methods,
        root=conversions.root,
        real=scenes.test_root(look),
        real_train=scenes.train_root(look),
        out=settings.work / "experiments" / look,
        styles=(style_of(look),),
        with_source_and_run=False,
        size=settings.trained,
        seeds=settings.seeds,
        steps=settings.steps,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        jobs=settings.jobs,
        device="cpu",
        # Source only is the same arm for every look.
        trained=settings.work / "trained",
    )


def key(result: ArmResult) -> str:
    """Returns the name of an arm in `proof.json`: a method, or the kind of the arm."""
    return result.run if result.run is not None else result.kind.value


def document(found: dict[str, list[ArmResult]]) -> dict[str, Any]:
    """Returns `proof.json`: the mean IoU of each seed, and what each arm is against source only."""
    against: dict[str, dict[str, Any]] = {}
    for look, results in found.items():
        against[look] = {}
        for result in results:
            compared = result.against_source
            if compared is not None:
                against[look][key(result)] = {
                    "difference": compared.difference,
                    "low": compared.interval.low,
                    "high": compared.interval.high,
                    "verdict": compared.verdict.value,
                }
    return {
        "looks": {
            look: {key(result): list(result.miou.seeds) for result in results}
            for look, results in found.items()
        },
        "against_source": against,
    }


def table(found: dict[str, list[ArmResult]], settings: Settings) -> str:
    """Returns one table of all looks, arms and seeds, as Markdown."""
    level = f"{Bootstrap().level:.0%}"
    lines = [
        f"Mean IoU in percent, {settings.seeds} seeds of {settings.steps} steps of "
        f"{settings.batch} at {settings.trained}, {settings.scenes} images an arm, tested on "
        f"{settings.tests} drawings of each look",
        "",
        "| look | arm | seeds | mean ± deviation | against source only | verdict "
        f"({level} interval) |",
        "|---|---|---|---|---|---|",
    ]
    for look, results in found.items():
        lines += [_row(look, result) for result in results]
    return "\n".join(lines) + "\n"


def _row(look: str, result: ArmResult) -> str:
    seeds = ", ".join(f"{seed:.1f}" for seed in result.miou.seeds)
    deviation = result.miou.deviation
    figure = f"{result.miou.mean:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")
    cells: Sequence[str] = ("", "")
    against = result.against_source
    if against is not None:
        interval = f"{against.interval.low:+.1f} to {against.interval.high:+.1f}"
        cells = (f"{against.difference:+.1f}", f"{against.verdict} ({interval})")
    name = result.name if result.kind is not ArmKind.RUN else f"**{result.name}**"
    return f"| {look} | {name} | {seeds} | {figure} | {cells[0]} | {cells[1]} |"
