"""How each of ONNX's operators is written in C: a call of a function of c_ops.c, or another name for what is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.export import numpy_ops
from lenetcli.export.graph import Array, Node, NotExportable

if TYPE_CHECKING:
    from lenetcli.export.c_file import Code

Writer = Callable[["Code", Node], None]

EACH = {
    "Abs": "fabsf", "Acos": "acosf", "Acosh": "acoshf", "Asin": "asinf", "Asinh": "asinhf", "Atan": "atanf",
    "Atanh": "atanhf", "Ceil": "ceilf", "Cos": "cosf", "Cosh": "coshf", "Erf": "erff", "Exp": "expf", "Floor": "floorf",
    "HardSwish": "hard_swish", "Log": "logf", "Neg": "negative", "Reciprocal": "reciprocal", "Relu": "relu",
    "Round": "rintf", "Selu": "selu", "Sigmoid": "sigmoid", "Sin": "sinf", "Sinh": "sinhf", "Softplus": "softplus",
    "Softsign": "softsign", "Sqrt": "sqrtf", "Tan": "tanf", "Tanh": "tanhf",
}  # fmt: skip
PAIRS = {
    "Add": "add", "Div": "divide", "Max": "larger", "Min": "smaller", "Mul": "mul", "PRelu": "prelu", "Pow": "powf",
    "Sub": "sub",
}  # fmt: skip
REDUCTIONS = {
    "ReduceMax": ("larger", "-INFINITY"), "ReduceMean": ("add", "0"), "ReduceMin": ("smaller", "INFINITY"),
    "ReduceProd": ("mul", "1"), "ReduceSum": ("add", "0"),
}  # fmt: skip
SAME = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}  # the same numbers in the same order
IN_PLACE = {*EACH, *PAIRS, "BatchNormalization", "Clip", "Elu", "HardSigmoid", "LeakyRelu"}
DIMS = 8  # of a walk, as c_ops.c has it
LARGEST_TABLE = 1 << 20  # places of a table that says where each number comes from


def strides(shape: Sequence[int]) -> list[int]:
    """Steps through an array in C order."""
    return [math.prod(shape[i + 1 :]) for i in range(len(shape))]


def walk(size: Sequence[int], origin: Sequence[int], target: Sequence[int]) -> str:
    """A walk as C says it, without dimensions of one, and with those together that are one in both arrays."""
    rows = [list(row) for row in zip(size, origin, target) if row[0] != 1]
    at = 0
    while at + 1 < len(rows):
        (_, *outer), (count, *inner) = rows[at], rows[at + 1]
        if all(far == near * count for far, near in zip(outer, inner)):
            rows[at : at + 2] = [[rows[at][0] * count, *inner]]
        else:
            at += 1
    rows = rows or [[1, 0, 0]]
    if len(rows) > DIMS:
        raise NotExportable(f"an array of more than {DIMS} dimensions cannot be walked in a C file")
    columns = ["{" + ", ".join(map(str, column)) + "}" for column in zip(*rows)]
    return f"&(const Walk){{{len(rows)}, {', '.join(columns)}}}"


def windows(code: Code, node: Node) -> str:
    """The sizes of a convolution or pool, under a name."""
    x, y, given = code.shape(node.inputs[0]), code.shape(node.output), node.attributes
    if len(x) not in (3, 4):
        raise code.refusal(node, "volumes have no words in C here")

    def both(key: str, default: int) -> list[int]:
        values = list(given.get(key) or [default] * (len(x) - 2))
        return [*[default] * (4 - len(x)), *values[: len(x) - 2]]

    image, result = [[1] * (4 - len(shape)) + list(shape[2:]) for shape in (x, y)]
    numbers = {"images": x[0], "channels": x[1], "height": image[0], "width": image[1], "out": y[1]}
    numbers |= {"rows": result[0], "columns": result[1], "group": given.get("group", 1)}
    for name, key, default in (
        ("kernel", "kernel_shape", 1),
        ("stride", "strides", 1),
        ("pad", "pads", 0),
        ("step", "dilations", 1),
    ):
        numbers[f"{name}_h"], numbers[f"{name}_w"] = both(key, default)
    text = ", ".join(f".{key} = {int(value)}" for key, value in numbers.items())
    return "&" + code.table("Windows", f"{node.layer or node.op} sizes", f"{{{text}}}")


def _conv(code: Code, node: Node) -> None:
    function = "conv" if node.op == "Conv" else "conv_transpose"
    code.call(node, function, windows(code, node), *code.all_given(node, 3), code.result(node))


def _pool(code: Code, node: Node) -> None:
    if len(node.outputs) > 1:
        raise code.refusal(node, "the places of the largest numbers are wanted")
    whole = [int(node.attributes.get("count_include_pad", 0))] if node.op == "AveragePool" else []
    function = "average_pool" if node.op == "AveragePool" else "max_pool"
    code.call(node, function, windows(code, node), *whole, code.given(node, 0), code.result(node))


def _global_pool(code: Code, node: Node) -> None:
    n, c, *image = code.shape(node.inputs[0])
    code.call(node, "means", code.given(node, 0), code.result(node), n * c, math.prod(image))


def _batch_norm(code: Code, node: Node) -> None:
    factor, shift, mean, var = (code.constant(node, name) for name in node.inputs[1:])
    n, c, *image = code.shape(node.inputs[0])
    slope = factor / np.sqrt(var + np.float32(node.attributes["epsilon"]))
    tables = [
        code.numbers(f"{node.layer or node.op} {name}", values.astype(np.float32))
        for name, values in (("factor", slope), ("shift", shift - mean * slope))
    ]
    sizes = (n, c, math.prod(image))
    code.call(node, "scale", code.given(node, 0), *tables, code.result(node), *sizes)


def _norm(code: Code, node: Node) -> None:
    x, scale, shift = code.all_given(node, 3)
    shape = code.shape(node.inputs[0])
    if node.op == "LayerNormalization":
        axis = node.attributes["axis"] % len(shape)
        runs, size, each = math.prod(shape[:axis]), math.prod(shape[axis:]), 0
    else:
        runs, size, each = shape[0] * shape[1], math.prod(shape[2:]), shape[1]
    epsilon = number(node.attributes["epsilon"])
    code.call(node, "normalize", x, scale, shift, code.result(node), runs, size, each, epsilon)


def _gemm(code: Code, node: Node) -> None:
    rows, inner = code.shape(node.inputs[0])
    weight = code.constant(node, node.inputs[1])
    weight = weight if node.attributes.get("transB") else weight.T
    alpha, beta = (node.attributes.get(key, 1) for key in ("alpha", "beta"))
    name = node.inputs[1] if node.attributes.get("transB") and alpha == 1 else f"{node.layer or node.op} weight"
    table = code.numbers(name, weight * np.float32(alpha))
    columns, bias = len(weight), "0"
    if len(node.inputs) > 2:
        values = code.constant(node, node.inputs[2])
        if values.shape not in ((columns,), (1, columns)):
            raise code.refusal(node, "its bias is not one number for each output")
        bias = code.numbers(node.inputs[2] if beta == 1 else f"{node.layer or node.op} bias", values * np.float32(beta))
    code.call(node, "linear", code.given(node, 0), table, bias, code.result(node), rows, inner, columns)


def _matmul(code: Code, node: Node) -> None:
    a, b = (code.shape(name) for name in node.inputs)
    y = code.shape(node.output)
    if min(len(a), len(b)) < 2:
        raise code.refusal(node, "a product with a vector")
    times, counts = math.prod(y[:-2]), [math.prod(shape[:-2]) for shape in (a, b)]
    if any(count not in (1, times) for count in counts):
        raise code.refusal(node, "both sides are repeated along different dimensions")
    rows, inner, columns = a[-2], a[-1], b[-1]
    steps = [math.prod(shape[-2:]) if count > 1 else 0 for shape, count in zip((a, b), counts)]
    if counts[1] == 1 and counts[0] == times:  # one matrix for all rows
        rows, times = rows * times, 1
    code.call(node, "matmul", *code.all_given(node, 2), code.result(node), times, *steps, rows, inner, columns)


def _each(code: Code, node: Node) -> None:
    code.call(node, "each", code.size(node.output), code.given(node, 0), code.result(node), EACH[node.op])


def _each_with(code: Code, node: Node) -> None:
    given = node.attributes
    if node.op == "Clip":
        ends = [code.constant(node, name).item() if name else None for name in node.inputs[1:3]]
        low, high = [*ends, None, None][:2]
        function, p, q = (
            "clip",
            "-INFINITY" if low is None else number(low),
            "INFINITY" if high is None else number(high),
        )
    else:
        function = {"Elu": "elu", "LeakyRelu": "leaky_relu", "HardSigmoid": "hard_sigmoid"}[node.op]
        p, q = number(given["alpha"]), number(given.get("beta", 0))
    code.call(node, "each_with", code.size(node.output), code.given(node, 0), code.result(node), function, p, q)


def _pairs(code: Code, node: Node) -> None:
    y = code.shape(node.output)
    a, b = (repeated(code.shape(name), y) for name in node.inputs)
    values = code.all_given(node, 2)
    if a == b == strides(y):
        code.call(node, "alike", code.size(node.output), *values, code.result(node), PAIRS[node.op])
    else:
        code.call(node, "pairs", walk(y, a, b), *values, code.result(node), PAIRS[node.op])


def repeated(shape: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Steps through an array that is repeated where its size is one."""
    padded = [1] * (len(wanted) - len(shape)) + list(shape)
    return [0 if n == 1 and m != 1 else s for n, m, s in zip(padded, wanted, strides(padded))]


