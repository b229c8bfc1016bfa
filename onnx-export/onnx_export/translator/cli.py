"""The command line. Exit codes: 0 done, 2 wrong usage, 3 checkpoint or environment."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from onnx_export import translator
from onnx_export.arguments import factory, option
from onnx_export.console import show, tell
from onnx_export.errors import exit_code_of

RANGE = (-1.0, 1.0)
"""Of what ends with a hyperbolic tangent."""


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onnx_export.translator",
        description=translator.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("factory", type=factory, metavar="MODULE:FACTORY", help="what makes the network")
    add("--weights", type=Path, metavar="FILE", help="state dict, .pth or .safetensors")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add("--height", type=int, required=True, help="height of the images")
    add("--width", type=int, required=True, help="their width")
    add(
        "--inputs",
        type=names,
        default=("image",),
        metavar="NAME,...",
        help="what it takes, in this order: image, label, style, noise (default: image)",
    )
    add(
        "--input-range",
        type=float,
        nargs=2,
        default=RANGE,
        metavar=("BLACK", "WHITE"),
        help="values of the darkest and brightest pixels that it takes (default: -1 1)",
    )
    add(
        "--output-range",
        type=float,
        nargs=2,
        default=RANGE,
        metavar=("BLACK", "WHITE"),
        help="values of those that it gives (default: -1 1)",
    )
    add(
        "--unknown",
        choices=("zeros", "channel"),
        help="what a pixel of no known class is in a label (default: zeros)",
    )
    add("--noise", type=shape, metavar="N|CxHxW", help="shape of the noise of one output")
    add(
        "--option",
        type=option,
        action="append",
        metavar="NAME=VALUE",
        help="argument of FACTORY, VALUE as in Python or else a text; may be repeated",
    )
    add("--name", metavar="TEXT", help="the network's name in the contract")
    add("--force", action="store_true", help="replace DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)

    def run() -> None:
        # torch takes seconds to import: wrong usage is answered before.
        from onnx_export.factory import Factory
        from onnx_export.translator.export import Settings, export
        from onnx_export.translator.network import Takes

        takes = Takes(
            names=args.inputs,
            height=args.height,
            width=args.width,
            input_range=tuple(args.input_range),
            output_range=tuple(args.output_range),
            unknown=args.unknown,
            noise=args.noise,
        )
        made = Factory("MODULE:FACTORY", args.factory, dict(args.option or ()))
        export(Settings(made, args.weights, args.out, takes, args.name, args.force), tell)
        show(args.out)

    return exit_code_of("onnx_export.translator", run)


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def shape(text: str) -> tuple[int, ...]:
    if re.fullmatch(r"[1-9]\d{0,8}(x[1-9]\d{0,8}){0,2}", text) is None or text.count("x") == 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number, as in 256, nor CHANNELSxHEIGHTxWIDTH, as in 8x16x32"
        )
    return tuple(int(length) for length in text.split("x"))
