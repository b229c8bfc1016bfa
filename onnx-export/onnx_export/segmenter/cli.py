"""The command line. Exit codes: 0 done, 2 wrong usage, 3 checkpoint or environment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onnx_export import segmenter
from onnx_export.arguments import channels, factory, option, size, spread
from onnx_export.console import show, tell
from onnx_export.errors import exit_code_of

if TYPE_CHECKING:
    from onnx_export.segmenter.sources import Loader


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onnx_export.segmenter",
        description=segmenter.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument(
        "--torchvision", metavar="NAME", help="deeplabv3_..., fcn_... or lraspp_..., with --weights"
    )
    one.add_argument(
        "--transformers", type=Path, metavar="DIR", help="folder with config.json and weights"
    )
    one.add_argument(
        "--factory",
        type=factory,
        metavar="MODULE:FACTORY",
        help="what makes the network: it gives scores (batch, classes, height, width) of any size",
    )
    add = parser.add_argument
    add("--weights", type=Path, metavar="FILE", help="state dict, .pth or .safetensors")
    add(
        "--classes",
        metavar="TABLE",
        help="which class is which: .json, .toml or .csv, or ade20k, cityscapes or voc",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add("--resize", type=size, metavar="WxH", help="size the network works in (default: any)")
    add("--mean", type=channels, metavar="R,G,B", help="taken from the channels of images in 0..1")
    add("--std", type=spread, metavar="R,G,B", help="what they are divided by")
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
    refuse_contradictions(args)

    def run() -> None:
        # torch takes seconds to import: wrong usage is answered before.
        from onnx_export.contract import Normalisation, Resize
        from onnx_export.segmenter.export import Settings, export

        settings = Settings(
            loader_of(args),
            args.out,
            classes=args.classes,
            resize=None
            if args.resize is None
            else Resize(args.resize[0], args.resize[1], "bilinear"),
            normalisation=None if args.mean is None else Normalisation(args.mean, args.std),
            name=args.name,
            force=args.force,
        )
        export(settings, tell)
        show(args.out)

    return exit_code_of("onnx_export.segmenter", run)


def refuse_contradictions(args: argparse.Namespace) -> None:
    if args.torchvision is not None and args.weights is None:
        parser().error("--torchvision needs --weights FILE: the state dict of that network")
    if args.transformers is not None and args.weights is not None:
        parser().error("--weights contradicts --transformers: the folder has its own")
    if args.option is not None and args.factory is None:
        parser().error("--option needs --factory MODULE:FACTORY, whose argument it is")
    if (args.mean is None) != (args.std is None):
        parser().error("--mean and --std go together: give both or none")


def loader_of(args: argparse.Namespace) -> Loader:
    from onnx_export.factory import Factory
    from onnx_export.segmenter.folder import Folder
    from onnx_export.segmenter.sources import Made, Torchvision

    if args.torchvision is not None:
        return Torchvision(args.torchvision, args.weights)
    if args.transformers is not None:
        return Folder(args.transformers)
    return Made(Factory("--factory", args.factory, dict(args.option or ())), args.weights)
