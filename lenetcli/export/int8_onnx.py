"""A net in integers as ONNX's QDQ form: each operator on floats, between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lenetcli.errors import ConfigError
from lenetcli.export.graph import FLOAT, Array, Graph, Node
from lenetcli.export.int8_grid import HIGH, Grid
from lenetcli.export.int8_net import IntegerNet

OLDEST = 13  # the first opset with a step for each channel


def qdq_graph(net: IntegerNet, opset: int) -> Graph:
    """The graph, from floats to floats.

    Raises:
        ConfigError: the opset has no such operators.
    """
    if opset < OLDEST:
        raise ConfigError(f"--opset {opset}: int8 wants {OLDEST} or later, which have a step for each channel")
    return _Made(net).graph()


class _Made:
    """The nodes so far."""

    def __init__(self, net: IntegerNet) -> None:
        self.net, self.nodes = net, list[Node]()
        self.constants = dict(net.graph.constants)
        self.count = 0

    def graph(self) -> Graph:
        """All of it."""
        given = self.net.graph
        self._quantized(given.input.name, given.input.name, "")
        for node in given.nodes:
            self._add(node)
        outputs = [replace(value, name=self._real(value.name, "")) for value in given.outputs]
        return Graph(given.inputs, self.nodes, self.constants, outputs, given.names)

    def _add(self, node: Node) -> None:
        """An operator between its inputs as floats and its result as bytes."""
        inputs = [self._real(name, node.layer) if name in self.net.grids else name for name in node.inputs]
        y, grid = f"{node.output}/real", self.net.grids[node.output]
        if node.output in self.net.weights:
            self._product(node, inputs[0], y)
        else:
            self.nodes.append(replace(node, inputs=tuple(inputs), outputs=(y,)))
        high = self.net.limits[node.output][1]
        if high < HIGH and node.output not in self.net.tables:
            most = self._constant(f"{node.output}/most", grid.real(np.array(high)))
            self._quantized(y, node.output, node.layer, "/all")  # the operator alone, as programs know it
            wide = self._dequantized(f"{node.output}/all", grid, node.layer)
            y = f"{node.output}/bounded"
            self.nodes.append(Node("Clip", (wide, "", most), (y,), {}, node.layer))
        self._quantized(y, node.output, node.layer)

    def _product(self, node: Node, x: str, y: str) -> None:
        """Conv, Gemm or MatMul, with its weights and bias."""
        own, name = self.net.weights[node.output], node.output
        last = node.op == "MatMul"
        weight = np.ascontiguousarray(own.values.T) if last else own.values
        parts = ("weight", weight), ("weight/step", own.steps), ("weight/zero", np.zeros(len(own.steps), np.int8))
        given = tuple(self._constant(f"{name}/{part}", array) for part, array in parts)
        step = own.steps * FLOAT.type(self.net.grids[node.inputs[0]].step)
        sums = self._constant(f"{name}/bias", own.bias), self._constant(f"{name}/bias/step", step)
        words = {"axis": int(last)}
        self.nodes.append(Node("DequantizeLinear", given, (f"{name}/weight/real",), words, node.layer))
        self.nodes.append(Node("DequantizeLinear", sums, (f"{name}/bias/real",), {"axis": 0}, node.layer))
        attributes = {"transB": 1} if node.op == "Gemm" else node.attributes
        if last:
            product = f"{name}/product"
            self.nodes.append(replace(node, inputs=(x, f"{name}/weight/real"), outputs=(product,)))
            self.nodes.append(Node("Add", (product, f"{name}/bias/real"), (y,), {}, node.layer))
        else:
            inputs = x, f"{name}/weight/real", f"{name}/bias/real"
            self.nodes.append(replace(node, inputs=inputs, outputs=(y,), attributes=attributes))

    def _real(self, name: str, layer: str) -> str:
        """A value as floats: a node of its own for each that takes it, as programs look for it."""
        grid = self.net.grids[name]
        if name in self.net.graph.constants:
            self._constant(f"{name}/bytes", grid.of(self.net.graph.constants[name]))
        return self._dequantized(f"{name}/bytes", grid, layer)

    def _dequantized(self, given: str, grid: Grid, layer: str) -> str:
        self.count += 1
        name = f"{given}/{self.count}"
        self.nodes.append(Node("DequantizeLinear", (given, *self._grid(grid)), (name,), {}, layer))
        return name

    def _quantized(self, given: str, name: str, layer: str, end: str = "/bytes") -> None:
        step = self._grid(self.net.grids[name])
        self.nodes.append(Node("QuantizeLinear", (given, *step), (f"{name}{end}",), {}, layer))

    def _grid(self, grid: Grid) -> tuple[str, str]:
        step = self._constant(f"step 2^{grid.exponent}", np.array(grid.step, FLOAT))
        return step, self._constant(f"zero {grid.zero}", np.array(grid.zero, np.int8))

    def _constant(self, name: str, array: Array) -> str:
        self.constants[name] = array
        return name
