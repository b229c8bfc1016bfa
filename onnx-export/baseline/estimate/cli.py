"""The command line. Exit codes: 0 done, 2 wrong usage, 3 a file that cannot be used."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from baseline.estimate.gpus import GPUS, Gpu, read_gpu
from baseline.settings import METHODS, Settings, Steps
from onnx_export.console import show
from onnx_export.errors import UsageError, exit_code_of

INJECTED_STEPS = {"released-code": "1..", "paper": "0.."}
"""What `synth2real` injects by default, by preset."""


def parser() -> argparse.ArgumentParser:
    """Returns the parser of this module's command line."""
    parser = argparse.ArgumentParser(
        prog="python -m baseline.estimate",
        description="Estimates seconds an image on GPUs from what a model's graphs ask for.",
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, help="folder that onnx_export wrote")
    add("--dtype", choices=("fp16", "fp32"), help="default: what the model computes in")
    add("--method", choices=tuple(METHODS), default="cactif")
    add("--preset", choices=tuple(INJECTED_STEPS), default="released-code")
    add("--styles", type=int, default=1, help="of a content; default: 1")
    add("--steps", type=int, default=50)
    add("--skip", type=int, default=30, help="steps that denoising does not execute")
    add("--injected-steps", metavar="STEPS", help="executed steps, as 0,2..; default: the preset's")
    add("--filter-fraction", type=float, default=0.25)
    add("--gpu", nargs="+", choices=tuple(GPUS), metavar="NAME", help=f"of {', '.join(GPUS)}")
    add("--gpu-file", nargs="+", type=Path, default=[], metavar="TOML", help="figures of one's own")
    add("--json", type=Path, metavar="FILE", help="write everything that was counted, too")
    return parser


def settings_of(args: argparse.Namespace) -> Settings:
    """Returns how an image is converted; raises `UsageError` if it cannot be so."""
    if args.styles < 1:
        raise UsageError(f"--styles ({args.styles}) must be at least 1")
    return Settings(
        method=METHODS[args.method],
        steps=args.steps,
        skip=args.skip,
        injected_steps=Steps.parse(args.injected_steps or INJECTED_STEPS[args.preset]),
        filter_fraction=args.filter_fraction,
    )


def gpus_of(args: argparse.Namespace) -> list[Gpu]:
    """Returns the GPUs that are asked for: all that are known, unless some are named."""
    own = [read_gpu(path) for path in args.gpu_file]
    named = args.gpu or ([] if own else list(GPUS))
    return [*(GPUS[name] for name in dict.fromkeys(named)), *own]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    args = parser().parse_args(arguments)

    def run() -> None:
        settings, gpus = settings_of(args), gpus_of(args)
        # ONNX takes a second to import: wrong usage is answered before.
        from baseline.estimate.injection import Filter
        from baseline.estimate.model import Model
        from baseline.estimate.report import Asked, as_json, note, table
        from baseline.estimate.ways import Evaluations, authors_evaluations, ways
        from baseline.rival import read_contract

        model = Model(args.model, read_contract(args.model), args.dtype)
        paper = args.preset == "paper"
        found = Filter(settings.filter_fraction, query_rows=paper, full_width_match=paper)
        counted = ways(model, settings, found if settings.method.filtering else None, args.styles)
        asked = Asked(
            model=str(args.model),
            width=model.size[0],
            height=model.size[1],
            dtype=model.dtype,
            method=args.method,
            preset=args.preset,
            styles=args.styles,
            evaluations=Evaluations.of(settings, args.styles).total,
            authors_evaluations=authors_evaluations(settings),
        )
        if args.json is not None:
            report = as_json(asked, counted, gpus)
            args.json.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
        show(table(counted, gpus))
        show(f"\n{note(asked)}")

    return exit_code_of("baseline.estimate", run)
