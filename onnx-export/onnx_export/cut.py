"""Cuts a graph at its marker operators, by liveness.

A segment ends at a marker; it gives what that marker takes (query, key, value, and of some layers
what these are projected from) and every other tensor that a later segment needs. The marker's
result is an input of the segments after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from onnx_export.attention import MARKER, MARKER_DOMAIN
from onnx_export.contract import InjectedLayer
from onnx_export.values import all_given, name_of, shape_of

# What a marker takes, in its order; the last one not of every layer.
ROLES = ("query", "key", "value", "input")


@dataclass(frozen=True)
class Segment:
    """One part of the chain and the layer that follows it (none after the last)."""

    model: ir.Model
    layer: InjectedLayer | None


def cut_at_markers(model: ir.Model) -> list[Segment]:
    """Takes `model` apart and returns its segments in order; `model` is used up."""
    graph = model.graph
    stages, markers = program_order(graph)
    name_tensors(graph, stages, markers)
    layers = [layer_of(marker) for marker in markers]
    outputs = list(graph.outputs)
    stages_of = stages_of_initializers(stages)
    graph.outputs.clear()
    graph.remove(list(graph))

    produced_in = {v: i for i, stage in enumerate(stages) for n in stage for v in n.outputs}
    crossing = {
        v: None
        for i, stage in enumerate(stages)
        for n in stage
        for v in n.inputs
        if v is not None and produced_in.get(v, i) != i
    }
    needed = list(crossing) + [v for m in markers for v in all_given(m.inputs)] + outputs
    segments = []
    for i, stage in enumerate(stages):
        gives = list(dict.fromkeys(v for v in needed if produced_in[v] == i))
        gives.sort(key=lambda v: rank(name_of(v)))
        layer = layers[i] if i < len(layers) else None
        initializers = {
            v: initializer(v, None if len(used) == 1 else i)
            for v, used in stages_of.items()
            if i in used
        }
        segments.append(Segment(segment_model(model, i, stage, gives, initializers), layer))
    return segments


def stages_of_initializers(stages: list[list[ir.Node]]) -> dict[ir.Value, set[int]]:
    """Returns which stages use each initializer."""
    used: dict[ir.Value, set[int]] = {}
    for i, stage in enumerate(stages):
        for value in (v for node in stage for v in node.inputs):
            if value is not None and value.is_initializer():
                used.setdefault(value, set()).add(i)
    return used


def program_order(graph: ir.Graph) -> tuple[list[list[ir.Node]], list[ir.Node]]:
    """Returns the nodes between the markers, and the markers."""
    stages: list[list[ir.Node]] = [[]]
    markers = []
    for node in graph:
        if (node.domain, node.op_type) == (MARKER_DOMAIN, MARKER):
            markers.append(node)
            stages.append([])
        else:
            stages[-1].append(node)
    return stages, markers


def name_tensors(graph: ir.Graph, stages: list[list[ir.Node]], markers: list[ir.Node]) -> None:
    """Gives the tensors that cross a cut names that say what they are."""
    for i, marker in enumerate(markers):
        for value, role in zip(all_given(marker.inputs), ROLES, strict=False):
            value.name = f"layer_{i}_{role}"
        marker.outputs[0].name = f"layer_{i}_output"
    stage_of = {node: i for i, stage in enumerate(stages) for node in stage}
    counts: dict[str, int] = {}
    for i, stage in enumerate(stages):
        for value in (v for node in stage for v in node.outputs):
            later = [n for n in value.consumers() if stage_of.get(n, i) > i]
            if not later or value in graph.outputs:
                continue
            kind = kind_of(value, later)
            value.name = f"{kind}_{counts.get(kind, 0)}" if kind != "time" else "time_embedding"
            counts[kind] = counts.get(kind, 0) + 1


def kind_of(value: ir.Value, consumers: list[ir.Node]) -> str:
    """Returns what a crossing tensor is, by its rank and by who takes it."""
    if len(shape_of(value)) == 2:
        return "time"
    return "skip" if all(n.op_type == "Concat" for n in consumers) else "hidden"


def rank(name: str) -> tuple[int, str]:
    """Sorts a segment's outputs: the layer's own first."""
    return next((i for i, role in enumerate(ROLES) if name.endswith(role)), len(ROLES)), name


def layer_of(marker: ir.Node) -> InjectedLayer:
    query, key, value, *projected = all_given(marker.inputs)
    shape = shape_of(query)
    heads = marker.attributes["heads"].as_int()
    return InjectedLayer(
        name=marker.attributes["layer"].as_string(),
        tokens=fixed(shape[1]),
        heads=heads,
        head_width=fixed(shape[2]) // heads,
        query=name_of(query),
        key=name_of(key),
        value=name_of(value),
        input=name_of(projected[0]) if projected else None,
        output=name_of(marker.outputs[0]),
    )


def fixed(size: int | ir.SymbolicDim) -> int:
    if not isinstance(size, int):
        raise ValueError(f"{size} is not fixed")
    return size


def segment_model(
    model: ir.Model,
    index: int,
    nodes: list[ir.Node],
    gives: list[ir.Value],
    initializers: dict[ir.Value, ir.Value],
) -> ir.Model:
    """Returns the model of one stage. Tensors from outside become its inputs."""
    inside = {v for node in nodes for v in node.outputs}
    inputs: dict[ir.Value, ir.Value] = {}
    for node in nodes:
        for position, value in enumerate(node.inputs):
            if value is None or value in inside:
                continue
            if value in initializers:
                replacement = initializers[value]
            else:
                fresh = ir.Value(name=value.name, shape=value.shape, type=value.type)
                replacement = inputs.setdefault(value, fresh)
            node.replace_input_with(position, replacement)
    graph = ir.Graph(
        inputs=list(inputs.values()),
        outputs=gives,
        nodes=nodes,
        initializers=list(initializers.values()),
        opset_imports={d: v for d, v in model.opset_imports.items() if d != MARKER_DOMAIN},
        name=f"unet_segment_{index}",
    )
    return ir.Model(graph, ir_version=model.ir_version)


def initializer(value: ir.Value, index: int | None) -> ir.Value:
    """Returns a copy; with `index`, for one several segments use, under that segment's name."""
    name = name_of(value) if index is None else f"segment_{index}.{name_of(value)}"
    return ir.Value(name=name, shape=value.shape, type=value.type, const_value=value.const_value)
