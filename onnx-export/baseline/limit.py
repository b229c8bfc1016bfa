"""What this machine can do at best: products of matrices, plain attention, and the work of a UNet.

    python -m baseline.limit --size 512x256 1024x512 --attention 8x8192x40 8x2048x80

Prints JSON: for each library the floating-point operations that it does in a second in a product of
square float32 matrices (`sgemm`), the seconds of one `scaled_dot_product_attention` in each shape
(heads x tokens x width of a head), and the floating-point operations of one evaluation of Stable
Diffusion 1.5's UNet on one latent of each image size, as torch counts them: products and
convolutions, attention included. All are the best of `--repeat`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from baseline.checkpoint import WIDTHS, make_unet
from baseline.inputs import LATENT_SCALE
from onnx_export.errors import UsageError, exit_code_of
from onnx_export.tokenizer import TOKENS

ORDER = 4096
"""Rows and columns of the matrices that are multiplied."""


def lengths(text: str, count: int) -> tuple[int, ...]:
    """Returns the numbers of `AxB..`; raises `UsageError` if they are not `count` positive ones."""
    parts = text.split("x")
    if len(parts) != count or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"{text!r} is not {count} positive numbers with x between them")
    return tuple(int(part) for part in parts)


def best_seconds(work: Callable[[], Any], repeat: int) -> float:
    """Returns the seconds of the fastest of `repeat` calls, after one that does not count."""
    work()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def sgemm(repeat: int) -> dict[str, float]:
    """Returns floating-point operations a second of each library."""
    a, b = (np.random.default_rng(0).random((ORDER, ORDER), np.float32) for _ in range(2))
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    session = product_session(b)
    work = {
        "torch": lambda: left @ right,
        "onnxruntime": lambda: session.run(None, {"a": a}),
    }
    operations = 2.0 * ORDER**3
    return {name: operations / best_seconds(run, repeat) for name, run in work.items()}


def product_session(b: np.ndarray) -> onnxruntime.InferenceSession:
    """Returns ONNX Runtime's product with a constant matrix, as a UNet's weights are."""
    shape = list(b.shape)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, shape)],
        [helper.make_tensor("b", TensorProto.FLOAT, shape, b.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def attention_seconds(shape: str, repeat: int) -> float:
    """Returns the seconds of one plain attention of `heads x tokens x width`."""
    query, key, value = torch.randn(3, 1, *lengths(shape, 3)).unbind()
    return best_seconds(lambda: scaled_dot_product_attention(query, key, value), repeat)


def operations_of_unet(size: str) -> int:
    """Returns the floating-point operations of one evaluation at an image size; none is done."""
    width, height = (length // LATENT_SCALE for length in lengths(size, 2))
    full = WIDTHS["full"]
    with torch.device("meta"):
        unet = make_unet(full).eval()
        latent = torch.empty(1, 4, height, width)
        prompt = torch.empty(1, TOKENS, full.unet["cross_attention_dim"])
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            unet(latent, torch.tensor(1), prompt)
    return counter.get_total_flops()


def parser() -> argparse.ArgumentParser:
    """Returns the parser of this module's command line."""
    parser = argparse.ArgumentParser(
        prog="python -m baseline.limit", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--size", nargs="+", default=["512x256", "1024x512"], metavar="WxH", help="in pixels")
    add("--attention", nargs="+", default=["8x8192x40", "8x2048x80"], metavar="HxTxD")
    add("--repeat", type=int, default=5)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    args = parser().parse_args(arguments)

    def run() -> None:
        if args.repeat < 1:
            raise UsageError(f"--repeat ({args.repeat}) must be at least 1")
        # Before anything is measured, which takes minutes.
        for shape in args.attention:
            lengths(shape, 3)
        for size in args.size:
            lengths(size, 2)
        with torch.no_grad():
            report = {
                "threads": torch.get_num_threads(),
                "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
                "operations_of_unet": {size: operations_of_unet(size) for size in args.size},
                "sgemm": sgemm(args.repeat),
                "attention_seconds": {
                    shape: attention_seconds(shape, args.repeat) for shape in args.attention
                },
            }
        print(json.dumps(report, indent=1))

    return exit_code_of("baseline.limit", run)


if __name__ == "__main__":
    sys.exit(main())
