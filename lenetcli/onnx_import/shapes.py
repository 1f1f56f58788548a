"""The sizes of what operators give, from those of what they take: one rule for each operator that can be read."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.onnx_import import folding, sequences
from lenetcli.onnx_import.net import Array, Net, Node, Sizes, as_tuple
from lenetcli.onnx_import.signatures import check_axis

MOST = 1 << 28  # numbers of one value, for all samples together
_MOST_DIMS = 16
Rule = Callable[[Net, Node, list[Sizes]], "Sizes | list[Sizes]"]


def infer(net: Net, node: Node) -> None:
    """Adds the sizes of what a node gives.

    Raises:
        NotImportable: an operator that is not known, or sizes that do not fit.
    """
    rule = RULES.get(node.op)
    if rule is None:
        raise node.refusal("is an operator that no layer here stands for")
    given = [net.shapes[name] if name else () for name in node.inputs]
    check_axis(node, len(given[0]) if given else 0)
    try:
        found = rule(net, node, given)
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError, OverflowError, AttributeError) as error:
        sizes = ", ".join(str(list(shape)) for shape in given)
        raise node.refusal(f"does not take sizes {sizes}: {' '.join(str(error).split())[:120]}") from None
    for name, shape in zip(node.outputs, found if isinstance(found, list) else [found]):
        sizes_ = tuple(int(n) for n in shape)
        if len(sizes_) > _MOST_DIMS or min(sizes_, default=1) < 1 or math.prod(sizes_) > MOST:
            raise node.refusal(f"gives sizes {list(sizes_[:_MOST_DIMS])}, which no layer here has")
        if name:
            net.shapes[name] = sizes_


def constant(net: Net, node: Node, at: int) -> Array | None:
    """An input that has to be a constant; None where it is left out.

    Raises:
        NotImportable: it is none.
    """
    if at >= len(node.inputs) or not node.inputs[at]:
        return None
    if node.inputs[at] not in net.constants:
        raise node.refusal(
            f"its input {node.inputs[at]!r} is worked out from the samples; only constants are read there"
        )
    return net.constants[node.inputs[at]]


def window(node: Node, image: Sizes, kernel: Sizes) -> tuple[Sizes, Sizes, Sizes, Sizes]:
    """Strides, dilations, borders before and borders after, with auto_pad worked out."""
    dims = len(image)
    if len(kernel) != dims:
        raise node.refusal(f"a window of {len(kernel)} dimensions over a picture of {dims}")
    said = as_tuple(node.attributes.get("kernel_shape", kernel))
    if said != tuple(kernel):
        raise node.refusal(f"its attribute kernel_shape says {list(said)}, its weight has {list(kernel)}")
    strides = as_tuple(node.attributes.get("strides", (1,) * dims))
    dilations = as_tuple(node.attributes.get("dilations", (1,) * dims))
    pads = as_tuple(node.attributes.get("pads", (0,) * 2 * dims))
    if (len(strides), len(dilations), len(pads)) != (dims, dims, 2 * dims) or min(*strides, *dilations, *kernel) < 1:
        raise node.refusal("its strides, dilations or pads do not fit its window")
    if max(*strides, *dilations, *kernel, *pads) > 1 << 20 or min(pads) < 0:
        raise node.refusal("its window is of no size that a layer here has")
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, s, d, k in zip(image, strides, dilations, kernel)
        ]
        less, more = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        return (strides, dilations, less, more) if auto == "SAME_UPPER" else (strides, dilations, more, less)
    if auto == "VALID":
        return strides, dilations, (0,) * dims, (0,) * dims
    if auto not in ("NOTSET", ""):
        raise node.refusal(f"auto_pad {auto!r} is unknown")
    return strides, dilations, pads[:dims], pads[dims:]


def _conv(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    x, weight = given[:2]
    strides, dilations, before, after = window(node, x[2:], weight[2:])
    if weight[1] * node.attributes.get("group", 1) != x[1]:
        raise ValueError("the weight is for another number of channels")
    sizes = zip(x[2:], weight[2:], strides, dilations, before, after)
    return (x[0], weight[0], *((n + b + a - d * (k - 1) - 1) // s + 1 for n, k, s, d, b, a in sizes))


def transposed_pads(node: Node, image: Sizes, kernel: Sizes) -> tuple[Sizes, Sizes, Sizes, Sizes, Sizes]:
    """Of a transposed convolution: strides, dilations, what is cut before and after, and what is put behind."""
    dims = len(image)
    auto = node.attributes.get("auto_pad", "NOTSET")
    plain = Node(node.op, node.inputs, node.outputs, {**node.attributes, "auto_pad": "NOTSET"}, node.label)
    strides, dilations, before, after = window(plain, image, kernel)
    more = as_tuple(node.attributes.get("output_padding", (0,) * dims))
    wanted = node.attributes.get("output_shape")
    if wanted is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        return strides, dilations, before, after, more
    out = as_tuple(wanted)[-dims:] if wanted is not None else tuple(n * s for n, s in zip(image, strides))
    sizes = zip(image, kernel, strides, dilations, more, out)
    total = [s * (n - 1) + m + (k - 1) * d + 1 - o for n, k, s, d, m, o in sizes]
    more = tuple(m - min(t, 0) for m, t in zip(more, total))
    total = [max(0, t) for t in total]
    less, rest = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    return (strides, dilations, rest, less, more) if auto == "SAME_LOWER" else (strides, dilations, less, rest, more)


def _conv_transpose(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    x, weight = given[:2]
    if weight[0] != x[1]:
        raise ValueError("the weight is for another number of channels")
    strides, dilations, before, after, more = transposed_pads(node, x[2:], weight[2:])
    sizes = zip(x[2:], weight[2:], strides, dilations, before, after, more)
    out = ((n - 1) * s + m + d * (k - 1) + 1 - b - a for n, k, s, d, b, a, m in sizes)
    return (x[0], weight[1] * node.attributes.get("group", 1), *out)


def _pool(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    (x,), kernel = given, as_tuple(node.attributes["kernel_shape"])
    strides, dilations, before, after = window(node, x[2:], kernel)
    up = node.attributes.get("ceil_mode", 0)
    found = []
    for n, k, s, d, b, a in zip(x[2:], kernel, strides, dilations, before, after):
        left = n + b + a - d * (k - 1) - 1
        count = (-(-left // s) if up else left // s) + 1
        found.append(count - 1 if up and (count - 1) * s >= n + b else count)
    return (*x[:2], *found)


def _gemm(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    a, b = given[:2]
    rows = a[::-1] if node.attributes.get("transA", 0) else a
    columns = b[::-1] if node.attributes.get("transB", 0) else b
    if len(a) != 2 or len(b) != 2 or rows[1] != columns[0]:
        raise ValueError("matrices that do not fit")
    return rows[0], columns[1]


def _matmul(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    a, b = given
    if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
        raise ValueError("matrices that do not fit")
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])


def _reduced(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    x = given[0]
    axes = reduced_axes(net, node, len(x))
    if node.attributes.get("keepdims", 1):
        return tuple(1 if i in axes else n for i, n in enumerate(x))
    return tuple(n for i, n in enumerate(x) if i not in axes)


def reduced_axes(net: Net, node: Node, ndim: int) -> Sizes:
    """Which axes a Reduce operator takes together, none of them negative."""
    axes = folding.axes_of(node, constant(net, node, 1))
    if not axes:
        return () if node.attributes.get("noop_with_empty_axes", 0) else tuple(range(ndim))
    return tuple(sorted(axis % ndim for axis in axes))


def _broadcast(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    return np.broadcast_shapes(*(shape for name, shape in zip(node.inputs, given) if name))


def _flatten(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    (x,), axis = given, node.attributes.get("axis", 1)
    axis += len(x) if axis < 0 else 0
    return math.prod(x[:axis]), math.prod(x[axis:])


def _transpose(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    (x,) = given
    perm = as_tuple(node.attributes.get("perm", range(len(x))[::-1]))
    if sorted(perm) != list(range(len(x))):
        raise ValueError(f"perm {list(perm)}")
    return tuple(x[i] for i in perm)


def _viewed(work: Any) -> Rule:
    """Of an operator that gives a part or another view: it is tried on an array that takes no memory."""

    def rule(net: Net, node: Node, given: list[Sizes]) -> Sizes:
        words = [constant(net, node, i) for i in range(1, len(node.inputs))]
        found: Sizes = work(node, np.broadcast_to(np.float32(0), given[0]), *words).shape
        return found

    return rule


def _split(net: Net, node: Node, given: list[Sizes]) -> list[Sizes]:
    x, axis = given[0], node.attributes.get("axis", 0)
    parts = folding.split_sizes(node, x[axis], constant(net, node, 1))
    if sum(parts) != x[axis] or len(parts) != len(node.outputs):
        raise ValueError("parts that do not add up")
    axis %= len(x)
    return [(*x[:axis], part, *x[axis + 1 :]) for part in parts]


def _concat(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    axis = node.attributes["axis"] % len(given[0])
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in given}
    if len(rest) != 1:
        raise ValueError("sizes beside the axis differ")
    return (*given[0][:axis], sum(shape[axis] for shape in given), *given[0][axis + 1 :])


def _gather(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    x, indices = given
    axis = node.attributes.get("axis", 0) % len(x)
    return (*x[:axis], *indices, *x[axis + 1 :])


def _pad(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    return tuple(n + b + a for n, (b, a) in zip(given[0], pads_of(net, node, len(given[0]))))


def pads_of(net: Net, node: Node, ndim: int) -> list[tuple[int, int]]:
    """(before, after) of every axis, of an attribute or inputs."""
    words = constant(net, node, 1)
    given = as_tuple(words if words is not None else node.attributes.get("pads", node.attributes.get("paddings")))
    chosen = constant(net, node, 3)
    axes = range(len(given) // 2) if chosen is None else [a % ndim for a in as_tuple(chosen)]
    found = [(0, 0)] * ndim
    for i, axis in enumerate(axes):
        found[axis] = given[i], given[len(given) // 2 + i]
    return found


def _resize(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    x = given[0]
    scales, sizes = resize_words(net, node)
    if sizes is not None:
        return tuple(sizes)
    assert scales is not None
    return tuple(int(np.floor(n * s)) for n, s in zip(x, scales))


def resize_words(net: Net, node: Node) -> tuple[list[float] | None, list[int] | None]:
    """Scales and sizes of all axes, of which one is given: inputs in newer operators, an attribute in Upsample 7."""
    if "axes" in node.attributes or node.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refusal("resizes chosen axes or keeps proportions, which is not read")
    place = 1 if node.op == "Upsample" or len(node.inputs) == 2 else 2
    scales = node.attributes.get("scales")
    given = constant(net, node, place)
    if given is not None and given.size:
        scales = [float(s) for s in given.reshape(-1)]
    sizes = constant(net, node, 3)
    if sizes is not None and sizes.size:
        return None, [int(n) for n in sizes.reshape(-1)]
    if not scales:
        raise node.refusal("says neither scales nor sizes")
    return list(scales), None


def _depth_to_space(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    (n, c, h, w), block = given[0], node.attributes["blocksize"]
    if c % block**2:
        raise ValueError("channels that blocks do not divide")
    return n, c // block**2, h * block, w * block


def _space_to_depth(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    (n, c, h, w), block = given[0], node.attributes["blocksize"]
    if h % block or w % block:
        raise ValueError("a picture that blocks do not divide")
    return n, c * block**2, h // block, w // block


def _same(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    return given[0]


def _spread(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    """Expand."""
    words = constant(net, node, 1)
    assert words is not None
    return np.broadcast_shapes(given[0], as_tuple(words))


def _tile(net: Net, node: Node, given: list[Sizes]) -> Sizes:
    words = constant(net, node, 1)
    assert words is not None
    if words.size != len(given[0]):
        raise ValueError("as many repeats as dimensions are wanted")
    return tuple(n * r for n, r in zip(given[0], as_tuple(words)))


RULES: dict[str, Rule] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), lambda net, node, x: (*x[0][:2], *(1,) * len(x[0][2:]))),
    "Gemm": _gemm,
    "MatMul": _matmul,
    **dict.fromkeys(("ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin", "ReduceL2", "ReduceProd"), _reduced),
    **dict.fromkeys(
        (
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Pow",
            "Min",
            "Max",
            "Where",
            "Equal",
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "And",
            "Or",
            "Sum",
            "Mean",
        ),
        _broadcast,
    ),
    **dict.fromkeys(
        (
            "Relu",
            "LeakyRelu",
            "Elu",
            "Selu",
            "Celu",
            "Sigmoid",
            "Tanh",
            "Softmax",
            "LogSoftmax",
            "HardSigmoid",
            "HardSwish",
            "Gelu",
            "Clip",
            "PRelu",
            "Softplus",
            "Softsign",
            "Mish",
            "ThresholdedRelu",
            "Shrink",
            "Swish",
            "Erf",
            "Exp",
            "Log",
            "Sqrt",
            "Abs",
            "Neg",
            "Reciprocal",
            "Not",
            "Sign",
            "Floor",
            "Ceil",
            "Round",
            "Sin",
            "Cos",
            "IsNaN",
            "Identity",
            "Dropout",
            "Cast",
            "CastLike",
            "BatchNormalization",
            "LayerNormalization",
            "InstanceNormalization",
            "GroupNormalization",
            "RMSNormalization",
            "LRN",
            "LpNormalization",
            "Hardmax",
        ),
        _same,
    ),
    "Flatten": _flatten,
    "Reshape": lambda net, node, x: folding.reshaped(node, x[0], constant(net, node, 1)),
    "Transpose": _transpose,
    "Squeeze": _viewed(folding.squeezed),
    "Unsqueeze": _viewed(folding.unsqueezed),
    "Slice": _viewed(folding.sliced),
    "Split": _split,
    "Concat": _concat,
    "Gather": _gather,
    "Pad": _pad,
    "Expand": _spread,
    "Tile": _tile,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    **dict.fromkeys(sequences.OPS, sequences.sizes),
}
