"""A graph as one C99 file that needs math.h only: a call for each operator, their functions, the weights."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import __version__
from lenetcli.data.inputs import Inputs
from lenetcli.export.c_memory import owners, planned
from lenetcli.export.c_operators import IN_PLACE, SAME, WRITERS, number, numbers
from lenetcli.export.c_text import HEAD, PIXELS, main_of
from lenetcli.export.graph import FLOAT, Array, Graph, Node, NotExportable
from lenetcli.export.python_file import values_of
from lenetcli.kernels.rescale import pixel_weights

KINDS = {"float32": "float", "int32": "int", "int8": "int8_t"}
LARGEST = 1 << 24  # numbers of weights; a compiler takes long to read more text than that


def c_source(graph: Graph, inputs: Inputs | None, name: str, title: str = "A model.") -> str:
    """The file.

    Args:
        graph: the model, for one sample.
        inputs: how pictures become its inputs; without it the file takes numbers only.
        name: what all that it defines begins with; see `identifier`.
        title: the first line of its comment.

    Raises:
        NotExportable: an operator that has no words in C here, by name; other numbers than float32; weights too large
            for a text.
    """
    code, upper = Code(graph, name), name.upper()
    for node in graph.nodes:
        code.write(node)
    code.finish()
    shapes = [code.shape(value.name) for value in graph.outputs]
    pixels = "" if inputs is None else _pixels(code, inputs)
    classes = () if inputs is None or [s[1:] for s in shapes] != [(len(inputs.classes),)] else inputs.classes
    parts = [
        HEAD.format(
            title=comment(title),
            version=__version__,
            name=name,
            upper=upper,
            input=list(graph.input.shape[1:]),
            output=", ".join(f"{comment(label)} {list(s[1:])}" for label, s in zip(graph.names, shapes)),
            inputs=code.size(graph.input.name),
            outputs=sum(math.prod(shape) for shape in shapes),
            scratch=max(code.scratch, 1),
            weights=sum(array.size for array in code.tables.values()),
        ),
        *functions(code.used),
        *code.constants(),
        f"void {name}_predict(const float *in, float *out) {{\n{code.body(upper)}}}",
        pixels,
        main_of(name, upper, classes, 0 if inputs is None else math.prod(inputs.shape)),
    ]
    return "\n".join(part for part in parts if part)


class Code:
    """The calls that a graph becomes, and what they need.

    Args:
        name: what tables are called before their own names, so that none is a word of C or a function's.

    Attributes:
        used: names of functions of c_ops.c.
        tables: arrays by their names in C.
        scratch: how many numbers lie in between.
    """

    ops: tuple[str, ...] = ("c_ops.c",)
    writers = WRITERS
    in_place = frozenset(IN_PLACE)
    number = "float"  # the type of what lies in between

    def __init__(self, graph: Graph, name: str, values: Mapping[str, Array] | None = None) -> None:
        self.graph, self.name = graph, name
        if len(graph.inputs) > 1:
            raise NotExportable("the model takes several inputs; a C file has one")
        self._values = values_of(graph) if values is None else values
        for value in (*graph.inputs, *graph.outputs):
            if self._kind(value.name) != FLOAT:
                raise NotExportable(f"{value.name} is {self._kind(value.name)}; a C file has float32 only")
        for node in graph.nodes:
            if not all(self.size(name) for name in node.outputs):
                raise self.refusal(node, "gives nothing")
        self._owner = owners(graph, SAME.__contains__)
        sizes = {name: self.size(name) for name in self._owner}
        self._outputs = self._placed_outputs()
        inner = {name: size for name, size in sizes.items() if name not in self._outputs}
        self._place, self.scratch = planned(graph, inner, SAME.__contains__, self.in_place.__contains__)
        self.used: set[str] = set()
        self.tables: dict[str, Array] = {}
        self._sizes: list[str] = []
        self._names: dict[str, str] = {}
        self._taken = {f"{name}_predict", f"{name}_predict_pixels"}
        self._lines: list[str] = []

    def write(self, node: Node) -> None:
        """Adds an operator's calls."""
        if node.op in SAME:
            return
        writer = self.writers.get(node.op)
        if writer is None:
            raise self.refusal(node, "has no words in C here")
        if any(self._kind(name) != FLOAT for name in node.outputs):
            raise self.refusal(node, f"gives {self._kind(node.output)}; a C file has float32 only")
        writer(self, node)

    def finish(self) -> None:
        """Copies those outputs that lie elsewhere."""
        at = 0
        for value in self.graph.outputs:
            size = self.size(value.name)
            source = self.place_of(value.name)
            if source != f"out + {at}":
                self.used.add("copy")
                self._lines.append(f"copy(&(const Walk){{1, {{{size}}}, {{1}}, {{1}}}}, {source}, out + {at});")
            at += size

    def call(self, node: Node, function: str, *arguments: Any) -> None:
        """A call of a function of c_ops.c."""
        text = ", ".join(map(str, arguments))
        self.used |= {function, *re.findall(r"[A-Za-z_]\w*", text)}
        shape = list(self.shape(node.output))
        where = f"{node.layer}: {shape[1:]}" if node.layer else f"{shape[1:]}"
        self._lines.append(f"{function}({text}); /* {comment(where)} */")

    def shape(self, name: str) -> tuple[int, ...]:
        """The sizes of a value or constant."""
        return tuple(map(int, self._array(name).shape))

    def size(self, name: str) -> int:
        """How many numbers it has."""
        return int(self._array(name).size)

    def given(self, node: Node, place: int) -> str:
        """An operator's input, as an expression of C; 0 for one that is left out."""
        if place >= len(node.inputs) or not node.inputs[place]:
            return "0"
        name = node.inputs[place]
        if self._kind(name) != FLOAT:
            raise self.refusal(node, f"takes {self._kind(name)}; a C file has float32 only")
        return self.place_of(name)

    def all_given(self, node: Node, count: int) -> list[str]:
        """Its first inputs."""
        return [self.given(node, place) for place in range(count)]

    def result(self, node: Node) -> str:
        """Where its result goes."""
        return self.place_of(node.output)

    def constant(self, node: Node, name: str) -> Array:
        """The values of an input that has to be a constant."""
        if name not in self.graph.constants:
            raise self.refusal(node, "depends on values that are not known before it runs")
        return self.graph.constants[name]

    def numbers(self, name: str, array: Array) -> str:
        """A table of float32."""
        return self._table(name, np.ascontiguousarray(array, FLOAT))

    def places(self, name: str, array: Array) -> str:
        """A table of whole numbers."""
        return self._table(name, np.ascontiguousarray(array, np.int32))

    def filling(self, node: Node, value: float) -> str:
        """A number that is put around what an operator takes."""
        return number(value)

    def table(self, kind: str, name: str, text: str) -> str:
        """A constant of another type."""
        found = self._free(name)
        self._sizes.append(f"static const {kind} {found} = {text};")
        self.used.add(kind)
        return found

    def refusal(self, node: Node, reason: str) -> NotExportable:
        """The error that names the operator and its layer."""
        return NotExportable(f"{node.layer or 'the model'}: {node.op}: {reason}; a C file cannot be made")

    def constants(self) -> list[str]:
        """The weights and sizes as text."""
        if sum(array.size for array in self.tables.values()) > LARGEST:
            raise NotExportable(f"more than {LARGEST:,} numbers of weights are too much for a C file; use onnx")
        found = []
        for name, array in self.tables.items():
            texts = numbers(array) if array.dtype == FLOAT else list(map(str, array.ravel().tolist()))
            kind = KINDS[array.dtype.name]
            found.append(f"static const {kind} {name}[{array.size}] = {{\n{_rows(texts)}}};")
        return [*found, *(["\n".join(self._sizes)] if self._sizes else [])]

    def body(self, upper: str) -> str:
        """The lines of the function."""
        room = f"  static {self.number} room[{upper}_SCRATCH];\n" if self.scratch else ""
        return room + "".join(f"  {line}\n" for line in self._lines)

    def _array(self, name: str) -> Array:
        return self.graph.constants[name] if name in self.graph.constants else self._values[name]

    def _kind(self, name: str) -> np.dtype[Any]:
        return self._array(name).dtype

    def _placed_outputs(self) -> dict[str, int]:
        """The values that are computed where the caller wants them."""
        found: dict[str, int] = {}
        at = 0
        for value in self.graph.outputs:
            owner = self._owner.get(value.name, value.name)
            if owner in self._owner and owner not in found and self.size(owner) == self.size(value.name):
                found[owner] = at
            at += self.size(value.name)
        return found

    def place_of(self, name: str) -> str:
        """Where a value lies, as an expression of C."""
        if name in self.graph.constants:
            return self.numbers(name, self.graph.constants[name])
        owner = self._owner.get(name, name)
        if owner == self.graph.input.name:
            return "in"
        if owner in self.graph.constants:
            return self.numbers(owner, self.graph.constants[owner])
        return f"out + {self._outputs[owner]}" if owner in self._outputs else f"room + {self._place[owner]}"

    def _table(self, name: str, array: Array) -> str:
        if name in self._names and np.array_equal(self.tables[self._names[name]], array, equal_nan=True):
            return self._names[name]
        found = self._free(name)
        self._names.setdefault(name, found)
        self.tables[found] = array
        return found

    def _free(self, name: str) -> str:
        wanted = f"{self.name}_{_plain(name)}"
        found, count = wanted, 1
        while found in self._taken:
            count += 1
            found = f"{wanted}_{count}"
        self._taken.add(found)
        return found


