"""What the graphs of a model ask for, kernel by kernel, of a program that fuses some of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from onnx import NodeProto

from baseline.estimate.shapes import ATTENTION, Shaped
from baseline.estimate.work import Kernel, Unit, Work

VIEWS = frozenset({"Constant", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
# Between an image and its tokens, both of which have channels last if they may.
LAYOUTS = frozenset({(0, 2, 1), (0, 2, 3, 1), (0, 3, 1, 2)})
PRODUCTS = frozenset({"Conv", "Gemm", "MatMul", ATTENTION})
NORM = "InstanceNormalization"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a program computes in one kernel; each has sigmoid and product in one.

    `gelu_biases`, `linear_biases` and `conv_biases` are added where the activation or the product
    is computed. `group_norms` are one kernel with their scale and shift, `norm_activations` with
    the activation behind them. With `channels_last` convolutions on tensor cores read and write the
    layout that they compute in; otherwise they copy their input, their weights and their output.
    """

    gelu_biases: bool = False
    linear_biases: bool = False
    conv_biases: bool = False
    group_norms: bool = False
    norm_activations: bool = False
    channels_last: bool = False


ONNX_RUNTIME = Rules(gelu_biases=True)
PYTORCH = Rules(linear_biases=True, group_norms=True)
FUSED_NORMS = Rules(
    gelu_biases=True,
    conv_biases=True,
    group_norms=True,
    norm_activations=True,
    channels_last=True,
)


def graph_work(shaped: Shaped, rules: Rules, half: bool) -> Work:
    """Returns the kernels of a graph, with numbers of two bytes if `half`, of four otherwise."""
    return Counter(shaped, rules, half).work()


