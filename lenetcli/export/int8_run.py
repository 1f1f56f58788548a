"""A net in integers, run by NumPy: what all its files have to give, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.export import numpy_ops
from lenetcli.export.graph import Array, Graph, Node, Value
from lenetcli.export.int8_grid import LOW
from lenetcli.export.int8_net import MEANS, PAIRED, IntegerNet
from lenetcli.export.python_file import values_of

Op = Callable[[IntegerNet, Node, list[Array]], Array]


def run(net: IntegerNet, x: Array) -> list[Array]:
    """The bytes of the outputs for real inputs (N, ...)."""
    return run_bytes(net, net.grids[net.graph.input.name].of(x))


def run_bytes(net: IntegerNet, q: Array) -> list[Array]:
    """The bytes of the outputs for bytes (N, ...), as the grid of the input has them."""
    values = {net.graph.input.name: np.asarray(q, np.int8)}
    for node in net.graph.nodes:
        given = [values[name] if name in values else _constant(net, name) for name in node.inputs if name in net.grids]
        if node.output in net.weights:
            op: Op = weighted
        elif node.output in net.tables:
            op = tabled
        else:
            op = {**dict.fromkeys(PAIRED, paired), **dict.fromkeys(MEANS, means), "Concat": joined}.get(node.op, moved)
        values[node.output] = op(net, node, given)
    return [values[value.name] for value in net.graph.outputs]


def nearest(sums: Array, shift: Array | int) -> Array:
    """sums / 2**shift, rounded to the nearest whole number, of two that are as near the even one.

    Example:
        >>> nearest(np.array([-6, -2, 2, 6, 7]), 2)
        array([-2,  0,  0,  2,  2])
    """
    return quotient(sums, np.left_shift(1, shift))


def quotient(sums: Array, count: Any) -> Array:
    """sums / count, rounded in the same way."""
    low, rest = np.divmod(sums, count)
    return np.asarray(low + ((2 * rest > count) | ((2 * rest == count) & (low & 1 == 1))))


def weighted(net: IntegerNet, node: Node, given: list[Array]) -> Array:
    """Conv, Gemm and MatMul; the product is one of float64, whose sums of whole numbers are exact."""
    own = net.weights[node.output]
    x = (given[0].astype(np.int64) - net.grids[node.inputs[0]].zero).astype(np.float64)
    weight, bias = own.values.astype(np.float64), own.bias.astype(np.float64)
    if node.op == "Conv":
        sums, column = numpy_ops.conv(x, weight, bias, **node.attributes), (-1, *(1,) * (x.ndim - 2))
    else:
        sums, column = x @ weight.T + bias, (-1,)
    factor, shift = own.multiplier.astype(np.int64).reshape(column), own.shift.astype(np.int64).reshape(column)
    return _back(net, node, nearest(sums.astype(np.int64) * factor, shift))


def tabled(net: IntegerNet, node: Node, given: list[Array]) -> Array:
    """What makes one number of one."""
    return net.tables[node.output][given[0].astype(np.int64) - LOW]


def moved(net: IntegerNet, node: Node, given: list[Array]) -> Array:
    """What gives numbers that were there before: as the float operator does it, whose zeros are the grid's."""
    zero = net.grids[node.inputs[0]].zero
    if node.op == "Pad":
        value = net.graph.constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
        fill = int(net.grids[node.inputs[0]].of(np.array(0.0 if value is None else value)))
        pads = tuple(map(int, net.graph.constants[node.inputs[1]]))
        return numpy_ops.pad(given[0], pads, fill, node.attributes["mode"])
    graph = net.graph
    alone = Graph([Value(node.inputs[0], given[0].shape)], [node], graph.constants, [Value(node.output, ())], ["y"])
    found = values_of(alone, [(given[0].astype(np.int32) - zero).astype(np.float32)])[node.output]
    return np.asarray((found.astype(np.int32) + zero).astype(np.int8))


def joined(net: IntegerNet, node: Node, given: list[Array]) -> Array:
    """Concat, of values on several grids."""
    ups, down = net.joints[node.output]
    parts = [_up(net, name, x, up) for name, x, up in zip(node.inputs, given, ups)]
    return _back(net, node, nearest(np.concatenate(parts, node.attributes["axis"]), down))


def paired(net: IntegerNet, node: Node, given: list[Array]) -> Array:
    """Add, Sub and Mul of two values."""
    ups, down = net.joints[node.output]
    a, b = (_up(net, name, x, up) for name, x, up in zip(node.inputs, given, ups))
    return _back(net, node, nearest({"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}[node.op](a, b), down))


def means(net: IntegerNet, node: Node, given: list[Array]) -> Array:
    """Average pools and means over the last dimensions."""
    (up,), _ = net.joints[node.output]
    x = _up(net, node.inputs[0], given[0], up)
    if node.op != "AveragePool":
        count = node.ndim - 2 if node.op == "GlobalAveragePool" else net.graph.constants[node.inputs[1]].size
        axes = tuple(range(x.ndim - count, x.ndim))
        keep = node.op == "GlobalAveragePool" or bool(node.attributes["keepdims"])
        sizes = int(np.prod(x.shape[x.ndim - count :]))
        return _back(net, node, quotient(x.sum(axes, keepdims=keep), sizes))
    kernel = node.attributes["kernel_shape"]
    words = {key: value for key, value in node.attributes.items() if key != "count_include_pad"}
    whole = int(np.prod(kernel))
    sums = np.rint(numpy_ops.average_pool(x.astype(np.float64), **words, count_include_pad=1) * whole)
    counts = np.full((), whole)
    if not node.attributes.get("count_include_pad"):
        ones = np.ones((1, 1, *x.shape[2:]))
        counts = np.rint(numpy_ops.average_pool(ones, **words, count_include_pad=1) * whole).astype(np.int64)
    return _back(net, node, quotient(sums.astype(np.int64), counts))


def _up(net: IntegerNet, name: str, x: Array, bits: int) -> Array:
    return np.asarray((x.astype(np.int64) - net.grids[name].zero) << bits)


def _back(net: IntegerNet, node: Node, whole: Array) -> Array:
    """A byte of the result's grid."""
    return np.asarray(np.clip(whole + net.grids[node.output].zero, *net.limits[node.output]).astype(np.int8))


def _constant(net: IntegerNet, name: str) -> Array:
    return net.grids[name].of(net.graph.constants[name])