def functions(used: Iterable[str], files: Sequence[str] = Code.ops) -> list[str]:
    """The texts of functions and types of these files, with what they use; of one name that of the last."""
    table: dict[str, str] = {}
    for file in files:
        table |= _functions(file)
    wanted, left = set(), set(used) & set(table)
    while left:
        name = left.pop()
        wanted.add(name)
        code = re.sub(r"/\*.*?\*/", "", table[name], flags=re.DOTALL)
        left |= ({*re.findall(r"\w+", code)} & set(table)) - wanted
    order = {name: (at, place) for at, file in enumerate(files) for place, name in enumerate(_functions(file))}
    return [table[name] for name in sorted(wanted, key=order.__getitem__)]


@cache
def _functions(file: str) -> dict[str, str]:
    text = (Path(__file__).parent / file).read_text()
    found = {}
    top = r"((?:/\*(?:[^*]|\*(?!/))*\*/\n)?)"
    for match in re.finditer(
        top + r"(typedef struct \{\n(?:  .*\n)*\} (\w+);|static \w+ (\w+)\([^{]*\{(?:.*\}|\n(?:(?:  .*)?\n)*\}))\n",
        text,
    ):
        found[match[3] or match[4]] = match[1] + match[2]
    return found


def identifier(name: str) -> str:
    """What names in C may begin with.

    Example:
        >>> identifier("my net-2"), identifier("2nd"), identifier("")
        ('my_net_2', 'net_2nd', 'net')
    """
    found = _plain(name)
    return found if found[:1].isalpha() else f"net_{found}".rstrip("_")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def comment(text: str) -> str:
    """Text that may stand in a comment of C."""
    return " ".join(re.sub(r"[^ -~]|[\\*/?]", lambda m: "_" if m[0] not in "/?*" else " ", text).split())


