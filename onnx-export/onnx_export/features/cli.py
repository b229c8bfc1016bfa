"""The command line. Exit codes: 0 done, 2 wrong usage, 3 checkpoint or environment."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnx_export import features
from onnx_export.arguments import channels, option, size, spread
from onnx_export.console import show, tell
from onnx_export.errors import exit_code_of

if TYPE_CHECKING:
    from onnx_export.features.adapter import Adapter

PYTORCH_FID = "pytorch-fid"
OF_ADAPTERS = ("layer", "resize", "filter", "mean", "std", "option")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onnx_export.features",
        description=features.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="state dict, .pth or .safetensors")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add(
        "--extractor",
        type=extractor,
        default=PYTORCH_FID,
        metavar="MODULE:FACTORY",
        help="what makes the network (default: pytorch-fid's Inception-v3)",
    )
    add("--name", metavar="TEXT", help="the network's name in the contract")
    add("--force", action="store_true", help="replace DIR")
    group = parser.add_argument_group("with --extractor MODULE:FACTORY")
    add = group.add_argument
    add(
        "--layer",
        help="the module whose output is the features, (batch, channels) or (batch, channels, "
        "height, width), which is averaged over the pixels; named as in named_modules()",
    )
    add("--resize", type=size, metavar="WxH", help="size the network works in")
    add(
        "--filter",
        choices=("bilinear", "bicubic", "none"),
        help="how images are resized, without antialiasing; none: not at all (default: bilinear)",
    )
    add("--mean", type=channels, metavar="R,G,B", help="taken from the channels (default: 0,0,0)")
    add("--std", type=spread, metavar="R,G,B", help="what they are divided by (default: 1,1,1)")
    add(
        "--option",
        type=option,
        action="append",
        metavar="NAME=VALUE",
        help="argument of FACTORY, VALUE as in Python or else a text; may be repeated",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)
    refuse_contradictions(args)

    def run() -> None:
        # torch takes seconds to import: wrong usage is answered before.
        from onnx_export.features.export import Settings, export

        adapter = None if args.extractor == PYTORCH_FID else adapter_of(args)
        settings = Settings(args.checkpoint, args.out, adapter, args.name, args.force)
        export(settings, tell)
        show(args.out)

    return exit_code_of("onnx_export.features", run)


def refuse_contradictions(args: argparse.Namespace) -> None:
    given = [f"--{name}" for name in OF_ADAPTERS if getattr(args, name) is not None]
    if args.extractor == PYTORCH_FID:
        if given:
            parser().error(
                f"{given[0]} needs --extractor MODULE:FACTORY: pytorch-fid's network is fixed"
            )
        return
    if args.layer is None:
        parser().error(f"--extractor {args.extractor} needs --layer: which output is the features")
    if args.filter == "none" and args.resize is not None:
        parser().error("--resize contradicts --filter none: leave one of them out")
    if args.filter != "none" and args.resize is None:
        parser().error("give the size the network works in as --resize WxH, or --filter none")


def adapter_of(args: argparse.Namespace) -> Adapter:
    from onnx_export.contract import Resize
    from onnx_export.features.adapter import Adapter

    resize = None
    if args.resize is not None:
        width, height = args.resize
        resize = Resize(width, height, args.filter or "bilinear")
    return Adapter(
        extractor=args.extractor,
        layer=args.layer,
        resize=resize,
        mean=args.mean or (0.0, 0.0, 0.0),
        std=args.std or (1.0, 1.0, 1.0),
        options=dict(args.option or ()),
    )


def extractor(text: str) -> str:
    if text != PYTORCH_FID and not re.fullmatch(r"[\w.]+:\w+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither {PYTORCH_FID} nor MODULE:FACTORY")
    return text
