"""The command line. Exit codes: 0 done, 2 wrong usage, 3 checkpoint or environment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import onnx_export
from onnx_export.console import show, tell
from onnx_export.errors import exit_code_of


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onnx_export", description=onnx_export.__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="diffusers folder (unet, vae, scheduler)",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="model folder to write")
    add("--height", type=int, required=True, metavar="H", help="image height in pixels")
    add("--width", type=int, required=True, metavar="W", help="image width in pixels")
    add("--dtype", choices=("fp32", "fp16"), default="fp32", help="what the graphs compute in")
    add(
        "--weights",
        choices=("fp32", "fp16"),
        help="what the weights are stored in (default: dtype)",
    )
    add("--freeu", choices=("cross-image", "none"), default="cross-image")
    add("--name", help="the source's name in the contract (default: the folder's)")
    add("--force", action="store_true", help="replace DIR")
    prompt = parser.add_mutually_exclusive_group()
    prompt.add_argument("--prompt", default="", metavar="TEXT", help="default: the empty prompt")
    prompt.add_argument("--prompt-embedding", type=Path, metavar="NPY", help="(1, 77, d) float32")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)
    weights = args.weights or args.dtype
    if args.dtype == "fp16" and weights == "fp32":
        parser().error("--weights fp32 needs --dtype fp32: a half-precision graph has half weights")
    # torch and diffusers take seconds to import: wrong usage is answered before.
    from onnx_export.export import Settings, export
    from onnx_export.freeu import FreeUScales

    settings = Settings(
        checkpoint=args.checkpoint,
        out=args.out,
        height=args.height,
        width=args.width,
        dtype=args.dtype,
        weights=weights,
        freeu=FreeUScales() if args.freeu == "cross-image" else None,
        prompt=args.prompt,
        prompt_embedding=args.prompt_embedding,
        name=args.name,
        force=args.force,
    )

    def run() -> None:
        export(settings, tell)
        show(args.out)

    return exit_code_of("onnx_export", run)
