"""What graphs and injected layers ask for, against counts by hand, by torch and by a profiler."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import GraphProto, TensorProto, helper, numpy_helper, save
from torch.utils.flop_counter import FlopCounterMode

from baseline.checkpoint import WIDTHS, make_unet
from baseline.estimate.graphs import (
    FUSED_NORMS,
    ONNX_RUNTIME,
    PYTORCH,
    Rules,
    graph_work,
    weight_bytes,
)
from baseline.estimate.injection import Filter, Layer, explicit, fused, own, written
from baseline.estimate.model import Model
from baseline.estimate.shapes import shaped
from baseline.estimate.work import Kernel, Unit, totals
from baseline.rival import read_contract
from onnx_export.errors import CheckpointError
from onnx_export.tokenizer import TOKENS

MODEL = Path(__file__).parents[3] / "tests/fixtures/golden-model"
RELEASED = Filter(0.25, query_rows=False, full_width_match=False)
PAPER = Filter(0.25, query_rows=True, full_width_match=True)
LARGEST = Layer(tokens=8192, heads=8, head_width=40)


def block() -> GraphProto:
    """Returns a convolution of 2 to 4 channels, a norm of two groups with SiLU, and a projection.

    An image of 3x5 becomes `(batch, 15, 6)`, a token for each pixel.
    """
    weights = {
        "kernel": np.zeros((4, 2, 3, 3), np.float32),
        "bias": np.zeros(4, np.float32),
        "ones": np.zeros(2, np.float32),
        "zeros": np.zeros(2, np.float32),
        "scale": np.zeros((4, 1, 1), np.float32),
        "shift": np.zeros((4, 1, 1), np.float32),
        "projection": np.zeros((4, 6), np.float32),
        "projection_bias": np.zeros(6, np.float32),
        "groups": np.array([-1, 2, 30]),
        "image": np.array([-1, 4, 3, 5]),
        "tokens": np.array([-1, 4, 15]),
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["in", "kernel", "bias"], ["convolved"], pads=[1, 1, 1, 1]),
        node("Reshape", ["convolved", "groups"], ["grouped"]),
        node("InstanceNormalization", ["grouped", "ones", "zeros"], ["normal"]),
        node("Reshape", ["normal", "image"], ["ungrouped"]),
        node("Mul", ["ungrouped", "scale"], ["scaled"]),
        node("Add", ["scaled", "shift"], ["shifted"]),
        node("Sigmoid", ["shifted"], ["gate"]),
        node("Mul", ["shifted", "gate"], ["active"]),
        node("Reshape", ["active", "tokens"], ["flat"]),
        node("Transpose", ["flat"], ["by_tokens"], perm=[0, 2, 1]),
        node("MatMul", ["by_tokens", "projection"], ["projected"]),
        node("Add", ["projected", "projection_bias"], ["biased"]),
        node("Gelu", ["biased"], ["out"]),
    ]
    return helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["batch", 2, 3, 5])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 15, 6])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )


@pytest.fixture
def graph_file(tmp_path: Path) -> Path:
    return saved(block(), tmp_path / "block.onnx")


def saved(graph: GraphProto, path: Path) -> Path:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def names(work: tuple[Kernel, ...]) -> list[str]:
    return [kernel.name for kernel in work]


def test_a_small_graph_is_counted_as_by_hand(graph_file: Path) -> None:
    work = graph_work(shaped(graph_file, 2), ONNX_RUNTIME, half=False)
    # A batch of two: 60 numbers in, 120 behind the convolution, 180 behind the projection.
    assert [(kernel.name, kernel.bytes / 4, kernel.operations) for kernel in work] == [
        ("Conv", 60 + 72 + 4 + 120, 2 * 120 * 2 * 9),
        ("convolution's bias", 2 * 120, 0),
        ("InstanceNormalization", 120 + 2 + 2 + 120, 0),
        ("Mul", 120 + 4 + 120, 0),
        ("Add", 120 + 4 + 120, 0),
        ("Sigmoid", 120 + 120, 0),
        ("Transpose", 120 + 120, 0),
        ("MatMul", 120 + 24 + 180, 2 * 180 * 4),
        ("Add", 180 + 6 + 180, 0),
    ]
    assert totals(work).launches == 9
    assert {kernel.unit for kernel in work} == {Unit.SINGLE}


def test_half_precision_halves_bytes_and_copies_layouts_of_convolutions(graph_file: Path) -> None:
    single, half = (graph_work(shaped(graph_file, 1), ONNX_RUNTIME, half) for half in (False, True))
    copies = [kernel for kernel in half if kernel.name == "convolution's layouts"]
    assert [(kernel.bytes, kernel.launches) for kernel in copies] == [(2 * 2 * (30 + 72 + 60), 0)]
    assert totals(half).bytes - copies[0].bytes == totals(single).bytes / 2
    # Scale and shift of the norm become float32.
    assert totals(half).launches == totals(single).launches + 2
    assert [kernel.name for kernel in half if kernel.unit is Unit.HALF] == ["Conv", "MatMul"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            PYTORCH,
            [
                "Conv",
                "convolution's bias",
                "InstanceNormalization",
                "Sigmoid",
                "Transpose",
                "MatMul",
                "Gelu",
            ],
        ),
        (FUSED_NORMS, ["Conv", "InstanceNormalization", "MatMul", "Add"]),
    ],
)
def test_what_is_fused_is_one_kernel_without_what_is_inside(
    graph_file: Path, rules: Rules, expected: list[str]
) -> None:
    work = graph_work(shaped(graph_file, 2), rules, half=False)
    assert names(work) == expected
    norm = work[expected.index("InstanceNormalization")]
    # It reads and writes the image once, and reads two numbers for each group and channel.
    assert norm.bytes == 4 * (120 + 2 + 2 + 4 + 4 + 120)
    now = graph_work(shaped(graph_file, 2), ONNX_RUNTIME, half=False)
    assert totals(work).operations == totals(now).operations


def test_what_another_node_reads_too_is_written_by_a_fused_kernel(tmp_path: Path) -> None:
    graph = block()
    graph.output.append(helper.make_tensor_value_info("shifted", TensorProto.FLOAT, None))
    path = saved(graph, tmp_path / "open.onnx")
    norm = graph_work(shaped(path, 1), FUSED_NORMS, half=False)[1]
    assert norm.name == "InstanceNormalization"
    assert norm.bytes == 4 * (60 + 2 + 2 + 4 + 4 + 60 + 60)


def test_weights_are_counted_by_shape(graph_file: Path) -> None:
    floats, whole = 72 + 4 + 2 + 2 + 4 + 4 + 24 + 6, 3 + 4 + 3
    assert weight_bytes(shaped(graph_file, 1), half=True) == 2 * floats + 8 * whole


def test_an_attention_has_scores_and_averages(tmp_path: Path) -> None:
    entry = helper.make_tensor_value_info
    node = helper.make_node(
        "MultiHeadAttention", ["q", "k", "v"], ["out"], domain="com.microsoft", num_heads=2
    )
    inputs = [entry(name, TensorProto.FLOAT, ["batch", 7, 6]) for name in ("k", "v")]
    graph = helper.make_graph(
        [node],
        "attention",
        [entry("q", TensorProto.FLOAT, ["batch", 5, 6]), *inputs],
        [entry("out", TensorProto.FLOAT, ["batch", 5, 6])],
    )
    (kernel,) = graph_work(
        shaped(saved(graph, tmp_path / "attention.onnx"), 1), ONNX_RUNTIME, half=True
    )
    assert kernel.operations == 2 * (2 * 5 * 7 * 6)
    assert kernel.bytes == 2 * (30 + 42 + 42 + 30)


def test_what_no_export_has_is_refused_by_name(tmp_path: Path) -> None:
    graph = block()
    graph.node[0].domain = "elsewhere"
    with pytest.raises(CheckpointError, match=r"has elsewhere.Conv"):
        shaped(saved(graph, tmp_path / "other.onnx"), 1)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\xff" * 64)
    with pytest.raises(CheckpointError, match="is no ONNX graph"):
        shaped(broken, 1)
    unfit = block()
    (projection,) = (weights for weights in unfit.initializer if weights.name == "projection")
    projection.CopyFrom(numpy_helper.from_array(np.zeros((5, 6), np.float32), "projection"))
    with pytest.raises(CheckpointError, match="do not fit"):
        shaped(saved(unfit, tmp_path / "unfit.onnx"), 1)


def test_operations_of_an_exported_unet_are_those_that_torch_counts() -> None:
    contract = read_contract(MODEL)
    model = Model(MODEL, contract)
    latent = contract["latent"]
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        unet = make_unet(WIDTHS["golden"]).eval()
        image = torch.empty(1, latent["channels"], latent["height"], latent["width"])
        unet(image, torch.tensor(1), torch.empty(1, TOKENS, contract["prompt"]["width"]))
    counted = totals(model.unet(ONNX_RUNTIME) + model.own()).operations
    # FreeU is in the export alone: two small products before each of two blocks.
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert counted >= counter.get_total_flops()


def test_a_small_injected_layer_is_counted_as_by_hand() -> None:
    # 4 tokens, 2 heads of 3: 24 numbers of a query, a matrix of 32 weights, one tile.
    layer = Layer(tokens=4, heads=2, head_width=3)
    work = written(layer, None, half=False)
    assert [(kernel.name, kernel.bytes / 4) for kernel in work] == [
        *(("Transpose", 48), ("Split", 48), ("Transpose", 48)),
        *(("Transpose", 48), ("Transpose", 48)),
        ("scores", 24 + 24 + 32),
        *((name, 64) for name in ("Softmax", "Sub", "Mul", "Add", "Clip")),
        ("averages", 32 + 24 + 24),
        ("Concat", 48),
    ]
    assert totals(work).operations == 2 * (2 * 4 * 4 * 6)
    assert own(layer, half=False).operations == totals(work).operations
    halved = written(layer, None, half=True)
    # Three inputs become float32, and the output float16: what is between is as it was.
    assert totals(halved).bytes == totals(work).bytes + 4 * 24 * (4 + 2)
    assert {kernel.unit for kernel in halved if kernel.operations} == {Unit.TF32}


def test_a_filter_makes_the_matrix_for_the_match_and_for_both_averages() -> None:
    layer = Layer(tokens=4, heads=2, head_width=3)
    by_columns, by_rows = (
        Counter(names(written(layer, found, half=False))) for found in (RELEASED, PAPER)
    )
    assert (by_columns["scores"], by_columns["averages"], by_columns["Clip"]) == (3, 2, 2)
    # The paper's match has no softmax.
    assert (by_rows["scores"], by_rows["averages"], by_rows["Clip"]) == (3, 2, 1)
    assert (by_columns["Where"], by_rows["Where"]) == (2, 1)


def test_tiles_of_the_largest_layer_are_the_engines() -> None:
    assert Counter(names(written(LARGEST, RELEASED, half=False)))["ArgMax"] == 32
    assert Counter(names(written(Layer(2048, 8, 80), RELEASED, half=False)))["ArgMax"] == 2


def test_the_largest_layer_moves_what_a_profiler_saw() -> None:
    """ONNX Runtime's profiler saw 38.9 GB in float32 when equal nodes were made once."""
    work = written(LARGEST, RELEASED, half=False)
    matched = work[: names(work).index("Concat")]
    merged = [k for k in matched if k.name in {"scores", "Softmax", "Sub", "Mul", "Add", "Clip"}]
    assert totals(work).bytes - totals(merged).bytes == pytest.approx(38.9e9, rel=0.01)
    # Without that, each is made again for the averages.
    assert totals(work).bytes == pytest.approx(62.8e9, rel=0.01)


@pytest.mark.parametrize("found", [None, RELEASED, PAPER])
def test_a_fused_layer_moves_no_matrix(found: Filter | None) -> None:
    assert totals(fused(LARGEST, found, half=True)).bytes <= 0.3e9
    maps = explicit(LARGEST, found, half=True, outputs=1, others=1)
    assert totals(maps).bytes > 10e9
    least = 2 * LARGEST.product
    for work in (fused(LARGEST, found, half=True), written(LARGEST, found, half=True)):
        assert totals(work).operations >= least
    assert totals(maps).operations == 2 * least
