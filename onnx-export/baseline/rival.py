"""Times an exported UNet in OpenVINO, in float32 or bfloat16.

    python -m baseline.rival --model MODEL --precision f32|bf16 [--repeat 3]

MODEL is a folder of `onnx_export`. Its segments are joined to the graph that they were cut from,
with plain attention (OpenVINO's own operator) in the layers where the engine injects, and evaluated
on one seeded latent with all cores. Prints JSON: the version, the precision that OpenVINO chose (it
takes float32 where the processor has no other), and of an evaluation the seconds of the clock and
those of the processor over all threads, the mean of `--repeat` after one that does not count; and
the most memory that the process held.

Needs OpenVINO and NumPy, which `make bench` keeps in an environment of their own
(`infra/setup/rival.sh`), and nothing else of this environment.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from baseline.times import peak_rss_bytes
from onnx_export.errors import CheckpointError, UsageError, exit_code_of

PRECISIONS = ("f32", "bf16")
TIMESTEP = 401


def parser() -> argparse.ArgumentParser:
    """Returns the parser of this module's command line."""
    parser = argparse.ArgumentParser(
        prog="python -m baseline.rival", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, help="folder that onnx_export wrote")
    add("--precision", choices=PRECISIONS, default="f32")
    add("--repeat", type=int, default=3)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code."""
    args = parser().parse_args(arguments)

    def run() -> None:
        if args.repeat < 1:
            raise UsageError(f"--repeat ({args.repeat}) must be at least 1")
        contract = read_contract(args.model)
        print(json.dumps(measure(args.model, contract, args.precision, args.repeat), indent=1))

    return exit_code_of("baseline.rival", run)


def read_contract(folder: Path) -> dict[str, Any]:
    """Returns what `model.json` says; raises `CheckpointError` if the folder has none."""
    path = folder / "model.json"
    try:
        contract: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is no contract of an exported model: {error}") from error
    return contract


def measure(
    folder: Path, contract: dict[str, Any], precision: str, repeat: int
) -> dict[str, str | float]:
    """Returns the figures; raises `CheckpointError` if a prediction is not finite."""
    openvino = imported("openvino")
    core = openvino.Core()
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
    }
    compiled = core.compile_model(joined(core, folder, contract), "CPU", options)
    request = compiled.create_infer_request()
    inputs = inputs_of(folder, contract)
    request.infer(inputs)
    start, cpu_start = time.perf_counter(), time.process_time()
    for _ in range(repeat):
        request.infer(inputs)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    if not np.isfinite(request.get_output_tensor().data).all():
        raise CheckpointError("the noise prediction has values that are not finite")
    chosen = compiled.get_property("INFERENCE_PRECISION_HINT")
    return {
        "version": openvino.__version__.split("-")[0],
        "precision": chosen.get_type_name(),
        "seconds": seconds / repeat,
        "cpu_seconds": cpu_seconds / repeat,
        "peak_rss_bytes": peak_rss_bytes(),
    }


def imported(name: str) -> Any:
    """Returns a module of OpenVINO's, which has no types where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        advice = "OpenVINO is not in this environment: run .cache/rival/bin/python (make rival)"
        raise UsageError(advice) from error


def inputs_of(folder: Path, contract: dict[str, Any]) -> dict[str, np.ndarray]:
    """Returns a seeded latent, a timestep and the model's prompt."""
    latent = contract["latent"]
    shape = (1, latent["channels"], latent["height"], latent["width"])
    return {
        "sample": np.random.default_rng(0).standard_normal(shape, np.float32),
        "timestep": np.array([TIMESTEP], np.int64),
        "prompt_embedding": np.load(folder / contract["prompt"]["file"]),
    }


def joined(core: Any, folder: Path, contract: dict[str, Any]) -> Any:
    """Returns the graph of all segments for one latent, with plain attention between them."""
    given: dict[str, Any] = {}
    parameters = []
    for segment in contract["segments"]:
        part = core.read_model(folder / segment["file"])
        for parameter in part.get_parameters():
            value = parameter.output(0)
            name = value.get_any_name()
            if name in given:
                value.replace(given[name])
            else:
                given[name] = value
                parameters.append(parameter)
        for result in part.get_results():
            value = result.input_value(0)
            given |= dict.fromkeys(result.output(0).get_names(), value)
        layer = segment["layer"]
        if layer is not None:
            given[layer["output"]] = attention(layer, given)
    graph = imported("openvino").Model([given["noise_pred"]], parameters, "unet")
    sizes = contract["latent"]
    graph.reshape({"sample": [1, sizes["channels"], sizes["height"], sizes["width"]]})
    return graph


def attention(layer: dict[str, Any], given: dict[str, Any]) -> Any:
    """Returns self-attention of a layer; all tensors `(batch, tokens, heads * head_width)`."""
    ops = imported("openvino.opset13")

    def heads_first(role: str) -> Any:
        sizes = np.array([0, 0, layer["heads"], layer["head_width"]])
        split = ops.reshape(given[layer[role]], sizes, special_zero=True)
        return ops.transpose(split, np.array([0, 2, 1, 3]))

    attended = ops.scaled_dot_product_attention(*map(heads_first, ("query", "key", "value")))
    tokens_first = ops.transpose(attended, np.array([0, 2, 1, 3]))
    width = layer["heads"] * layer["head_width"]
    return ops.reshape(tokens_first, np.array([0, 0, width]), special_zero=True).output(0)


if __name__ == "__main__":
    sys.exit(main())
