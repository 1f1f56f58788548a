"""A graph as the program that the page runs forward and backward: steps, numbers that flow between them, weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.export.c_memory import owners
from lenetcli.export.c_operators import SAME, strides
from lenetcli.export.graph import FLOAT, TRUTH, Array, Graph, Node, NotExportable
from lenetcli.export.html_file.operators import WRITERS, joined
from lenetcli.export.python_file import values_of
from lenetcli.nn.module import Module

LARGEST = 1 << 22  # numbers of weights; a browser takes long to read more text than that


class Program:
    """The steps that a graph becomes.

    Args:
        graph: the model, for one sample.
        model: what it is a graph of.

    Raises:
        NotExportable: an operator that has no step in ops.js, by name; other numbers than float32; too many weights.
    """

    def __init__(self, graph: Graph, model: Module) -> None:
        self.graph = graph
        self._kinds = {path: type(module).__name__ for path, module in model.named_modules()}
        self._state = {name: tensor.array for name, tensor in (*model.named_buffers(), *model.named_parameters())}
        self._trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        if len(graph.inputs) > 1:
            raise NotExportable("the model takes several inputs; a page has one")
        self._values = values_of(graph)
        for value in (*graph.inputs, *graph.outputs):
            if self._array(value.name).dtype != FLOAT:
                raise NotExportable(f"{value.name} is {self._array(value.name).dtype}; a page has float32 only")
        self._owner = owners(graph, SAME.__contains__)
        self._numbers: dict[str, int] = {}
        self._tables: list[Array] = []
        self._at = 0
        self.sizes: list[list[int]] = []
        self.weights: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self._number(graph.input.name)
        for node in graph.nodes:
            self._write(node)
        self.outputs: list[dict[str, Any]] = [
            {"value": self.value(value.name), "name": name, "shape": list(self.shape(value.name))}
            for name, value in zip(graph.names, graph.outputs)
        ]
        if self._at > LARGEST:
            raise NotExportable(f"more than {LARGEST:,} numbers of weights are too much for a page; use onnx")

    def record(self) -> dict[str, Any]:
        """As plain data; the weights' numbers are in `content`."""
        found = {"sizes": self.sizes, "weights": self.weights, "steps": self.steps, "outputs": self.outputs}
        return {**found, "input": list(self.shape(self.graph.input.name))}

    def content(self) -> bytes:
        """The numbers of all weights and tables, four bytes each."""
        return b"".join(table.tobytes() for table in self._tables)

    def step(self, node: Node, function: str, inputs: Sequence[str], **words: Any) -> None:
        """A call of a function of ops.js."""
        given = [self.value(name, node) if name else -1 for name in inputs]
        found = {"op": function, "in": given, "out": self._number(node.output), "name": node.op}
        found |= {"layer": node.layer, "kind": self._kinds.get(node.layer, ""), "shape": list(self.shape(node.output))}
        self.steps.append(found | words)

    def shape(self, name: str) -> tuple[int, ...]:
        """The sizes of a value or constant."""
        return tuple(map(int, self._array(name).shape))

    def constant(self, node: Node, name: str) -> Array:
        """The values of an input that has to be a constant."""
        if name not in self.graph.constants:
            raise self.refusal(node, "depends on values that are not known before it runs")
        return self.graph.constants[name]

    def places(self, array: Array) -> list[int]:
        """Where a table of whole numbers lies, and how many there are."""
        return [self._kept(np.ascontiguousarray(array, np.int32)), array.size]

    def refusal(self, node: Node, reason: str) -> NotExportable:
        """The error that names the operator and its layer."""
        return NotExportable(f"{node.layer or 'the model'}: {node.op}: {reason}; a page cannot be made")

    def value(self, name: str, node: Node | None = None) -> int:
        """The number of a value: of a constant, after its weights have been put where it wants them."""
        name = self._owner.get(name, name)
        if name in self._numbers:
            return self._numbers[name]
        constant = self.graph.constants[name]
        if node is not None and constant.dtype not in (FLOAT, TRUTH):
            raise self.refusal(node, f"takes {constant.dtype}; a page has float32 only")
        view = self.graph.views.get(name)
        if view is None:
            return self._weight(name, constant)
        base = self._weight(view.name, self._state[view.name])
        number = self._number(name)
        size, origin, target = joined(constant.shape, view.steps, strides(constant.shape))
        walk = {"of": 0, "size": size, "from": origin, "to": target, "start": 0, "first": view.start}
        step = {"op": "copy", "in": [base], "out": number, "name": "View", "layer": "", "kind": "", "prepares": True}
        self.steps.append({**step, "shape": list(constant.shape), "walks": [walk]})
        return number

    def _write(self, node: Node) -> None:
        if not all(self._array(name).size for name in node.outputs):
            raise self.refusal(node, "gives nothing")
        if node.op in SAME:
            return
        writer = WRITERS.get(node.op)
        if writer is None:
            raise self.refusal(node, "has no step there")
        if any(self._array(name).dtype not in (FLOAT, TRUTH) for name in node.outputs):
            raise self.refusal(node, f"gives {self._array(node.output).dtype}; a page has float32 only")
        writer(self, node)

    def _weight(self, name: str, array: Array) -> int:
        if name in self._numbers:
            return self._numbers[name]
        number = self._number(name, array.shape)
        own = name in self._state
        weight = {"value": number, "name": name if own else "", "shape": list(array.shape), "size": array.size}
        weight |= {"at": self._kept(np.ascontiguousarray(array, FLOAT)), "trained": name in self._trained}
        self.weights.append(weight)
        return number

    def _number(self, name: str, shape: Sequence[int] | None = None) -> int:
        if name not in self._numbers:
            self._numbers[name] = len(self.sizes)
            self.sizes.append(list(map(int, self.shape(name) if shape is None else shape)))
        return self._numbers[name]

    def _kept(self, array: Array) -> int:
        at, self._at = self._at, self._at + array.size
        self._tables.append(array)
        return at

    def _array(self, name: str) -> Array:
        return self.graph.constants[name] if name in self.graph.constants else self._values[name]
