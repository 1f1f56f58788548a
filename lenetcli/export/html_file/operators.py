"""How each of ONNX's operators is a step of the page's program: a function of ops.js and what it has to know."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.export import numpy_ops
from lenetcli.export.c_operators import repeated, strides
from lenetcli.export.graph import Array, Node

if TYPE_CHECKING:
    from lenetcli.export.html_file.program import Program

Writer = Callable[["Program", Node], None]

EACH = {
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "HardSwish",
    "IsInf", "IsNaN", "Log", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
}  # fmt: skip
PAIRS = {
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mul", "Or",
    "PRelu", "Pow", "Sub", "Xor",
}  # fmt: skip
LARGEST_TABLE = 1 << 18  # places of a table that says where each number comes from


def _windows(program: Program, node: Node) -> dict[str, Any]:
    """The sizes of a convolution or pool; a sequence is an image of height 1."""
    x, y, given = program.shape(node.inputs[0]), program.shape(node.output), node.attributes
    if len(x) not in (3, 4):
        raise program.refusal(node, "volumes have no step there")

    def both(key: str, default: int) -> list[int]:
        values = list(given.get(key) or [default] * (len(x) - 2))
        return [*[default] * (4 - len(x)), *map(int, values[: len(x) - 2])]

    image, result = [[1] * (4 - len(shape)) + list(shape[2:]) for shape in (x, y)]
    numbers = {"images": x[0], "channels": x[1], "height": image[0], "width": image[1], "outs": y[1]}
    numbers |= {"rows": result[0], "columns": result[1], "group": int(given.get("group", 1))}
    for name, key, default in (
        ("kernel", "kernel_shape", 1),
        ("stride", "strides", 1),
        ("pad", "pads", 0),
        ("dilation", "dilations", 1),
    ):
        numbers[f"{name}H"], numbers[f"{name}W"] = both(key, default)
    return numbers


def _conv(program: Program, node: Node) -> None:
    function = "conv" if node.op == "Conv" else "convTranspose"
    program.step(node, function, node.inputs[:3], **_windows(program, node))


def _pool(program: Program, node: Node) -> None:
    if len(node.outputs) > 1:
        raise program.refusal(node, "the places of the largest numbers are wanted")
    whole = {"whole": bool(node.attributes.get("count_include_pad", 0))} if node.op == "AveragePool" else {}
    function = "averagePool" if node.op == "AveragePool" else "maxPool"
    program.step(node, function, node.inputs[:1], **_windows(program, node), **whole)


def _global_pool(program: Program, node: Node) -> None:
    n, c, *image = program.shape(node.inputs[0])
    program.step(node, "means", node.inputs, runs=n * c, size=math.prod(image))


def _batch_norm(program: Program, node: Node) -> None:
    n, c, *image = program.shape(node.inputs[0])
    sizes = {"images": n, "channels": c, "size": math.prod(image)}
    program.step(node, "batchNorm", node.inputs[:5], **sizes, epsilon=_float32(node.attributes["epsilon"]))


def _norm(program: Program, node: Node) -> None:
    shape = program.shape(node.inputs[0])
    if node.op == "LayerNormalization":
        axis = node.attributes["axis"] % len(shape)
        runs, size, turn = math.prod(shape[:axis]), math.prod(shape[axis:]), 0
    else:
        runs, size, turn = shape[0] * shape[1], math.prod(shape[2:]), shape[1]
    words = {"runs": runs, "size": size, "turn": turn, "epsilon": _float32(node.attributes["epsilon"])}
    program.step(node, "normalize", node.inputs[:3], **words)


def _gemm(program: Program, node: Node) -> None:
    rows, inner = program.shape(node.inputs[0])
    columns = program.shape(node.output)[1]
    if len(node.inputs) > 2 and program.shape(node.inputs[2]) not in ((columns,), (1, columns)):
        raise program.refusal(node, "its bias is not one number for each output")
    words = {"rows": rows, "inner": inner, "columns": columns, "turned": bool(node.attributes.get("transB"))}
    factors = {key: float(node.attributes.get(key, 1)) for key in ("alpha", "beta")}
    program.step(node, "linear", node.inputs[:3], **words, **factors)


def _matmul(program: Program, node: Node) -> None:
    a, b = (program.shape(name) for name in node.inputs)
    y = program.shape(node.output)
    if min(len(a), len(b)) < 2:
        raise program.refusal(node, "a product with a vector")
    times, counts = math.prod(y[:-2]), [math.prod(shape[:-2]) for shape in (a, b)]
    if any(count not in (1, times) for count in counts):
        raise program.refusal(node, "both sides are repeated along different dimensions")
    steps = [math.prod(shape[-2:]) if count > 1 else 0 for shape, count in zip((a, b), counts)]
    words = {"times": times, "stepA": steps[0], "stepB": steps[1]}
    program.step(node, "matmul", node.inputs, **words, rows=a[-2], inner=a[-1], columns=b[-1])


def _each(program: Program, node: Node) -> None:
    program.step(node, "each", node.inputs[:1], f=node.op)


def _each_with(program: Program, node: Node) -> None:
    given = node.attributes
    if node.op == "Clip":
        ends = [program.constant(node, name).item() if name else None for name in node.inputs[1:3]]
        p, q = [*ends, None, None][:2]
        p, q = -math.inf if p is None else p, math.inf if q is None else q
        open_ends = node.part_of == "Hardtanh"  # whose gradient is 0 at its ends, where that of clamp is 1
        program.step(node, "each", node.inputs[:1], f="Clip", p=_number(p), q=_number(q), open=open_ends)
        return
    p, q = _float32(given["alpha"]), _float32(given.get("beta", 0))
    program.step(node, "each", node.inputs[:1], f=node.op, p=p, q=q)


def _pairs(program: Program, node: Node) -> None:
    y = program.shape(node.output)
    size, *steps = joined(y, *(repeated(program.shape(name), y) for name in node.inputs))
    program.step(node, "pairs", node.inputs, f=node.op, size=size, steps=steps)


def _where(program: Program, node: Node) -> None:
    y = program.shape(node.output)
    size, *steps = joined(y, *(repeated(program.shape(name), y) for name in node.inputs))
    program.step(node, "where", node.inputs, size=size, steps=steps)


def _softmax(program: Program, node: Node) -> None:
    shape = program.shape(node.inputs[0])
    axis = node.attributes["axis"] % len(shape)
    sizes = {"outer": math.prod(shape[:axis]), "size": shape[axis], "inner": math.prod(shape[axis + 1 :])}
    program.step(node, "softmax", node.inputs, **sizes, logarithm=node.op == "LogSoftmax")


def _transpose(program: Program, node: Node) -> None:
    shape, y = program.shape(node.inputs[0]), program.shape(node.output)
    _copied(program, node, [(0, y, [strides(shape)[d] for d in node.attributes["perm"]], strides(y), 0)])


def _expand(program: Program, node: Node) -> None:
    y = program.shape(node.output)
    _copied(program, node, [(0, y, repeated(program.shape(node.inputs[0]), y), strides(y), 0)], node.inputs[:1])


def _concat(program: Program, node: Node) -> None:
    y, start, parts = program.shape(node.output), 0, []
    axis = node.attributes["axis"] % len(y)
    for place, name in enumerate(node.inputs):
        part = program.shape(name)
        if math.prod(part):
            parts.append((place, part, strides(part), strides(y), start))
        start += part[axis] * strides(y)[axis]
    _copied(program, node, parts)


def _copied(
    program: Program,
    node: Node,
    parts: Sequence[tuple[int, Sequence[int], Sequence[int], Sequence[int], int]],
    inputs: Sequence[str] | None = None,
) -> None:
    """Parts of inputs, walked through, put into the result: which input, the sizes, steps here and there, the start."""
    walks = []
    for place, size, origin, target, start in parts:
        sizes, *steps = joined(size, origin, target)
        walks.append({"of": place, "size": sizes, "from": steps[0], "to": steps[1], "start": start})
    program.step(node, "copy", node.inputs if inputs is None else inputs, walks=walks)


def _gather(program: Program, node: Node) -> None:
    shape, places = program.shape(node.inputs[0]), program.constant(node, node.inputs[1])
    axis = node.attributes.get("axis", 0) % len(shape)
    sizes = {"outer": math.prod(shape[:axis]), "size": shape[axis], "inner": math.prod(shape[axis + 1 :])}
    program.step(node, "gather", node.inputs[:1], **sizes, places=program.places(places % shape[axis]))


def _moved(program: Program, node: Node) -> None:
    """An op that puts numbers elsewhere: where each comes from is worked out by doing it with their places."""
    shape, y = program.shape(node.inputs[0]), program.shape(node.output)
    if max(math.prod(shape), math.prod(y)) > LARGEST_TABLE:
        raise program.refusal(node, f"it moves more than {LARGEST_TABLE:,} numbers")
    others: list[Any] = [program.constant(node, name) if name else None for name in node.inputs[1:]]
    places: Array = np.arange(1, math.prod(shape) + 1).reshape(shape)
    value = 0.0
    if node.op == "Pad":
        value = 0.0 if len(others) < 2 or others[1] is None else float(others[1])
        places = numpy_ops.pad(places, tuple(map(int, others[0])), 0, node.attributes["mode"])
    elif node.op == "Slice":
        places = numpy_ops.part(places, *(tuple(map(int, other)) for other in others))
    elif node.op == "Tile":
        places = np.tile(places, tuple(map(int, others[0])))
    elif node.op == "DepthToSpace":
        places = numpy_ops.depth_to_space(places, **node.attributes)
    else:
        if node.attributes["mode"] != "nearest":
            raise program.refusal(node, f"resizing by {node.attributes['mode']} has no step there")
        places = numpy_ops.resize(places.astype(np.float64), None, others[1], **node.attributes)
    sizes = {"outer": 1, "size": math.prod(shape), "inner": 1, "value": _number(value)}
    program.step(node, "gather", node.inputs[:1], **sizes, places=program.places(places.astype(np.int64) - 1))


def _reduce(program: Program, node: Node) -> None:
    shape = program.shape(node.inputs[0])
    axes = {int(a) % len(shape) for a in program.constant(node, node.inputs[1])}
    kept = [1 if d in axes else n for d, n in enumerate(shape)]
    target = [0 if d in axes else s for d, s in enumerate(strides(kept))]
    size, origin, there = joined(shape, strides(shape), target)
    first = node.part_of.lower().startswith("adaptive")  # of equal ones a pool takes the first, amax all
    words = {"size": size, "from": origin, "to": there, "f": node.op.removeprefix("Reduce"), "first": first}
    program.step(node, "reduce", node.inputs[:1], **words)


def joined(size: Sequence[int], *steps: Sequence[int]) -> list[list[int]]:
    """Sizes and steps of a walk, without dimensions of one, and with those together that are one everywhere.

    Example:
        >>> joined([2, 1, 3, 4], [12, 12, 4, 1], [0, 0, 4, 1])
        [[2, 12], [12, 1], [0, 1]]
    """
    rows = [list(map(int, row)) for row in zip(size, *steps) if row[0] != 1]
    at = 0
    while at + 1 < len(rows):
        (_, *outer), (count, *inner) = rows[at], rows[at + 1]
        if all(far == near * count for far, near in zip(outer, inner)):
            rows[at : at + 2] = [[rows[at][0] * count, *inner]]
        else:
            at += 1
    rows = rows or [[1] + [0] * len(steps)]
    return [list(column) for column in zip(*rows)]


def _float32(value: Any) -> float:
    return float(np.float32(value))


def _number(value: float) -> float | str:
    """A number, by name where JSON has none for it."""
    found = _float32(value)
    return found if math.isfinite(found) else "NaN" if found != found else "Infinity" if found > 0 else "-Infinity"


WRITERS: dict[str, Writer] = {
    "Conv": _conv,
    "ConvTranspose": _conv,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _norm,
    "LayerNormalization": _norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Transpose": _transpose,
    "Expand": _expand,
    "Concat": _concat,
    "Gather": _gather,
    "Where": _where,
    **dict.fromkeys(("Pad", "Slice", "Tile", "DepthToSpace", "Resize"), _moved),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"), _reduce),
    **dict.fromkeys(EACH, _each),
    **dict.fromkeys(PAIRS, _pairs),
    **dict.fromkeys(("Clip", "Elu", "HardSigmoid", "LeakyRelu"), _each_with),
}
