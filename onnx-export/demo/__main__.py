"""Command line of the demo's makers; see the package's own documentation."""

import argparse
import logging
from pathlib import Path

from .dataset import write_dataset


def main() -> None:
    """Runs one command."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    args = arguments().parse_args()
    match args.command:
        case "scenes":
            write_dataset(args.out)
        case "draw":
            from .pictures import draw_pictures

            stop = args.stop if args.stop is not None else args.total
            draw_pictures(args.work / "pictures.npy", args.start, stop, args.total)
        case "train-vae":
            from .vae import VaeTraining, train_vae

            of_vae = VaeTraining(args.minutes, args.seed, crop=args.crop, batch=args.batch,
                                 learning_rate=args.learning_rate,
                                 decoder_only=args.decoder_only,
                                 pictures=args.pictures)  # fmt: skip
            train_vae(args.work, args.out or args.work / "vae", of_vae)
        case "train-unet":
            from .unet import UnetTraining, train_unet

            of_unet = UnetTraining(args.minutes, args.seed, batch=args.batch,
                                   learning_rate=args.learning_rate,
                                   full_width_share=args.full_width_share,
                                   full_width_from=args.full_width_from)  # fmt: skip
            train_unet(args.work, args.out, of_unet)
        case "train-features":
            from .feature_training import FeatureTraining, train_features
            from .features import export_features

            checkpoint = args.work / "street-features.safetensors"
            train_features(checkpoint, FeatureTraining(args.steps, args.scenes, seed=args.seed))
            if args.out is not None:
                export_features(checkpoint, args.out)
        case "train-segmenter":
            from .segmenter import export_segmenter
            from .segmenter_training import SegmenterTraining, train_segmenter

            checkpoint = args.work / "street-segmenter.safetensors"
            train_segmenter(checkpoint, SegmenterTraining(args.steps, args.scenes, seed=args.seed))
            if args.out is not None:
                export_segmenter(checkpoint, args.out)
        case "references":
            from .references import write_references

            write_references(args.out, args.count)


def arguments() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m demo")
    commands = parser.add_subparsers(dest="command", required=True)

    scenes = commands.add_parser("scenes", help="draw the committed dataset")
    scenes.add_argument("--out", type=Path, required=True)

    draw = commands.add_parser("draw", help="draw the training pictures")
    draw.add_argument("--work", type=Path, required=True)
    draw.add_argument("--total", type=int, default=6000)
    draw.add_argument("--start", type=int, default=0)
    draw.add_argument("--stop", type=int)

    vae = commands.add_parser("train-vae", help="train the autoencoder on crops")
    vae.add_argument("--work", type=Path, required=True)
    vae.add_argument("--out", type=Path)
    vae.add_argument("--minutes", type=float, required=True)
    vae.add_argument("--seed", type=int, default=0)
    vae.add_argument("--crop", type=int, default=128)
    vae.add_argument("--batch", type=int, default=8)
    vae.add_argument("--learning-rate", type=float, default=2e-3)
    vae.add_argument("--decoder-only", action="store_true")
    vae.add_argument("--pictures", type=int, help="use only the first so many pictures")

    unet = commands.add_parser("train-unet", help="train the UNet on the pictures' latents")
    unet.add_argument("--work", type=Path, required=True)
    unet.add_argument("--out", type=Path, required=True)
    unet.add_argument("--minutes", type=float, required=True)
    unet.add_argument("--seed", type=int, default=0)
    unet.add_argument("--batch", type=int, default=8)
    unet.add_argument("--learning-rate", type=float, default=1.5e-3)
    unet.add_argument("--full-width-share", type=float, default=0.15)
    unet.add_argument("--full-width-from", type=float, default=0.8)

    features = commands.add_parser("train-features", help="train the network of features")
    features.add_argument("--work", type=Path, required=True)
    features.add_argument("--out", type=Path, help="export the network into this folder, too")
    features.add_argument("--steps", type=int, default=1000)
    features.add_argument("--scenes", type=int, default=2000)
    features.add_argument("--seed", type=int, default=0)

    segmenter = commands.add_parser("train-segmenter", help="train the segmenter")
    segmenter.add_argument("--work", type=Path, required=True)
    segmenter.add_argument("--out", type=Path, help="export the network into this folder, too")
    segmenter.add_argument("--steps", type=int, default=2400)
    segmenter.add_argument("--scenes", type=int, default=1600)
    segmenter.add_argument("--seed", type=int, default=0)

    references = commands.add_parser("references", help="draw the references of FID and KID")
    references.add_argument("--out", type=Path, required=True)
    references.add_argument("--count", type=int, default=200, help="pictures of each look")
    return parser


if __name__ == "__main__":
    main()
