"""Times single evaluations of a checkpoint's UNet, and says whether its numbers are sane.

    python -m baseline.probe --model CHECKPOINT --size 512x256 --batch 1 3

Each batch is evaluated with the explicit attention maps that a conversion makes in six layers, and
with diffusers' default attention everywhere. A line for each gives its seconds, the best of
`--repeat`, and those of the processor over all threads; the most memory that the process held up to
then; and the prediction's spread.

With `--layers`, a last evaluation of one latent shows for each of the six layers the spread of what
goes in and comes out, and how many positions a query attends to: the exponential of the attention's
entropy, whose most is the number of positions.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from baseline.attention import ExplicitAttention, attention_map, split_heads
from baseline.inputs import LATENT_SCALE
from baseline.network import Network
from baseline.times import peak_rss_bytes
from onnx_export.errors import CheckpointError, UsageError, exit_code_of

TIMESTEP = 401


class ShownAttention(ExplicitAttention):
    """Explicit attention that prints a line about its layer."""

    def __init__(self, layer: str) -> None:
        super().__init__()
        self.layer = layer

    def __call__(self, attn: Attention, hidden_states: torch.Tensor, **_: object) -> torch.Tensor:
        """Returns the layer's output."""
        query, key = (
            split_heads(projection(hidden_states), attn.heads)
            for projection in (attn.to_q, attn.to_k)
        )
        entropy = torch.special.entr(attention_map(query, key)).sum(dim=-1)
        result = super().__call__(attn, hidden_states)
        print(
            f"{self.layer}: spread {hidden_states.std():.3f} in, {result.std():.3f} out, "
            f"a query attends to {entropy.exp().mean():.0f} of {hidden_states.shape[1]} positions"
        )
        return result


def parser() -> argparse.ArgumentParser:
    """Returns the parser of this module's command line."""
    parser = argparse.ArgumentParser(
        prog="python -m baseline.probe", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="CHECKPOINT", help="diffusers folder")
    add("--size", default="512x256", metavar="WxH", help="of the image, in pixels")
    add("--batch", type=int, nargs="+", default=[1, 3])
    kinds = ("explicit", "default")
    add("--attention", nargs="+", choices=kinds, default=kinds)
    add("--repeat", type=int, default=1)
    add("--layers", action="store_true", help="show the six layers of explicit attention")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    args = parser().parse_args(arguments)

    def run() -> None:
        found = re.fullmatch(r"(\d+)x(\d+)", args.size)
        if found is None or any(int(length) % 64 or int(length) == 0 for length in found.groups()):
            raise UsageError(f"--size {args.size} is no WIDTHxHEIGHT in multiples of 64")
        if args.repeat < 1 or min(args.batch) < 1:
            raise UsageError(f"--repeat ({args.repeat}) and --batch must be at least 1")
        width, height = (int(length) // LATENT_SCALE for length in found.groups())
        network = Network(args.model)
        explicit = network.unet.attn_processors
        print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {args.size} pixels")
        for attention in args.attention:
            network.unet.set_attn_processor(
                dict(explicit) if attention == "explicit" else AttnProcessor2_0()
            )
            for batch in args.batch:
                probe(network, attention, (batch, 4, height, width), args.repeat)
        if args.layers:
            show_layers(network, explicit, (1, 4, height, width))

    return exit_code_of("baseline.probe", run)


def probe(network: Network, attention: str, shape: tuple[int, ...], repeat: int) -> None:
    """Prints the line of one batch; raises `CheckpointError` if its prediction is not finite."""
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    seconds: list[tuple[float, float]] = []
    for _ in range(repeat):
        start, cpu_start = time.perf_counter(), time.process_time()
        noise_pred = network.predict(latents, torch.tensor(TIMESTEP))
        seconds.append((time.perf_counter() - start, time.process_time() - cpu_start))
    if not noise_pred.isfinite().all():
        raise CheckpointError("the noise prediction has values that are not finite")
    memory, spread = peak_rss_bytes() / 2**30, noise_pred.std()
    best, cpu_best = min(seconds)
    print(
        f"{attention} attention, batch {shape[0]}: {best:.2f} s, {cpu_best:.2f} s of CPU, "
        f"peak memory {memory:.2f} GiB, prediction spreads {spread:.3f}",
        flush=True,
    )


def show_layers(network: Network, explicit: dict[str, object], shape: tuple[int, ...]) -> None:
    """Prints a line for each layer of explicit attention."""
    shown = {
        name: ShownAttention(name.removesuffix(".processor"))
        if isinstance(processor, ExplicitAttention)
        else processor
        for name, processor in explicit.items()
    }
    network.unet.set_attn_processor(shown)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    network.predict(latents, torch.tensor(TIMESTEP))


if __name__ == "__main__":
    sys.exit(main())