def _rows(texts: list[str]) -> str:
    """Numbers in lines of eight."""
    lines = (", ".join(texts[i : i + 8]) for i in range(0, len(texts), 8))
    return "  " + ",\n  ".join(lines) + "\n"


def pixel_steps(code: Code, inputs: Inputs) -> list[str]:
    """The lines of C that make inputs of bytes of pictures: an array `in` of floats."""
    channels, *held = inputs.shape
    seen, steps = inputs.size, inputs.preprocessing
    lines, buffers, at = [], [f"in[{channels * math.prod(seen)}]"], "in"
    if tuple(held) != tuple(seen):
        buffers += [f"held[{channels * math.prod(held)}]", f"tall[{channels * seen[0] * held[1]}]"]
        at = "held"
        walks = ((held[0], seen[0], channels, held[1]), (held[1], seen[1], channels * seen[0], 1))
        for (size, out, outer, inner), source, target in zip(walks, ("held", "tall"), ("tall", "in")):
            places, weights = pixel_weights(size, out, 1)
            taps = f"{len(places)}, {code.places('pixel places', places)}, {code.numbers('pixel weights', weights)}"
            lines.append(f"rescale({source}, {target}, {outer}, {size}, {out}, {inner}, {taps});")
        code.used.add("rescale")
    scale = number(inputs.white / 255 * steps.scale)
    first = f"for (int i = 0; i < {channels * math.prod(held)}; i++) {at}[i] = (float)pixels[i] * {scale};"
    if steps.normalize is not None:
        size, given = math.prod(seen), zip(("mean", "std"), steps.normalize)
        mean, std = (code.numbers(word, np.broadcast_to(np.asarray(v, FLOAT), channels)) for word, v in given)
        each = f"for (int i = 0; i < {channels * size}; i++)"
        lines.append(f"{each} in[i] = (in[i] - {mean}[i / {size}]) / {std}[i / {size}];")
    return [f"static float {', '.join(buffers)};", first, *lines]


def _pixels(code: Code, inputs: Inputs) -> str:
    """The function that takes bytes of pictures."""
    lines = [*pixel_steps(code, inputs), f"{code.name}_predict(in, out);"]
    return PIXELS.format(name=code.name, body="".join(f"  {line}\n" for line in lines), shape=list(inputs.shape))
