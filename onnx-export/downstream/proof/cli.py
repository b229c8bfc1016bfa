"""The command line of the proof. Exit codes: 0 done, 2 wrong usage, 3 inputs or environment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from downstream.cli import within_memory
from onnx_export.console import show
from onnx_export.errors import exit_code_of

# As in `downstream.experiment`, which takes seconds to import.
LEAST_SEEDS = 3
REPOSITORY = Path(__file__).parents[3]


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line; what is not given is as `Settings` has it."""
    parser = argparse.ArgumentParser(
        prog="python -m downstream.proof",
        description="Does it help on the demo's drawings? Started again, it goes on.",
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    built = REPOSITORY / "target/release/synth2real"
    add("--work", type=Path, required=True, metavar="DIR", help="everything is made below it")
    add("--program", type=Path, default=built, metavar="PATH", help="synth2real, as it was built")
    add("--demo", type=Path, default=REPOSITORY / "infra/demo", metavar="DIR", help="the demo")
    add("--methods", nargs="+", metavar="METHOD", help="methods to convert with")
    add("--looks", nargs="+", metavar="LOOK", help="looks to convert to")
    add("--scenes", type=int, metavar="N", help="day scenes, which are the images of an arm")
    add("--tests", type=int, metavar="N", help="held-out drawings of each look")
    add("--seeds", type=int, metavar="N", help="trainings of each arm")
    add("--steps", type=int, metavar="N", help="steps of a training")
    add("--jobs", type=int, metavar="N", help="trainings at a time")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the proof and returns the exit code."""
    given = vars(parser().parse_args(arguments))
    for name in ("scenes", "tests", "seeds", "steps", "jobs"):
        if given.get(name, 1) < 1:
            parser().error(f"--{name} ({given[name]}) must be at least 1")
    if given.get("seeds", LEAST_SEEDS) < LEAST_SEEDS:
        parser().error(f"--seeds ({given['seeds']}) must be at least {LEAST_SEEDS}")

    def run() -> None:
        # torch takes seconds to import: wrong usage is answered before.
        from downstream.proof.proof import LOOKS, Settings, prove

        for name in ("methods", "looks"):
            if name in given:
                given[name] = tuple(given[name])
        for look in given.get("looks", ()):
            if look not in LOOKS:
                parser().error(f"--looks {look} is none of {', '.join(LOOKS)}")
        for name in ("work", "program", "demo"):
            given[name] = given[name].resolve()
        settings = Settings(**given)
        show(prove(settings))
        show(settings.work / "proof.json")

    return exit_code_of("proof", lambda: within_memory(run))