class Counter:
    """Counts a graph: nodes become groups of one kernel, views none."""

    def __init__(self, shaped: Shaped, rules: Rules, half: bool) -> None:
        self.shaped, self.rules, self.half = shaped, rules, half
        self.of_float = 2 if half else 4
        self.nodes = shaped.nodes
        self.source: dict[str, str] = {}
        for node in self.nodes:
            if self.is_view(node):
                source = node.input[0] if node.input else node.output[0]
                self.source[node.output[0]] = self.source.get(source, source)
        # What a group reads, it reads by the name that is not a view's.
        self.readers: dict[str, list[int]] = defaultdict(list)
        for place, node in enumerate(self.nodes):
            if not self.is_view(node):
                for tensor in node.input:
                    self.readers[self.original(tensor)].append(place)
        self.given = {self.original(value.name) for value in shaped.graph.output}

    def work(self) -> Work:
        """Returns the kernels in the order of the nodes."""
        taken: set[str] = set()
        kernels: list[Kernel] = []
        for node in self.nodes:
            if self.is_view(node) or node.output[0] in taken:
                continue
            group = self.group(node)
            taken.update(part.output[0] for part in group)
            kernels += self.kernels(group)
        return tuple(kernels)

    def is_view(self, node: NodeProto) -> bool:
        """Returns whether a node only gives another name or shape to what is there."""
        if node.op_type == "Transpose" and self.rules.channels_last:
            return tuple(node.attribute[0].ints if node.attribute else ()) in LAYOUTS
        return node.op_type in VIEWS

    def original(self, tensor: str) -> str:
        """Returns the tensor that a view is of."""
        return self.source.get(tensor, tensor)

    def is_constant(self, tensor: str) -> bool:
        """Returns whether a tensor is a weight."""
        return self.original(tensor) in self.shaped.constants

    def group(self, node: NodeProto) -> list[NodeProto]:
        """Returns the nodes that are computed with a node, beginning with it."""
        if node.op_type == "Sigmoid":
            return [node, *self.gate(node)]
        if node.op_type == "Add" and self.rules.gelu_biases and self.adds_weight(node):
            return [node, *self.only(node, "Gelu")]
        if node.op_type == "MatMul" and self.rules.linear_biases:
            return [node, *self.with_weight(node, "Add")]
        if node.op_type == NORM and self.rules.group_norms:
            return self.group_norm(node)
        return [node]

    def group_norm(self, node: NodeProto) -> list[NodeProto]:
        """Returns a norm with its scale and shift, and with the activation behind them."""
        group = [node]
        for operator in ("Mul", "Add"):
            group += self.with_weight(group[-1], operator)
        if self.rules.norm_activations:
            for sigmoid in self.after(group[-1]):
                gate = self.gate(sigmoid) if sigmoid.op_type == "Sigmoid" else []
                if gate:
                    return [*group, sigmoid, *gate]
        return group

    def after(self, node: NodeProto) -> list[NodeProto]:
        """Returns the nodes that read from a node, through views."""
        return [self.nodes[place] for place in self.readers[self.original(node.output[0])]]

    def only(self, node: NodeProto, operator: str) -> list[NodeProto]:
        """Returns the node that alone reads from a node, if it is this operator."""
        after = self.after(node)
        given = self.original(node.output[0]) in self.given
        return after if len(after) == 1 and after[0].op_type == operator and not given else []

    def adds_weight(self, node: NodeProto) -> bool:
        return any(self.is_constant(tensor) for tensor in node.input)

    def with_weight(self, node: NodeProto, operator: str) -> list[NodeProto]:
        """Returns the node that alone reads from a node, if it is this operator with a weight."""
        return [after for after in self.only(node, operator) if self.adds_weight(after)]

    def gate(self, sigmoid: NodeProto) -> list[NodeProto]:
        """Returns the product of what a sigmoid is of, and of the sigmoid."""
        gated = self.original(sigmoid.input[0])
        return [
            product
            for product in self.only(sigmoid, "Mul")
            if gated in {self.original(tensor) for tensor in product.input}
        ]

    def kernels(self, group: list[NodeProto]) -> list[Kernel]:
        """Returns the kernels of a group."""
        node = group[0]
        kernel = Kernel(
            name=node.op_type,
            bytes=self.bytes(group),
            operations=sum(operations_of(self.shaped, part) for part in group),
            unit=Unit.HALF if self.half and node.op_type in PRODUCTS else Unit.SINGLE,
            launches=self.launches(group),
        )
        return [kernel, *self.beside(node)] if node.op_type == "Conv" else [kernel]

    def launches(self, group: list[NodeProto]) -> int:
        # cuDNN's norm takes scale and shift in float32: two more kernels make them.
        alone = group[0].op_type == NORM and not self.rules.group_norms
        return 3 if alone and self.half else 1

    def beside(self, conv: NodeProto) -> Iterable[Kernel]:
        """Returns what is computed beside a convolution."""
        output = self.num_bytes(conv.output[0])
        if len(conv.input) > 2 and not self.rules.conv_biases:
            yield Kernel(name="convolution's bias", bytes=2 * output)
        if self.half and not self.rules.channels_last:
            copied = output + self.num_bytes(conv.input[0]) + self.num_bytes(conv.input[1])
            yield Kernel(name="convolution's layouts", bytes=2 * copied, launches=0)

    def bytes(self, group: list[NodeProto]) -> int:
        """Returns the bytes that a group reads and writes, without those between its nodes."""
        made = {self.original(tensor) for node in group for tensor in node.output if tensor}
        read = {self.original(tensor) for node in group for tensor in node.input if tensor}
        inside = {node.output[0] for node in group}
        written = {
            tensor for tensor in made if tensor in self.given or self.is_read(tensor, inside)
        }
        return sum(self.num_bytes(tensor) for tensor in (read - made) | written)

    def is_read(self, tensor: str, inside: set[str]) -> bool:
        """Returns whether a tensor is read by a node that is not `inside`."""
        return any(self.nodes[place].output[0] not in inside for place in self.readers[tensor])

    def num_bytes(self, tensor: str) -> int:
        return self.shaped.num_bytes(tensor, self.of_float)


def operations_of(shaped: Shaped, node: NodeProto) -> float:
    """Returns the floating-point operations of a product or convolution; 0 of all else."""
    if node.op_type not in PRODUCTS:
        return 0.0
    output = shaped.elements(node.output[0])
    left = shaped.shape(node.input[0])
    right = shaped.shape(node.input[1])
    if node.op_type == "Conv":
        return 2.0 * output * math.prod(right[1:])
    if node.op_type == ATTENTION:
        # Scores and averages; both have a product of a query's width for each pair of tokens.
        return 4.0 * math.prod(left) * right[1]
    if node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute):
        return 2.0 * output * left[0]
    return 2.0 * output * left[-1]


def weight_bytes(shaped: Shaped, half: bool) -> int:
    """Returns the bytes of a graph's weights."""
    return sum(shaped.num_bytes(name, 2 if half else 4) for name in shaped.constants)