def _softmax(code: Code, node: Node) -> None:
    shape = code.shape(node.inputs[0])
    axis = node.attributes["axis"] % len(shape)
    sizes = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    logarithm = int(node.op == "LogSoftmax")
    code.call(node, "softmax", code.given(node, 0), code.result(node), *sizes, logarithm)


def _transpose(code: Code, node: Node) -> None:
    shape, order = code.shape(node.inputs[0]), node.attributes["perm"]
    y = code.shape(node.output)
    origin = [strides(shape)[d] for d in order]
    code.call(node, "copy", walk(y, origin, strides(y)), code.given(node, 0), code.result(node))


def _expand(code: Code, node: Node) -> None:
    y = code.shape(node.output)
    text = walk(y, repeated(code.shape(node.inputs[0]), y), strides(y))
    code.call(node, "copy", text, code.given(node, 0), code.result(node))


def _concat(code: Code, node: Node) -> None:
    y, start = code.shape(node.output), 0
    axis = node.attributes["axis"] % len(y)
    for place, name in enumerate(node.inputs):
        part = code.shape(name)
        text = walk(part, strides(part), strides(y))
        code.call(node, "copy", text, code.given(node, place), f"{code.result(node)} + {start}")
        start += part[axis] * strides(y)[axis]


def _gather(code: Code, node: Node) -> None:
    shape, places = code.shape(node.inputs[0]), code.constant(node, node.inputs[1])
    axis = node.attributes.get("axis", 0) % len(shape)
    table = code.places(f"{node.layer or node.op} places", places % shape[axis])
    sizes = math.prod(shape[:axis]), shape[axis], places.size, math.prod(shape[axis + 1 :])
    code.call(node, "gather", code.given(node, 0), table, code.result(node), *sizes)


