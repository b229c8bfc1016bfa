"""The command line. Exit codes: 0 done, 2 wrong usage, 3 inputs or environment."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from downstream.errors import ExperimentError
from onnx_export.console import show
from onnx_export.errors import NO_MEMORY, exit_code_of, first_line

NETWORKS = (
    "unet", *(f"segformer-b{of}" for of in range(6)),
    "deeplabv3-resnet50", "deeplabv3-resnet101", "deeplabv3-mobilenet", "lraspp",
)  # fmt: skip
RECIPES = ("small", "daformer", "segformer", "deeplab")


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m downstream",
        description="Trains a segmenter on runs and on what they are compared with, and tests it "
        "on real images. Started again, it goes on.",
    )
    add = parser.add_argument
    root = os.environ.get("SYNTH2REAL_ROOT", "out")
    add("runs", nargs="+", metavar="RUN", help="a run's name below --root, or its folder")
    add("--real", type=Path, required=True, metavar="DIR", help="labelled real images to test on")
    add("--real-split", metavar="NAME", help="only images in a folder of this name, such as val")
    add("--real-train", type=Path, metavar="DIR", help="labelled real images for the oracle")
    add("--real-train-split", metavar="NAME", help="only images in a folder of this name")
    add(
        "--out",
        type=Path,
        default=Path("downstream-out"),
        metavar="DIR",
        help="default: %(default)s",
    )
    add(
        "--root",
        type=Path,
        default=Path(root),
        metavar="DIR",
        help="storage root (default: %(default)s)",
    )
    add(
        "--content-root",
        type=Path,
        metavar="DIR",
        help="where contents are, if not where the run had them",
    )
    add(
        "--style-root",
        type=Path,
        metavar="DIR",
        help="where styles are, if not where the run had them",
    )
    add(
        "--style", action="append", default=[], metavar="GLOB", help="only these styles of the runs"
    )
    add(
        "--partial", action="store_true", help="take runs that are not complete; the result says so"
    )
    add("--images", type=int, metavar="N", help="images an arm (default: as many as all arms have)")
    add(
        "--size",
        type=int,
        nargs=2,
        metavar=("W", "H"),
        help="train and test at this size (default: the runs')",
    )
    add("--no-source-and-run", action="store_true", help="leave out the arms of source and run")
    add("--colour-transfer", choices=("reinhard", "histogram"), default="reinhard")
    add(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="trainings of each arm (default: %(default)s)",
    )
    add("--network", choices=NETWORKS, default="unet", help="default: %(default)s, for a CPU")
    add(
        "--weights", type=Path, metavar="PATH", help="weights to begin with: a local folder or file"
    )
    add("--recipe", choices=RECIPES, help="default: what fits the network")
    add("--steps", type=int, metavar="N", help="in place of the recipe's")
    add("--batch", type=int, metavar="N", help="in place of the recipe's")
    add("--crop", type=int, nargs=2, metavar=("W", "H"), help="in place of the recipe's")
    add("--learning-rate", type=float, metavar="X", help="in place of the recipe's")
    add(
        "--device", default=None, metavar="NAME", help="cpu or cuda (default: cuda if there is one)"
    )
    add("--threads", type=int, metavar="N", help="of the CPU (default: all)")
    add(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="trainings at a time, which share the threads (default: %(default)s)",
    )
    add(
        "--loaders",
        type=int,
        default=0,
        metavar="N",
        help="processes that read images for each training (default: %(default)s, it reads itself)",
    )
    add(
        "--trained",
        type=Path,
        metavar="DIR",
        help="keep trained networks here, and take them from here",
    )
    add(
        "--resamples",
        type=int,
        default=2000,
        metavar="N",
        help="of the bootstrap (default: %(default)s)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one experiment and returns the exit code."""
    args = parser().parse_args(arguments)
    for name in ("seeds", "resamples", "images", "threads", "jobs", "steps", "batch"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser().error(f"--{name} ({value}) must be at least 1")
    if args.loaders < 0:
        parser().error(f"--loaders ({args.loaders}) must be at least 0")
    return exit_code_of("downstream", lambda: within_memory(lambda: run(args)))


def within_memory(action: Callable[[], None]) -> None:
    """Runs `action`, and says what helps where memory is not enough."""
    try:
        action()
    except (MemoryError, RuntimeError) as error:
        told = str(error)
        if not isinstance(error, MemoryError) and not any(
            said in told for said in (*NO_MEMORY, "out of memory")
        ):
            raise
        raise ExperimentError(
            f"memory is not enough ({first_line(error)}): a smaller --batch or --crop needs less"
        ) from error


def run(args: argparse.Namespace) -> None:
    """Runs an experiment and stores its figures."""
    # torch takes seconds to import: wrong usage is answered before.
    from downstream.bootstrap import Bootstrap
    from downstream.perform import Request, perform

    request = Request(
        runs=tuple(args.runs),
        real=args.real,
        real_split=args.real_split,
        real_train=args.real_train,
        real_train_split=args.real_train_split,
        out=args.out,
        root=args.root,
        content_root=args.content_root,
        style_root=args.style_root,
        styles=tuple(args.style),
        partial=args.partial,
        images=args.images,
        size=None if args.size is None else (args.size[0], args.size[1]),
        with_source_and_run=not args.no_source_and_run,
        colour_transfer=args.colour_transfer,
        seeds=args.seeds,
        network=args.network,
        weights=args.weights,
        recipe=args.recipe,
        steps=args.steps,
        batch=args.batch,
        crop=None if args.crop is None else (args.crop[0], args.crop[1]),
        learning_rate=args.learning_rate,
        device=args.device,
        threads=args.threads,
        jobs=args.jobs,
        loaders=args.loaders,
        trained=args.trained,
        bootstrap=Bootstrap(resamples=args.resamples),
    )
    done = perform(request)
    show(done.table)
    show(args.out / "downstream.json")
