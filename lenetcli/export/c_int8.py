"""A net in integers as one C99 file: integer arithmetic from bytes to bytes, floats around it where they are wanted."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lenetcli import __version__
from lenetcli.data.inputs import Inputs
from lenetcli.export.c_file import Code, comment, functions, pixel_steps
from lenetcli.export.c_operators import SAME, WRITERS, number, repeated, strides, walk, windows
from lenetcli.export.c_text import INT8_FLOATS, INT8_HEAD, INT8_PICTURES, main_of
from lenetcli.export.graph import Array, Node
from lenetcli.export.int8_net import MEANS, OF_ONE, PAIRED, TABLED, IntegerNet

WORDS = {"Add": "add", "Sub": "sub", "Mul": "mul"}


def c_int8_source(net: IntegerNet, inputs: Inputs | None, name: str, title: str = "A model.") -> str:
    """The file.

    Args:
        net: the model in integers.
        inputs, name, title: as `c_source`.

    Raises:
        NotExportable: as `c_source`.
    """
    code, upper = Int8Code(net, name), name.upper()
    for node in net.graph.nodes:
        code.write(node)
    code.finish()
    given = net.graph.outputs
    shapes = [code.shape(value.name) for value in given]
    pictures = "" if inputs is None else _pictures(code, inputs)
    classes = () if inputs is None or [s[1:] for s in shapes] != [(len(inputs.classes),)] else inputs.classes
    grids = {"IN": net.grids[net.graph.input.name], **({"OUT": net.grids[given[0].name]} if len(given) == 1 else {})}
    first = grids["IN"]
    code.used.add("quantized")
    parts = [
        INT8_HEAD.format(
            title=comment(title),
            version=__version__,
            name=name,
            upper=upper,
            input=list(net.graph.input.shape[1:]),
            output=", ".join(f"{comment(label)} {list(s[1:])}" for label, s in zip(net.graph.names, shapes)),
            inputs=code.size(net.graph.input.name),
            outputs=sum(math.prod(shape) for shape in shapes),
            scratch=max(code.scratch, 1),
            weights=sum(array.nbytes for array in code.tables.values()),
            grids="\n".join(
                f"#define {upper}_{end}_STEP {number(grid.step)}\n#define {upper}_{end}_ZERO ({grid.zero})"
                for end, grid in grids.items()
            ),
        ),
        *functions(code.used, code.ops),
        *code.constants(),
        f"void {name}_predict_int8(const int8_t *in, int8_t *out) {{\n{code.body(upper)}}}",
        INT8_FLOATS.format(
            name=name, upper=upper, steps=number(1 / first.step), zero=first.zero, reals=_reals(net, shapes)
        ),
        pictures,
        main_of(name, upper, classes, 0 if inputs is None else math.prod(inputs.shape)),
    ]
    return "\n".join(part for part in parts if part)


class Int8Code(Code):
    """The calls that a net in integers becomes, and what they need."""

    ops = ("c_ops.c", "c_int8_ops.c")
    in_place = frozenset({*TABLED, *PAIRED, *OF_ONE})
    number = "int8_t"

    def __init__(self, net: IntegerNet, name: str) -> None:
        self.net = net
        super().__init__(net.graph, name, net.examples)
        self._taken |= {f"{name}_predict_int8", f"{name}_predict_uint8", f"{name}_reals"}
        self._planned = self.scratch

    def write(self, node: Node) -> None:
        """Adds an operator's calls."""
        if node.output in self.net.weights:
            _weighted(self, node)
        elif node.output in self.net.tables:
            table = self.bytes_(f"{node.layer or node.op} table", self.net.tables[node.output])
            name = next(name for name in node.inputs if name not in self.graph.constants)
            self.call(node, "look_up", table, self.place_of(name), self.result(node), self.size(node.output))
        elif node.op in WHOLE:
            WHOLE[node.op](self, node)
        elif node.op not in SAME:
            WRITERS[node.op](self, node)  # what moves numbers does so with all types

    def bytes_(self, name: str, array: Array) -> str:
        """A table of int8."""
        return self._table(name, np.ascontiguousarray(array, np.int8))

    def filling(self, node: Node, value: float) -> str:
        """The byte for a number that is put around what an operator takes."""
        return str(int(self.net.grids[node.output].of(np.array(value))))

    def place_of(self, name: str) -> str:
        """Where a value lies; constants as bytes of their grid."""
        owner = self._owner.get(name, name)
        if owner in self.graph.constants:
            return self.bytes_(owner, self.net.grids[owner].of(self.graph.constants[owner]))
        return super().place_of(name)

    def window(self, size: int) -> str:
        """Room for the numbers under a window."""
        self.scratch = max(self.scratch, self._planned + size)
        return f"room + {self._planned}"

    def byte(self, node: Node) -> str:
        """How a whole number becomes a byte of its result."""
        low, high = self.net.limits[node.output]
        return f"{{{self.net.grids[node.output].zero}, {low}, {high}}}"

    def grids(self, node: Node) -> list[str]:
        """How bytes of its inputs become whole numbers."""
        return [
            f"{{{self.net.grids[name].zero}, {up}}}" for name, up in zip(node.inputs, self.net.joints[node.output][0])
        ]


