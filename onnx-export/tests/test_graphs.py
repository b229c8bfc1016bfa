"""The shape of the exported graphs, without running them."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import onnx
from onnx import numpy_helper

from tests.chain import Chain, MakeChain

SQUARE_TOKENS = 32


def graphs(chain: Chain) -> dict[str, onnx.ModelProto]:
    return {path.stem: onnx.load(path) for path in sorted(chain.folder.rglob("*.onnx"))}


def segments(chain: Chain) -> list[onnx.ModelProto]:
    return [onnx.load(chain.folder / segment["file"]) for segment in chain.segments]


def test_stable_diffusion_1_5_has_seven_segments(sd15_chain: Chain) -> None:
    layers = [segment["layer"] for segment in sd15_chain.segments]
    names = [f"up_blocks.{b}.attentions.{a}" for b in (2, 3) for a in (0, 1, 2)]
    assert [layer["name"] for layer in layers[:-1]] == [
        f"{name}.transformer_blocks.0.attn1" for name in names
    ]
    assert [layer["tokens"] for layer in layers[:-1]] == [32] * 3 + [128] * 3
    assert [layer["head_width"] for layer in layers[:-1]] == [10] * 3 + [4] * 3
    assert layers[-1] is None


def test_only_what_a_later_segment_needs_crosses_a_cut(sd15_chain: Chain) -> None:
    crossing = [[o["name"] for o in s["outputs"]] for s in sd15_chain.segments]
    assert [len(names) for names in crossing] == [11, 5, 5, 6, 6, 6, 1]
    given = {"sample", "timestep", "prompt_embedding"}
    for i, segment in enumerate(sd15_chain.segments):
        assert {t["name"] for t in segment["inputs"]} <= given, "a tensor nobody made"
        if layer := segment["layer"]:
            own = {layer[role] for role in ("query", "key", "value", "input")} - {None}
            assert own <= set(crossing[i])
            assert (layer["input"] is None) == (layer["tokens"] == 32)
            later = {t["name"] for s in sd15_chain.segments[i + 1 :] for t in s["inputs"]}
            assert set(crossing[i]) - own <= later
            assert layer["output"] in {t["name"] for t in sd15_chain.segments[i + 1]["inputs"]}
            given |= set(crossing[i]) | {layer["output"]}


def test_only_the_first_segment_needs_the_timestep(sd15_chain: Chain) -> None:
    inputs = [{t["name"] for t in s["inputs"]} for s in sd15_chain.segments]
    assert ["timestep" in names for names in inputs] == [True] + [False] * 6
    assert all("prompt_embedding" in names for names in inputs)


def test_every_initializer_is_in_exactly_one_segment(sd15_chain: Chain) -> None:
    names: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    for model in segments(sd15_chain):
        base = sd15_chain.folder / "unet"
        for initializer in model.graph.initializer:
            names[initializer.name] += 1
            array = numpy_helper.to_array(initializer, base_dir=str(base))
            if array.nbytes > 1024:
                weights[hashlib.sha256(array.tobytes()).hexdigest()] += 1
    assert names.most_common(1)[0][1] == 1
    assert weights.most_common(1)[0][1] == 1


def test_weights_are_external_and_every_data_file_belongs_to_one_graph(sd15_chain: Chain) -> None:
    for path in sorted(sd15_chain.folder.rglob("*.onnx")):
        model = onnx.load(path, load_external_data=False)
        locations = set()
        for initializer in model.graph.initializer:
            if initializer.data_location == onnx.TensorProto.EXTERNAL:
                locations |= {e.value for e in initializer.external_data if e.key == "location"}
            else:
                assert len(initializer.raw_data) <= 256
        assert locations == {f"{path.stem}.data"}


def test_no_tensor_is_tokens_by_tokens(sd15_chain: Chain) -> None:
    latent = sd15_chain.contract["latent"]
    positions = latent["width"] * latent["height"]
    squares = {positions >> (2 * i) for i in range(4)}
    squares = {n for n in squares if n >= SQUARE_TOKENS}
    assert squares == {128, 32}
    for name, model in graphs(sd15_chain).items():
        operators = Counter(node.op_type for node in model.graph.node)
        assert "Softmax" not in operators
        assert "InjectAttention" not in operators
        shapes = tensor_shapes(model)
        unknown = [v for n in model.graph.node for v in n.output if v not in shapes]
        assert not unknown, f"{name} has tensors of unknown shape"
        for tensor in (v for n in model.graph.node for v in n.output):
            shape = shapes[tensor]
            assert not any(shape.count(n) > 1 for n in squares), f"{name}: {tensor} is {shape}"


def test_self_attention_that_is_not_injected_is_one_operator(sd15_chain: Chain) -> None:
    counts = {
        name: sum(node.op_type == "MultiHeadAttention" for node in model.graph.node)
        for name, model in graphs(sd15_chain).items()
    }
    # Of 16 pairs, six self-attention layers are injected; the VAE's halves have one each.
    assert sum(n for name, n in counts.items() if name.startswith("segment")) == 32 - 6
    assert counts["vae_encoder"] == counts["vae_decoder"] == 1


def test_the_batch_is_dynamic_and_the_size_is_not(sd15_chain: Chain) -> None:
    for segment in sd15_chain.segments:
        for tensor in segment["inputs"] + segment["outputs"]:
            assert all(isinstance(n, int) for n in tensor["shape"][1:])
            single = tensor["name"] in ("timestep", "prompt_embedding", "time_embedding")
            assert tensor["shape"][0] == (1 if single else "batch")


def test_nothing_says_where_it_was_made(sd15_chain: Chain, workspace: Path) -> None:
    traces = [str(workspace), "site-packages", ".py", "stack_trace"]
    for path in [*sd15_chain.folder.rglob("*.onnx"), sd15_chain.folder / "model.json"]:
        content = path.read_bytes()
        assert not [trace for trace in traces if trace.encode() in content]


def test_a_half_precision_graph_takes_and_gives_halves(sd2_chain: MakeChain) -> None:
    contract = sd2_chain(dtype="fp16", weights="fp16").contract
    parts = [contract["vae_encoder"], contract["vae_decoder"], *contract["segments"]]
    dtypes = {t["name"]: t["dtype"] for p in parts for t in p["inputs"] + p["outputs"]}
    assert dtypes.pop("timestep") == "int64"
    assert set(dtypes.values()) == {"float16"}


def tensor_shapes(model: onnx.ModelProto) -> dict[str, list[int | str]]:
    """Returns every tensor's shape, initializers included."""
    graph = model.graph
    shapes = {t.name: list(t.dims) for t in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        dims = value.type.tensor_type.shape.dim
        shapes[value.name] = [d.dim_param or d.dim_value for d in dims]
    assert all(0 not in shape for shape in shapes.values()), "a dimension is unknown"
    return shapes
