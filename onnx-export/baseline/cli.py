"""The command line. Exit codes: 0 done, 2 wrong usage, 3 a file that cannot be used."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from baseline.settings import METHODS, Settings, Steps
from onnx_export.console import show, tell
from onnx_export.errors import exit_code_of


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the conversion."""
    parser = argparse.ArgumentParser(
        prog="python -m baseline", description="Converts one image with plain PyTorch."
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="CHECKPOINT", help="diffusers folder")
    add("--content", type=Path, required=True, metavar="IMG")
    add("--content-label", type=Path, required=True, metavar="PNG")
    add("--style", type=Path, required=True, metavar="IMG")
    add("--style-label", type=Path, required=True, metavar="PNG")
    add("--out", type=Path, required=True, metavar="PNG")
    add("--method", choices=tuple(METHODS), default="cactif")
    add("--width", type=int, default=1024, metavar="W", help="in pixels; default: 1024")
    add("--height", type=int, default=512, metavar="H", help="in pixels; default: 512")
    add("--steps", type=int, default=50)
    add("--skip", type=int, default=30, help="steps that denoising does not execute")
    add("--seed", type=int, default=42, help="of the noise, unless --noise gives it")
    add("--injected-steps", default="2..", metavar="STEPS", help="executed steps, as 0,2..")
    add("--class-adain-steps", default="5..15", metavar="STEPS")
    add("--contrast-strength", type=float, default=1.67)
    add("--filter-fraction", type=float, default=0.25)
    add(
        "--prompt-embedding",
        type=Path,
        metavar="NPY",
        help="(1, 77, d); default: the checkpoint's prompt_embedding.npy, or the empty prompt's",
    )
    add("--noise", type=Path, metavar="NPZ", help="arrays content and style, (steps, 4, h, w)")
    add("--trace", type=Path, metavar="NPZ", help="write the output's latents at every step")
    add("--times", type=Path, metavar="JSON", help="write seconds, evaluations and memory")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    args = parser().parse_args(arguments)

    def run() -> None:
        settings = Settings(
            method=METHODS[args.method],
            steps=args.steps,
            skip=args.skip,
            injected_steps=Steps.parse(args.injected_steps),
            class_adain_steps=Steps.parse(args.class_adain_steps),
            contrast_strength=args.contrast_strength,
            filter_fraction=args.filter_fraction,
        )
        # torch and diffusers take seconds to import: wrong settings are answered before.
        from baseline.convert import Job, Labelled, convert

        job = Job(
            model=args.model,
            content=Labelled(args.content, args.content_label),
            style=Labelled(args.style, args.style_label),
            out=args.out,
            size=(args.width, args.height),
            seed=args.seed,
            prompt_embedding=args.prompt_embedding,
            noise=args.noise,
            trace=args.trace,
            times=args.times,
        )
        convert(job, settings, tell)
        show(args.out)

    return exit_code_of("baseline", run)