def _moved(code: Code, node: Node) -> None:
    """An op that puts numbers elsewhere: where each comes from is worked out by doing it with their places."""
    shape, y = code.shape(node.inputs[0]), code.shape(node.output)
    if max(math.prod(shape), math.prod(y)) > LARGEST_TABLE:
        raise code.refusal(node, f"it moves more than {LARGEST_TABLE:,} numbers")
    others: list[Any] = [code.constant(node, name) if name else None for name in node.inputs[1:]]
    places = np.arange(1, math.prod(shape) + 1).reshape(shape)
    if node.op == "Pad":
        pads, value = tuple(map(int, others[0])), 0.0 if len(others) < 2 or others[1] is None else float(others[1])
        places = numpy_ops.pad(places, pads, 0, node.attributes["mode"])
        if not places.all():
            _framed(code, node, places, value)
            return
    elif node.op == "Slice":
        places = numpy_ops.part(places, *(tuple(map(int, other)) for other in others))
    elif node.op == "Tile":
        places = np.tile(places, tuple(map(int, others[0])))
    elif node.op == "DepthToSpace":
        places = numpy_ops.depth_to_space(places, **node.attributes)
    else:
        if node.attributes["mode"] != "nearest":
            raise code.refusal(node, f"resizing by {node.attributes['mode']} has no words in C here")
        places = numpy_ops.resize(places.astype(np.float64), None, others[1], **node.attributes)
    table = code.places(f"{node.layer or node.op} places", places.astype(np.int64) - 1)
    code.call(node, "gather", code.given(node, 0), table, code.result(node), 1, math.prod(shape), places.size, 1)


