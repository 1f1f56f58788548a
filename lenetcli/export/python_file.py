"""A graph as one Python file that needs NumPy only: a line for each operator, their functions, the weights as text."""

from __future__ import annotations

import ast
import base64
import inspect
import re
import textwrap
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from lenetcli import __version__
from lenetcli.data.inputs import Inputs
from lenetcli.export import numpy_ops
from lenetcli.export.graph import INDEX, Array, Graph, Node, NotExportable, Value
from lenetcli.export.python_text import (
    CLASSES,
    EXPRESSIONS,
    HEAD,
    LISTED,
    PICTURES,
    PROBABILITIES,
    RENAMED,
    RUN,
    WEIGHTS,
)

LARGEST = 1 << 28  # bytes of weights; Python takes long to read more text than that
SMALL = 64  # constants of up to so many integers stand in the code itself


def python_source(graph: Graph, inputs: Inputs | None, outputs: str, title: str = "A model.") -> str:
    """The file.

    Args:
        graph: the model.
        inputs: how pictures become its inputs; without it the file has no functions for pictures.
        outputs: what the model's numbers are, as `nn.loss.Outputs` says; "numbers" are no classes.
        title: the first line of its docstring.

    Raises:
        NotExportable: the weights are too large for a text.
    """
    code = _Code(graph)
    body = "\n".join(textwrap.indent(line, "    ") for line in code.lines())
    used = set(code.functions)
    constants, more = [], ""
    if inputs is not None and (outputs == "numbers" or len(graph.outputs) > 1):
        inputs = replace(inputs, classes=())
    if inputs is not None:
        used |= {"pixel_weights", "rescaled"}
        constants = _picture_constants(inputs)
        meaning, expression = "", "y"
        if inputs.classes:
            meaning = ", as probabilities of its classes"
            used |= {"scores": {"softmax"}, "logits": {"sigmoid"}}.get(outputs, set())
            expression = PROBABILITIES.get(outputs, "y")
            if outputs in ("logits", "probabilities") and graph.output.shape[1:] in ((), (1,)):
                yes = expression.replace("y", "y.reshape(-1, 1)")
                expression = f"np.concatenate([1 - {yes}, {yes}], axis=1)"  # of class 0 and class 1
        more = PICTURES.format(
            channels=inputs.shape[0],
            white=inputs.white * inputs.preprocessing.scale,
            meaning=meaning,
            probabilities=expression,
        )
        more += CLASSES if inputs.classes else ""
    runs = inputs is not None and bool(inputs.classes)
    head = HEAD.format(
        title=_quoted(title),
        story=_story(inputs),
        version=__version__,
        constants="\n".join(constants) or f"INPUT = {tuple(graph.input.label[1:])!r}",
        arguments=", ".join(f"{code.name_of(value)}: Array" for value in graph.inputs),
        result="Array" if len(graph.outputs) == 1 else "tuple",
        input=", ".join(map(_shape, graph.inputs)),
        output=_outputs(graph),
        body=body,
    )
    functions = "".join(f"\n\n{source}" for source in _sources(used))
    return head + more + functions + code.weights() + (RUN if runs else "")


def runner(source: str) -> Callable[..., Any]:
    """Runs the file's `forward`."""
    scope: dict[str, Any] = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), scope)  # our own text, made a moment ago
    forward: Callable[..., Any] = scope["forward"]
    return forward


def values_of(graph: Graph, inputs: Sequence[Array] = ()) -> dict[str, Array]:
    """The value of every name in the graph; without inputs for random ones: what their shapes and types are."""
    code, random = _Code(graph), np.random.default_rng(0)
    given = inputs or [random.standard_normal(value.sizes_of(1)).astype(value.kind) for value in graph.inputs]
    found = {value.name: array for value, array in zip(graph.inputs, given)}
    lines = code.lines()[:-1]
    scope = {**vars(numpy_ops), "W": graph.constants, **{code.name_of(v): found[v.name] for v in graph.inputs}}
    with np.errstate(all="ignore"):
        exec(compile("\n".join(lines), "exported.py", "exec"), scope)  # our own text, made a moment ago
    return found | {name: np.asarray(scope[there]) for name, there in code.names.items()}


def _story(inputs: Inputs | None) -> str:
    if inputs is None:
        return "    forward(x)  the model itself"
    lines = ["    predict(images)   for images (N, C, H, W), bytes from 0 to 255 or floats, of any size"]
    if inputs.classes:
        lines = ["    classify(images)  for images (N, C, H, W), bytes from 0 to 255 or floats, of any size", *lines]
        lines.append("    python THIS_FILE.py images.npy")
    return "\n".join([*lines, "    forward(x)        the model itself, for inputs as `prepare` makes them"])


