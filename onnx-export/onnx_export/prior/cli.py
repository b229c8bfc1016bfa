"""The command line. Exit codes: 0 done, 2 wrong usage, 3 checkpoint or environment."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from onnx_export import prior
from onnx_export.console import show, tell
from onnx_export.errors import exit_code_of


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onnx_export.prior",
        description=prior.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="folder in transformers' layout")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    add("--height", type=int, required=True, help="height of the images that a model converts")
    add("--width", type=int, required=True, help="their width")
    add("--force", action="store_true", help="replace DIR")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    args = parser().parse_args(arguments)

    def run() -> None:
        # torch takes seconds to import: wrong usage is answered before.
        from onnx_export.prior.export import Settings, export

        export(Settings(args.checkpoint, args.out, args.height, args.width, args.force), tell)
        show(args.out)

    return exit_code_of("onnx_export.prior", run)