def _weighted(code: Int8Code, node: Node) -> None:
    own, label, zero = code.net.weights[node.output], node.layer or node.op, code.net.grids[node.inputs[0]].zero
    rows = own.values.reshape(len(own.values), -1)
    bias = own.bias - zero * rows.sum(1, dtype=np.int32)
    tables = [
        code.bytes_(f"{label} weight", own.values),
        code.places(f"{label} bias", bias),
        code.places(f"{label} multiplier", own.multiplier),
        code.bytes_(f"{label} shift", own.shift),
    ]
    sums = code.table("Sums", f"{label} sums", f"{{{', '.join(tables)}, {code.byte(node)}}}")
    x, y = code.given(node, 0), code.result(node)
    if node.op == "Conv":
        code.call(node, "conv", windows(code, node), zero, f"&{sums}", x, code.window(rows.shape[1]), y)
    else:
        count = math.prod(code.shape(node.inputs[0])[:-1])
        code.call(node, "linear", f"&{sums}", x, y, count, rows.shape[1], len(rows))


def _means(code: Int8Code, node: Node) -> None:
    ways = f"&(const Grid){code.grids(node)[0]}", f"&(const Byte){code.byte(node)}"
    x, y = code.given(node, 0), code.result(node)
    if node.op == "AveragePool":
        all_ = int(node.attributes.get("count_include_pad", 0))
        code.call(node, "average_pool", windows(code, node), all_, *ways, x, y)
    else:
        runs = code.size(node.output)
        code.call(node, "means", *ways, x, y, runs, code.size(node.inputs[0]) // runs)


def _paired(code: Int8Code, node: Node) -> None:
    shape = code.shape(node.output)
    steps = walk(shape, *(repeated(code.shape(name), shape) for name in node.inputs))
    grids, byte = ", ".join(code.grids(node)), f"&(const Byte){code.byte(node)}"
    down, given = code.net.joints[node.output][1], code.all_given(node, 2)
    code.call(node, "pairs", steps, f"(const Grid[]){{{grids}}}", down, byte, *given, code.result(node), WORDS[node.op])


def _joined(code: Int8Code, node: Node) -> None:
    y, start = code.shape(node.output), 0
    axis = node.attributes["axis"] % len(y)
    for place, (name, grid) in enumerate(zip(node.inputs, code.grids(node))):
        part = code.shape(name)
        steps, down = walk(part, strides(part), strides(y)), code.net.joints[node.output][1]
        ways = f"&(const Grid){grid}", down, f"&(const Byte){code.byte(node)}"
        code.call(node, "join", steps, *ways, code.given(node, place), f"{code.result(node)} + {start}")
        start += part[axis] * strides(y)[axis]


WHOLE: dict[str, Callable[[Int8Code, Node], None]] = {
    **dict.fromkeys(MEANS, _means),
    **dict.fromkeys(PAIRED, _paired),
    "Concat": _joined,
}


def _reals(net: IntegerNet, shapes: list[tuple[int, ...]]) -> str:
    """Lines of C that make floats of the bytes of each output."""
    lines, at = [], 0
    for value, shape in zip(net.graph.outputs, shapes):
        grid, end = net.grids[value.name], at + math.prod(shape)
        real = f"(float)(scores[i] - ({grid.zero})) * {number(grid.step)}"
        lines.append(f"  for (int i = {at}; i < {end}; i++) out[i] = {real};\n")
        at = end
    return "".join(lines)


def _pictures(code: Int8Code, inputs: Inputs) -> str:
    """The functions that take bytes of pictures: by a table where they are not resized, which is exact."""
    upper, grid = code.name.upper(), code.net.grids[code.graph.input.name]
    channels, *held = inputs.shape
    if tuple(held) == tuple(inputs.size):
        every = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, channels, *held))
        rows = grid.of(inputs(np.ascontiguousarray(every))[:, :, 0, 0]).T  # (C, 256)
        rows = rows[:1] if (rows == rows[0]).all() else rows
        table = code.bytes_("pixel bytes", rows)
        where = f"i / {math.prod(held)} * 256 + pixels[i]" if len(rows) > 1 else "pixels[i]"
        lines, how = [f"for (int i = 0; i < {upper}_INPUTS; i++) bytes[i] = {table}[{where}];"], "by a table"
    else:
        byte = f"quantized(in[i], {number(1 / grid.step)}, {grid.zero})"
        lines = [*pixel_steps(code, inputs), f"for (int i = 0; i < {upper}_INPUTS; i++) bytes[i] = {byte};"]
        how = "resized and normalised in float32 first"
    body = "".join(f"  {line}\n" for line in lines)
    return INT8_PICTURES.format(name=code.name, upper=upper, shape=list(inputs.shape), how=how, body=body)
