"""A net in integers: values of one byte, whole weights, sums of 32 bits brought back to a byte by a factor and a shift.

Formula:
    q = clip(zero + nearest(sum * multiplier / 2**shift), low, high)

`nearest` is the nearest whole number, of two that are as near the even one. Steps of values are powers of two and
multipliers small, so that all products and sums are exact in float32 as well (below 2**24): ONNX's QuantizeLinear and
DequantizeLinear around float operators give the very same integers, in whatever order a program sums up. Weights are
-63 to 63: products of two neighbours then fit into the 16 bits that x86 processors without VNNI have for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lenetcli.export.graph import FLOAT, Array, Graph, Node, NotExportable, Value
from lenetcli.export.int8_folding import Folded, folded, refusal
from lenetcli.export.int8_grid import HIGH, LOW, Grid, calibrated, spanning
from lenetcli.export.python_file import values_of

MOST = 63  # of a weight
EXACT = 1 << 24  # whole numbers below are exact in float32
WIDEST = 1 << 30  # what a sum and its factor may reach
FARTHEST = 30  # bits of a shift
MULTIPLIERS = (4, 5, 6, 7)  # of a weight's step, times a power of two

MOVED = {
    "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Pad", "Reshape", "Resize", "Slice",
    "Squeeze", "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip  # what gives numbers that were there before
MEANS = {"AveragePool", "GlobalAveragePool", "ReduceMean"}
TABLED = {
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Clip", "Cos", "Cosh", "Elu", "Erf", "Exp",
    "Floor", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid",
    "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
}  # fmt: skip  # what makes one number of one
PAIRED = {"Add", "Sub", "Mul"}
OF_ONE = {*PAIRED, "Div", "Max", "Min", "Pow"}  # with one number beside them, a table too


@dataclass(frozen=True)
class Weights:
    """Those of a convolution or product, with what brings its sums back to a byte.

    Args:
        values: int8, (O, ...), from -63 to 63.
        bias: int32 (O,), in the steps of the sums.
        multiplier, shift: int32 (O,).
        steps: float32 (O,), what a weight of 1 stands for.
    """

    values: Array
    bias: Array
    multiplier: Array
    shift: Array
    steps: Array


@dataclass
class IntegerNet:
    """A net whose values are bytes.

    Args:
        graph: operators, without those that became part of others.
        grids: of each value.
        weights, tables, limits, joints: by the name of what an operator gives: its weights, the value of each byte,
            the bytes between which it stays, by how many bits its inputs go up and its result comes down.
        examples: of each value of the float graph one of a single sample, which says what shape it has.
    """

    graph: Graph
    grids: dict[str, Grid] = field(default_factory=dict)
    weights: dict[str, Weights] = field(default_factory=dict)
    tables: dict[str, Array] = field(default_factory=dict)
    limits: dict[str, tuple[int, int]] = field(default_factory=dict)
    joints: dict[str, tuple[list[int], int]] = field(default_factory=dict)
    examples: dict[str, Array] = field(default_factory=dict)

    def real(self, values: Sequence[Array]) -> list[Array]:
        """What the outputs' bytes stand for, as float32."""
        return [self.grids[value.name].real(q) for value, q in zip(self.graph.outputs, values)]


def integer_net(graph: Graph, samples: Iterable[Array]) -> IntegerNet:
    """The graph in integers.

    Args:
        graph: for any number of samples.
        samples: batches of training inputs, which say how large values become.

    Raises:
        NotExportable: an operator that has no integer form here, by name.
    """
    if len(graph.inputs) > 1 or graph.input.kind != FLOAT:
        raise NotExportable("a net in integers takes one input of float32")
    examples = values_of(graph)
    found = folded(graph, {name: array.ndim for name, array in examples.items()})
    for node in found.graph.nodes:
        check(node, found)
    net = IntegerNet(found.graph, examples=examples)
    own = [graph.input.name, *(n.output for n in found.graph.nodes if n.op not in MOVED)]
    seen = calibrated(graph, samples, own, [value.name for value in graph.outputs])
    net.grids[graph.input.name] = seen[graph.input.name]
    for node in found.graph.nodes:
        _constants(net, node)
        first = next(net.grids[name] for name in node.inputs if name in net.grids)
        grid = first if node.op in MOVED else seen[node.output]
        if node.op in MEANS:  # no step between the values that are averaged is larger than theirs
            grid = Grid(min(grid.exponent, first.exponent), grid.zero)
        net.grids[node.output] = grid
        high = found.bounds.get(node.output, math.inf)
        low = grid.zero if node.output in found.bounds else LOW
        net.limits[node.output] = low, int(grid.of(np.array(high)))
        if node.output in found.weights:
            net.weights[node.output] = whole_weights(node, *found.weights[node.output], first, grid)
        elif is_table(node, net.graph):
            net.tables[node.output] = _table(net, node)
        elif node.op in (*PAIRED, "Concat"):
            net.joints[node.output] = lifted(net, node)
        elif node.op in MEANS:
            net.joints[node.output] = [first.exponent - grid.exponent], 0
    return net


