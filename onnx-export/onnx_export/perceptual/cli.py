"""The command line. Exit codes: 0 done, 2 wrong usage, 3 checkpoint or environment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from onnx_export import perceptual
from onnx_export.console import show
from onnx_export.errors import exit_code_of


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onnx_export.perceptual",
        description=perceptual.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--net", choices=tuple(perceptual.BACKBONES), required=True, help="alex is the usual one")
    add("--backbone", type=Path, required=True, metavar="FILE", help="torchvision's state dict")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add("--force", action="store_true", help="replace DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)

    def run() -> None:
        # torch takes seconds to import: wrong usage is answered before.
        from onnx_export.perceptual.export import Settings, export

        export(Settings(args.net, args.backbone, args.out, args.force))
        show(args.out)

    return exit_code_of("onnx_export.perceptual", run)