def _framed(code: Code, node: Node, places: Array, value: float) -> None:
    """Numbers put into an array of one value, at its places that are not 0."""
    shape, y = code.shape(node.inputs[0]), code.shape(node.output)
    inside = [(found.min(), found.max() + 1) for found in np.nonzero(places)] if places.any() else [(0, 0)] * len(y)
    first = int(places[tuple(low for low, _ in inside)]) - 1
    sizes = [int(high - low) for low, high in inside]
    start = sum(int(low) * step for (low, _), step in zip(inside, strides(y)))
    code.call(node, "fill", code.result(node), code.size(node.output), code.filling(node, value))
    if all(sizes):
        text = walk(sizes, strides(shape), strides(y))
        code.call(node, "copy", text, f"{code.given(node, 0)} + {first}", f"{code.result(node)} + {start}")


def _reduce(code: Code, node: Node) -> None:
    shape = code.shape(node.inputs[0])
    axes = {int(a) % len(shape) for a in code.constant(node, node.inputs[1])}
    kept = [1 if d in axes else n for d, n in enumerate(shape)]
    target = [0 if d in axes else s for d, s in enumerate(strides(kept))]
    function, start = REDUCTIONS[node.op]
    size = code.size(node.output)
    text = walk(shape, strides(shape), target)
    code.call(node, "reduce", text, code.given(node, 0), code.result(node), size, start, function)
    if node.op == "ReduceMean":
        share = number(size / math.prod(shape))
        code.call(node, "shrink", code.result(node), size, share)


def _recurrent(code: Code, node: Node) -> None:
    steps, runs, inner = code.shape(node.inputs[0])
    gates, backward = {"RNN": 1, "GRU": 3, "LSTM": 4}[node.op], int(node.attributes["direction"] != "forward")
    sizes = f"&(const Steps){{{steps}, {runs}, {inner}, {node.attributes['hidden_size']}, {gates}, {backward}}}"
    given = [code.given(node, place) for place in (0, 1, 2, 3, 5, 6)][: 6 if node.op == "LSTM" else 5]
    function = [{"Tanh": "tanhf", "Relu": "relu"}[node.attributes["activations"][0]]] if node.op == "RNN" else []
    code.call(node, node.op.lower(), sizes, *given, *map(code.place_of, node.outputs), *function)


def number(value: Any) -> str:
    """A float32 as C says it, to the last bit."""
    value = np.float32(value)
    if np.isnan(value):
        return "NAN"
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    text = str(value)
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def numbers(array: Array) -> list[str]:
    """Each of many float32, as `number` says it."""
    values = array.ravel()
    found = [f"{text}f" for text in values.astype("U16").tolist()]
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        found[i] = number(values[i])
    return found


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
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _recurrent),
    "Transpose": _transpose,
    "Expand": _expand,
    "Concat": _concat,
    "Gather": _gather,
    **dict.fromkeys(("Pad", "Slice", "Tile", "DepthToSpace", "Resize"), _moved),
    **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(EACH, _each),
    **dict.fromkeys(PAIRS, _pairs),
    **dict.fromkeys(("Clip", "Elu", "HardSigmoid", "LeakyRelu"), _each_with),
}