def check(node: Node, found: Folded) -> None:
    """Refuses an operator that has no integer form here."""
    graph = found.graph
    if len(node.outputs) > 1:
        raise refusal(node, "it gives several values")
    if node.output in found.weights:
        return
    if node.op in ("MaxPool", "Concat", *MEANS, *PAIRED) or is_table(node, graph):
        if node.op == "ReduceMean" and not _behind(node, graph):
            raise refusal(node, "its means go over other dimensions than the last ones")
        return
    if node.op in ("Softmax", "LogSoftmax"):
        raise refusal(node, "has no integer form here; a net may end before it, whose likeliest class is the same")
    if node.op not in MOVED or any(name and name not in graph.constants for name in node.inputs[1:]):
        raise refusal(node, "has no integer form here")
    if node.op == "Resize" and node.attributes["mode"] != "nearest":
        raise refusal(node, f"resizing by {node.attributes['mode']} has no integer form here")


def is_table(node: Node, graph: Graph) -> bool:
    """It makes one number of one: a table of 256 says all of it."""
    if node.op in TABLED:
        return all(not name or name in graph.constants for name in node.inputs[1:])
    numbers = [name for name in node.inputs if name in graph.constants and graph.constants[name].size == 1]
    return node.op in OF_ONE and len(numbers) == 1 and graph.constants[numbers[0]].ndim <= node.ndim


def _behind(node: Node, graph: Graph) -> bool:
    """The dimensions that a mean goes over are the last ones."""
    axes = sorted(int(axis) % node.ndim for axis in graph.constants[node.inputs[1]])
    return axes == list(range(node.ndim - len(axes), node.ndim))


def _constants(net: IntegerNet, node: Node) -> None:
    """Constants that are added, multiplied or joined get grids of their own."""
    if node.op in (*PAIRED, "Concat") and not is_table(node, net.graph):
        for array, name in ((net.graph.constants[name], name) for name in node.inputs if name not in net.grids):
            net.grids[name] = spanning(float(array.min(initial=0)), float(array.max(initial=0)))


def whole_weights(node: Node, weight: Array, bias: Array, x: Grid, y: Grid) -> Weights:
    """Weights and biases in whole numbers, each channel by a step of its own.

    Raises:
        NotExportable: its sums may need more than 32 bits, or are no numbers.
    """
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise refusal(node, "its weights are not all numbers")
    finest = math.ldexp(1.0, y.exponent - x.exponent - FARTHEST + 2)
    rows = [_row(row.reshape(-1), float(b), x, finest) for row, b in zip(weight, bias)]
    values, biases, multiplier, exponent = (np.array(column) for column in zip(*rows))
    shift = y.exponent - x.exponent - exponent
    factors = multiplier << np.maximum(-shift, 0)
    widest = max(_reach(row, int(b), x) * int(m) for row, b, m in zip(values, biases, factors))
    if widest >= WIDEST:
        raise refusal(node, "its sums may need more than 32 bits")
    return Weights(
        values.astype(np.int8).reshape(weight.shape),
        biases.astype(np.int32),
        factors.astype(np.int32),
        np.maximum(shift, 0).astype(np.int32),
        np.ldexp(multiplier.astype(FLOAT), exponent),
    )


def _row(row: Array, bias: float, x: Grid, finest: float) -> tuple[Array, int, int, int]:
    """A channel: whole weights, whole bias, and its step as an odd factor and an exponent.

    The step is the finest for which no weight leaves the range and no sum the whole numbers of float32; where sums are
    so long that none is, the finest that is a power of two.
    """
    need = max(float(np.abs(row).max(initial=0)) / MOST, abs(bias) / x.step / (1 << 22), finest)
    base = math.floor(math.log2(need)) - 2
    steps = [(m, e) for e in (base, base + 1) for m in MULTIPLIERS if math.ldexp(m, e) >= need]
    for multiplier, exponent in (*steps, next(step for step in steps if step[0] == MULTIPLIERS[0])):
        step, odd = math.ldexp(multiplier, exponent), multiplier // (multiplier & -multiplier)
        values, whole = np.rint(row / step).astype(np.int64), round(bias / (step * x.step))
        if _reach(values, whole, x) * odd < EXACT:
            break
    return values, whole, odd, exponent + int(math.log2(multiplier // odd))


def _reach(values: Array, bias: int, x: Grid) -> int:
    """What no part of a sum is larger than, by size, whatever bytes come."""
    positive, negative = int(values[values > 0].sum()), int(values[values < 0].sum())
    high, low = HIGH - x.zero, LOW - x.zero
    return abs(bias) + max(positive * high + negative * low, -positive * low - negative * high)


def _table(net: IntegerNet, node: Node) -> Array:
    """What each byte becomes, from -128 on."""
    name = next(name for name in node.inputs if name not in net.graph.constants)
    alone = replace(net.graph, inputs=[Value(name, (256,))], nodes=[node], outputs=[Value(node.output, (256,))])
    each = np.arange(LOW, HIGH + 1).reshape(-1, *(1,) * max(node.ndim - 1, 0))
    real = values_of(alone, [net.grids[name].real(each)])[node.output]
    return net.grids[node.output].of(real).reshape(-1)


def lifted(net: IntegerNet, node: Node) -> tuple[list[int], int]:
    """By how many bits each input is shifted up so that all are in one step, and the result down to its own.

    Raises:
        NotExportable: 32 bits are too few for that.
    """
    given, y = [net.grids[name].exponent for name in node.inputs], net.grids[node.output].exponent
    if node.op == "Mul":
        ups, down = [max(sum(given) - y, 0), 0], max(y - sum(given), 0)
    else:
        least = min(*given, y)
        ups, down = [exponent - least for exponent in given], y - least
    if max(ups) > 19 - 9 * (node.op == "Mul") or down > FARTHEST:
        raise refusal(node, "the sizes of what it joins are too far apart")
    return ups, down
