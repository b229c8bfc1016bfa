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
        help="diffusers folder (unet, vae, scheduler), or one .safetensors file with all of it",
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
    add(
        "--vae-dtype",
        choices=("fp32", "fp16"),
        help="what the VAE's graphs compute in (default: dtype)",
    )
    add("--vae", type=Path, metavar="DIR", help="another VAE, in diffusers' layout")
    add(
        "--lora",
        action="append",
        default=[],
        metavar="FILE[:SCALE]",
        help="added to the weights, times SCALE (default: 1); may be given several times",
    )
    add(
        "--config",
        type=Path,
        metavar="DIR",
        help="configurations for a checkpoint in one file (default: those of its release)",
    )
    add(
        "--prediction-type",
        choices=("epsilon", "v_prediction"),
        help="what the UNet predicts (default: as the checkpoint says)",
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
    vae_dtype = args.vae_dtype or args.dtype
    for option, dtype in (("--dtype", args.dtype), ("--vae-dtype", vae_dtype)):
        if dtype == "fp16" and args.weights == "fp32":
            parser().error(
                f"--weights fp32 needs {option} fp32: a half-precision graph has half weights"
            )
    # torch and diffusers take seconds to import: wrong usage is answered before.
    from onnx_export.checkpoint import Choices
    from onnx_export.contract import Precision
    from onnx_export.export import Settings, export
    from onnx_export.freeu import FreeUScales
    from onnx_export.lora import LoraFile

    def run() -> None:
        settings = Settings(
            checkpoint=args.checkpoint,
            out=args.out,
            height=args.height,
            width=args.width,
            dtype=args.dtype,
            weights=args.weights or args.dtype,
            vae_precision=Precision(vae_dtype, args.weights or vae_dtype),
            choices=Choices(
                config=args.config,
                vae=args.vae,
                prediction_type=args.prediction_type,
                loras=tuple(LoraFile.parse(text) for text in args.lora),
            ),
            freeu=FreeUScales() if args.freeu == "cross-image" else None,
            prompt=args.prompt,
            prompt_embedding=args.prompt_embedding,
            name=args.name,
            force=args.force,
        )
        export(settings, tell)
        show(args.out)

    return exit_code_of("onnx_export", run)