def _picture_constants(inputs: Inputs) -> list[str]:
    steps = inputs.preprocessing
    mean, std = steps.normalize or (0.0, 1.0)
    found = [f"CLASSES = {tuple(inputs.classes)!r}"] if inputs.classes else []
    return [
        *found,
        f"CHANNELS = {inputs.shape[0]}",
        f"PIXEL = {inputs.white / 255 * steps.scale!r}  # what a pixel's value is multiplied by",
        f"HELD = {inputs.shape[1:]!r}  # rows and columns of what it was trained on: others are first resized to that",
        f"SEEN = {inputs.size!r}  # rows and columns that the model takes",
        f"MEAN = {_column(mean)}",
        f"STD = {_column(std)}",
    ]


def _column(value: Any) -> str:
    if isinstance(value, Sequence):
        return f"np.array({[float(v) for v in value]!r}, np.float32)[:, None, None]"
    return f"np.float32({float(value)!r})"


def _quoted(text: str) -> str:
    """Text that may stand in a docstring."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def _outputs(graph: Graph) -> str:
    """The shape of what comes out; of several things each with its name."""
    if len(graph.outputs) == 1:
        return _shape(graph.output)
    return ", ".join(f"{name} {_shape(value)}" for name, value in zip(graph.names, graph.outputs))


def _shape(value: Value) -> str:
    return f"({', '.join(map(str, value.label))})"


class _Code:
    """The lines of `forward`, and what they need."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.functions: list[str] = []
        self.kept: list[str] = []  # constants that are no literals
        self.names = {value.name: "x" if i == 0 else f"x_{i}" for i, value in enumerate(graph.inputs)}

    def name_of(self, value: Value) -> str:
        """A value's name in the code."""
        return self.names[value.name]

    def lines(self) -> list[str]:
        """An assignment for each operator, the layer's name behind it; then the return."""
        found, number = [], 0
        for node in self.graph.nodes:
            names = [f"x{number + i}" for i in range(1, len(node.outputs) + 1)]
            number += len(names)
            line = f"{', '.join(names)} = {self._call(node)}"
            self.names |= dict(zip(node.outputs, names))
            found.append(f"{line}  # {node.layer}".removesuffix("  # "))
        results = [self.names[value.name] for value in self.graph.outputs]
        return [*found, f"return {', '.join(results)}"]

    def weights(self) -> str:
        """The constants as text."""
        arrays = [self.graph.constants[name] for name in self.kept]
        if sum(array.nbytes for array in arrays) > LARGEST:
            raise NotExportable(f"more than {LARGEST:,} bytes of weights are too much for a Python file; use onnx")
        data = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)
        text = base64.b64encode(zlib.compress(data, 9)).decode()
        rows = [(name, a.dtype.newbyteorder("<").str, a.shape) for name, a in zip(self.kept, arrays)]
        return WEIGHTS.format(
            table="\n".join(f"    {row!r}," for row in rows),
            text="\n".join(text[i : i + 120] for i in range(0, len(text), 120)),
        )

    def _call(self, node: Node) -> str:
        inputs = [self._operand(node, name, place) for place, name in enumerate(node.inputs)]
        if node.op == "Cast":
            return f"np.asarray({inputs[0]}).astype(np.dtype({np.dtype(node.attributes['to']).name!r}))"
        if node.op in EXPRESSIONS:
            return EXPRESSIONS[node.op].format(*inputs, **node.attributes)
        name = node.op if node.op != "MaxPool" or len(node.outputs) == 1 else "MaxPoolWithIndices"
        function = RENAMED.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        self.functions.append(function)
        words = [*inputs, *(f"{key}={value!r}" for key, value in node.attributes.items())]
        return f"{function}({', '.join(words)})"

    def _operand(self, node: Node, name: str, place: int) -> str:
        if not name:
            return "None"
        if name in self.names:
            return self.names[name]
        array = self.graph.constants[name]
        literal = _literal(array)
        if literal is not None and name.startswith(node.output):
            return literal if array.dtype != INDEX or (place and node.op in LISTED) else f"np.array({literal})"
        if name not in self.kept:
            self.kept.append(name)
        return f"W[{name!r}]"


def _literal(array: Array) -> str | None:
    """A constant that is short enough to stand in the code."""
    if array.dtype == INDEX and 0 < array.size <= SMALL:
        found = array.tolist()
        return repr(tuple(found)) if array.ndim == 1 else repr(found)
    if array.dtype.kind == "f" and array.ndim == 0:
        return f"np.float32({float(array)!r})" if np.isfinite(array) else f"np.float32('{float(array)}')"
    return None


@cache
def _neighbours(name: str) -> frozenset[str]:
    """The functions of numpy_ops that one of them calls, itself among them."""
    tree = ast.parse(inspect.getsource(getattr(numpy_ops, name)))
    called = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and inspect.isfunction(vars(numpy_ops).get(n.id))}
    return frozenset({name}).union(*(_neighbours(other) for other in called - {name}))


def _sources(names: Iterable[str]) -> list[str]:
    """The functions, and those that they call, in alphabetical order."""
    needed = frozenset[str]().union(*map(_neighbours, names))
    return [inspect.getsource(getattr(numpy_ops, name)) for name in sorted(needed)]
