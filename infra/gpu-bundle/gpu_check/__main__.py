"""The command line.

Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage, 3 nothing can be tried here.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from gpu_check import goldens, repeats, report, rewrite, speed, trial
from gpu_check.budget import Budget, OverError
from gpu_check.bundle import Bundle, UnusableError
from gpu_check.report import Report, Result, Status

Step = tuple[str, Callable[[], Result]]
ENVIRONMENT = 3


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="gpu-check.sh",
        description="Says whether synth2real is right on this GPU, and how fast.",
    )
    add = parser.add_argument
    add("--root", type=Path, required=True, help=argparse.SUPPRESS)
    add("--device", default="cuda:0", help="the GPU; default: cuda:0")
    add("--seconds", type=float, default=600.0, help="how long all of it may take; default: 600")
    add("--repeats", type=int, default=10, help="how often an image is made; default: 10")
    add("--work", type=Path, help="folder for models and images, some 5 GB; default: the bundle")
    add("--out", type=Path, default=Path(report.FILE), help=f"default: {report.FILE}, here")
    add(
        "--nothing-is-computed",
        action="store_true",
        help="on libraries that stand in for CUDA's: everything is run, and no number is judged",
    )
    return parser


def steps(bundle: Bundle, times: int) -> list[Step]:
    """Returns the steps, in the order of what they are worth if time runs out."""
    models, recipes = bundle.models(), bundle.recipes()

    def each(
        name: str, folders: Sequence[Path], check: Callable[[Bundle, Path], Result]
    ) -> list[Step]:
        return [(f"{name}, {folder.name}", partial(check, bundle, folder)) for folder in folders]

    def repeated(bundle: Bundle, model: Path) -> Result:
        return repeats.equal_bytes(bundle, model, times)

    return [
        *each("trial", models, trial.check),
        *each("goldens", models, goldens.check),
        *each("speed", recipes[:1], speed.measure),
        *each("equal bytes", models, repeated),
        *each("out of memory", models, repeats.after_out_of_memory),
        *each("PyTorch", recipes[:1], rewrite.measure),
        *each("speed", recipes[1:], speed.measure),
        *each("PyTorch", recipes[1:], rewrite.measure),
    ]


def perform(step: Step) -> Result:
    """Runs a step and returns what it found; what it could not do is a result as well."""
    name, check = step
    began = monotonic()
    try:
        result = check()
    except OverError as error:
        result = Result(Status.NOT_RUN, str(error))
    except OSError as error:
        result = Result(Status.NOT_RUN, f"this machine: {error}")
    result.name, result.seconds = name, monotonic() - began
    return result


def unusable(bundle: Bundle) -> str | None:
    """Returns why nothing can be tried."""
    if not bundle.models():
        return f"{bundle.root} has no models: make it again by `make gpu-bundle`"
    try:
        ran = bundle.synth2real("--version", seconds=30.0)
    except OSError as error:
        return f"{bundle.program()} cannot be started: {error}"
    except OverError as error:
        return str(error)
    return None if ran.code == 0 else f"{bundle.program()} cannot be started: {ran.complaint()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    args = parser().parse_args(arguments)
    if args.seconds <= 0 or args.repeats < 2:
        parser().error(
            f"--seconds ({args.seconds:g}) must be above 0, --repeats ({args.repeats}) 2 at least"
        )
    if not args.device.removeprefix("cuda:").isdecimal():
        parser().error(f"--device {args.device} is no cuda:N")
    root: Path = args.root.resolve()
    place = args.work or root
    place.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="work-", dir=place.resolve()))
    try:
        bundle = Bundle(root, work, args.device, Budget(args.seconds), args.nothing_is_computed)
        if lacking := unusable(bundle):
            print(f"gpu-check.sh: {lacking}", file=sys.stderr)
            return ENVIRONMENT
        return checked(bundle, args.out.absolute(), args.repeats)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def checked(bundle: Bundle, out: Path, times: int) -> int:
    """Runs all steps and returns the exit code that they come to."""
    found = Report(out, bundle.device, bundle.nothing_is_computed)
    print(report.heading(), flush=True)
    for step in steps(bundle, times):
        try:
            found.add(perform(step))
        except UnusableError as error:
            found.add(Result(Status.NOT_RUN, str(error), name=step[0]))
            print(f"gpu-check.sh: {bundle.device} cannot be tried", file=sys.stderr)
            return ENVIRONMENT
    print(f"{'-' * report.WIDTH}\n{found.verdict()}")
    return 1 if found.is_wrong() else 0


if __name__ == "__main__":
    sys.exit(main())
