"""One number of a result computed by hand: the rules of the common operations with the actual numbers in them.

`forward_by_hand` does it for an element of y, `backward_by_hand` for an element of an operand's gradient. They compute
in float64 from the numbers that the operation saw, so that what they show can be compared with what it gave.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.inspection.step.written_out import (
    Array,
    ByHand,
    Found,
    Index,
    Seen,
    Way,
    at_index,
    bare,
    n,
    plain_sum,
    product_sum,
    terms,
)


def forward_by_hand(name: str, seen: Seen, at: Index) -> ByHand | None:
    """An element of the operation's result; None for operations without an entry, or with unusual arguments."""
    way = FORWARD.get(name)
    found = way(seen, at) if way is not None else None
    return None if found is None else ByHand(found[0], bare(found[1]), found[2], float(seen.y[at]))


def backward_by_hand(name: str, operand: str, seen: Seen, at: Index, actual: float) -> ByHand | None:
    """An element of the gradient of an operand; None as in `forward_by_hand`."""
    way = BACKWARD.get((name, operand))
    found = way(seen, at) if way is not None else None
    return None if found is None else ByHand(found[0], bare(found[1]), found[2], actual)


# Matrix products


def _product(seen: Seen, at: Index) -> Found:
    row, column = at
    numbers, value = product_sum(seen["a"][row], seen["b"][:, column])
    return f"{at_index('y', at)} = Σ_i a[{row},i]·b[i,{column}]", numbers, value


def _added_product(seen: Seen, at: Index) -> Found | None:
    if seen.parameters["alpha"] != 1 or seen.parameters["beta"] != 1 or seen["c"].ndim != 1:
        return None
    row, column = at
    numbers, value = product_sum(seen["a"][row], seen["b"][:, column], float(seen["c"][column]))
    return f"{at_index('y', at)} = c[{column}] + Σ_i a[{row},i]·b[i,{column}]", numbers, value


def _d_a(seen: Seen, at: Index) -> Found:
    row, i = at
    numbers, value = product_sum(seen.grad[row], seen["b"][i])
    return f"{at_index('d_a', at)} = Σ_o grad[{row},o]·b[{i},o]", numbers, value


def _d_b(seen: Seen, at: Index) -> Found:
    i, column = at
    numbers, value = product_sum(seen["a"][:, i], seen.grad[:, column])
    return f"{at_index('d_b', at)} = Σ_n a[n,{i}]·grad[n,{column}]", numbers, value


def _d_c(seen: Seen, at: Index) -> Found | None:
    if seen["c"].ndim != 1 or seen.parameters["beta"] != 1:
        return None
    numbers, value = plain_sum(seen.grad[:, at[0]])
    return f"{at_index('d_c', at)} = Σ_n grad[n,{at[0]}]", numbers, value


# Convolution


def _geometry(seen: Seen) -> tuple[Any, ...] | None:
    """stride, padding, dilation, groups; None for sequences."""
    p = seen.parameters
    return (p["stride"], p["padding"], p["dilation"], p["groups"]) if seen["x"].ndim == 4 else None


def _convolution(seen: Seen, at: Index) -> Found | None:
    geometry = _geometry(seen)
    if geometry is None:
        return None
    stride, padding, dilation, groups = geometry
    x, weight, bias = seen["x"], seen["weight"], seen.operands.get("bias")
    image, o, *place = at
    channels, *kernel = weight.shape[1:]
    first = o // (weight.shape[0] // groups) * channels
    bordered = np.pad(x[image, first : first + channels], ((0, 0), *((p, p) for p in padding)))
    (top, down), (left, right) = (
        (p * s, p * s + d * (size - 1) + 1) for p, s, d, size in zip(place, stride, dilation, kernel)
    )
    window = bordered[:, top : down : dilation[0], left : right : dilation[1]]  # (C, K, L)
    numbers, value = product_sum(weight[o], window, None if bias is None else float(bias[o]))
    start = "" if bias is None else f"bias[{o}] + "
    return f"{at_index('y', at)} = {start}Σ weight[{o}]·(the window of x)", numbers, value


def _d_weight(seen: Seen, at: Index) -> Found | None:
    geometry = _geometry(seen)
    if geometry is None:
        return None
    stride, padding, dilation, groups = geometry
    o, c, *offset = at
    channel = o // (seen["weight"].shape[0] // groups) * seen["weight"].shape[1] + c
    bordered = np.pad(seen["x"][:, channel], ((0, 0), *((p, p) for p in padding)))
    grad = seen.grad[:, o]
    rows, columns = (
        slice(k * d, k * d + s * (size - 1) + 1, s) for k, d, s, size in zip(offset, dilation, stride, grad.shape[1:])
    )
    numbers, value = product_sum(grad, bordered[:, rows, columns])
    return f"{at_index('d_weight', at)} = Σ_n,p,q grad[n,{o},p,q]·x[n,{channel},(its place)]", numbers, value


def _d_bias(seen: Seen, at: Index) -> Found:
    numbers, value = plain_sum(seen.grad[:, at[0]])
    rest = ",p,q" if seen.grad.ndim == 4 else ""
    return f"{at_index('d_bias', at)} = Σ_n{rest} grad[n,{at[0]}{rest}]", numbers, value


def _d_image(seen: Seen, at: Index) -> Found | None:
    geometry = _geometry(seen)
    if geometry is None:
        return None
    stride, padding, dilation, groups = geometry
    weight, grad = seen["weight"], seen.grad
    image, channel, *place = at
    per_group = weight.shape[0] // groups
    group, c = divmod(channel, weight.shape[1])
    filters = slice(group * per_group, (group + 1) * per_group)
    factors = []
    for k, column in np.ndindex(*weight.shape[2:]):
        steps = [i + p - d * o for i, p, d, o in zip(place, padding, dilation, (k, column))]
        spots = [t // s for t, s in zip(steps, stride)]
        fits = all(t % s == 0 for t, s in zip(steps, stride))
        if fits and all(0 <= spot < size for spot, size in zip(spots, grad.shape[2:])):
            factors.append((weight[filters, c, k, column], grad[image, filters, spots[0], spots[1]]))
    if not factors:
        return None
    weights, grads = (np.concatenate(parts) for parts in zip(*factors))
    numbers, value = product_sum(weights, grads)
    return f"{at_index('d_x', at)} = Σ weight·grad over the windows that hold it", numbers, value


# Pooling


def _windows(seen: Seen, at: Index) -> Array | None:
    """The values of x in the window of y[at]; None where windows are not plain."""
    p = seen.parameters
    if seen["x"].ndim != 4 or p.get("ceil_mode") or any(p["padding"]) or p.get("divisor") is not None:
        return None
    if any(d != 1 for d in p.get("dilation", (1, 1))):
        return None
    rows, columns = (slice(i * s, i * s + k) for i, s, k in zip(at[2:], p["stride"], p["kernel"]))
    return seen["x"][at[0], at[1], rows, columns]


def _max_pool(seen: Seen, at: Index) -> Found | None:
    window = _windows(seen, at)
    if window is None or window.size > 9:
        return None
    values = ", ".join(f"{float(v):.4g}".replace("-", "−") for v in window.reshape(-1))
    return f"{at_index('y', at)} = the largest of its window", f"max({values})", float(window.max())


def _average_pool(seen: Seen, at: Index) -> Found | None:
    window = _windows(seen, at)
    if window is None:
        return None
    numbers, value = plain_sum(window)
    return f"{at_index('y', at)} = mean of its window", f"({numbers}) / {window.size}", value / window.size


def _d_max_pool(seen: Seen, at: Index) -> Found | None:
    arriving = []
    for place in np.ndindex(*seen.y.shape[2:]) if seen.y.ndim == 4 and seen.y[0, 0].size <= 4096 else ():
        spot = (*at[:2], *place)
        window = _windows(seen, spot)
        if window is None or not window.size:
            return None
        offset = [i - p * s for i, p, s in zip(at[2:], place, seen.parameters["stride"])]
        inside = all(0 <= o < size for o, size in zip(offset, window.shape))
        if inside and int(window.argmax()) == offset[0] * window.shape[1] + offset[1]:
            arriving.append(float(seen.grad[spot]))
    if not arriving:
        return None
    numbers, value = plain_sum(np.array(arriving))
    return f"{at_index('d_x', at)} = grad of the windows whose largest it is", numbers, value


# Elementwise


def _relu(seen: Seen, at: Index) -> Found:
    x = float(seen["x"][at])
    return f"{at_index('y', at)} = max(x, 0)", f"max({n(x)}, 0)", max(x, 0.0)


def _sigmoid(seen: Seen, at: Index) -> Found:
    x = float(seen["x"][at])
    return f"{at_index('y', at)} = 1 / (1 + e^−x)", f"1 / (1 + e^−{n(x)})", 0.5 * (1 + math.tanh(x / 2))


def _tanh(seen: Seen, at: Index) -> Found:
    x = float(seen["x"][at])
    return f"{at_index('y', at)} = tanh(x)", f"tanh({n(x)})", math.tanh(x)


def _d_relu(seen: Seen, at: Index) -> Found:
    slope, grad = int(seen["x"][at] > 0), float(seen.grad[at])
    sign = ">" if slope else "≤"
    numbers = f"{n(grad)}·{slope}, for x = {n(float(seen['x'][at]))} {sign} 0"
    return f"{at_index('d_x', at)} = grad·(1 where x > 0, else 0)", numbers, grad * slope


def _d_sigmoid(seen: Seen, at: Index) -> Found:
    y, grad = float(seen.y[at]), float(seen.grad[at])
    return f"{at_index('d_x', at)} = grad·y (1 − y)", f"{n(grad)}·{n(y)}·(1 − {n(y)})", grad * y * (1 - y)


def _d_tanh(seen: Seen, at: Index) -> Found:
    y, grad = float(seen.y[at]), float(seen.grad[at])
    return f"{at_index('d_x', at)} = grad·(1 − y²)", f"{n(grad)}·(1 − {n(y)}²)", grad * (1 - y * y)


def _transposed(seen: Seen, at: Index) -> Found:
    value = float(seen["x"][at[::-1]])
    return f"{at_index('y', at)} = {at_index('x', at[::-1])}", n(value), value


def _d_transposed(seen: Seen, at: Index) -> Found:
    value = float(seen.grad[at[::-1]])
    return f"{at_index('d_x', at)} = {at_index('grad', at[::-1])}", n(value), value


def _multiplied(seen: Seen, at: Index) -> Found | None:
    a, b = seen["a"], seen["b"]
    if not all(isinstance(v, np.ndarray) and v.shape == seen.y.shape for v in (a, b)):
        return None
    return f"{at_index('y', at)} = a·b", f"{n(a[at])}·{n(b[at])}", float(a[at]) * float(b[at])


def _d_multiplied(seen: Seen, at: Index) -> Found | None:
    b = seen["b"]
    if not isinstance(b, np.ndarray) or b.shape != seen.y.shape:
        return None
    return f"{at_index('d_a', at)} = grad·b", f"{n(seen.grad[at])}·{n(b[at])}", float(seen.grad[at]) * float(b[at])


# Normalisation


def _batch_norm(seen: Seen, at: Index) -> Found | None:
    p, x = seen.parameters, seen["x"]
    if not p["training"]:
        return None  # the running statistics may have moved since
    channel = at[1]
    values = x[:, channel].astype(np.float64)
    mean, deviation = float(values.mean()), math.sqrt(float(values.var()) + p["eps"])
    value = (float(x[at]) - mean) / deviation
    numbers = f"({n(float(x[at]))} − {n(mean)}) / {n(deviation)}"
    weight, bias = (seen.operands.get(name) for name in ("weight", "bias"))
    if weight is not None and bias is not None:
        numbers = f"{n(weight[channel])} · {numbers} + {n(bias[channel])}"
        value = float(weight[channel]) * value + float(bias[channel])
    return f"{at_index('y', at)} = weight[{channel}] · (x − mean) / σ + bias[{channel}]", numbers, value


# Losses


def _row(x: Array, dim: int, at: Index) -> Array:
    """The numbers along a dimension that an element is one of."""
    return np.moveaxis(x, dim, -1)[at[:dim] + at[dim + 1 :]]


def _log_softmax(seen: Seen, at: Index) -> Found:
    dim, x = seen.parameters["dim"], seen["x"].astype(np.float64)
    row = _row(x, dim, at)
    total = float(np.log(np.exp(row - row.max()).sum()) + row.max())
    powers = terms((f"e^{n(v)}" for v in row), row.size)
    numbers = f"{n(x[at])} − log({powers}) = {n(x[at])} − {n(total)}"
    return f"{at_index('y', at)} = x − log Σ e^x", numbers, float(x[at]) - total


def _d_log_softmax(seen: Seen, at: Index) -> Found:
    dim, y, grad = seen.parameters["dim"], seen.y.astype(np.float64), seen.grad.astype(np.float64)
    total = float(_row(grad, dim, at).sum())
    share = math.exp(float(y[at]))
    numbers = f"{n(grad[at])} − {n(share)}·{n(total)}"
    return f"{at_index('d_x', at)} = grad − e^y·Σ grad", numbers, float(grad[at]) - share * total


def _plain_nll(seen: Seen) -> bool:
    p, log_p = seen.parameters, seen["log_p"]
    target = p["target"]
    return (
        p["weight"] is None and p["reduction"] in ("mean", "sum") and log_p.ndim == 2 and target.size > 0
        and bool((target != p["ignore_index"]).all())
    )  # fmt: skip


def _nll(seen: Seen, at: Index) -> Found | None:
    if not _plain_nll(seen):
        return None
    target = seen.parameters["target"]
    numbers, value = plain_sum(seen["log_p"][np.arange(len(target)), target])
    if seen.parameters["reduction"] == "sum":
        return "y = −Σ_n log_p[n, target[n]]", f"−({numbers})", -value
    return "y = −mean of log_p[n, target[n]]", f"−({numbers}) / {len(target)}", -value / len(target)


def _d_nll(seen: Seen, at: Index) -> Found | None:
    if not _plain_nll(seen):
        return None
    target, grad = seen.parameters["target"], float(seen.grad)
    formula, count = at_index("d_log_p", at), len(target)
    if target[at[0]] != at[1]:
        return f"{formula}: not the target, {int(target[at[0]])}", "0", 0.0
    if seen.parameters["reduction"] == "sum":
        return f"{formula} = −grad", f"−{n(grad)}", -grad
    return f"{formula} = −grad / count", f"−{n(grad)} / {count}", -grad / count


def _mse(seen: Seen, at: Index) -> Found | None:
    x, target, reduction = seen["x"], seen["target"], seen.parameters["reduction"]
    if x.shape != target.shape or reduction == "none":
        return None
    d = (x.astype(np.float64) - target).reshape(-1)
    numbers = terms((f"{n(v)}²" for v in d), d.size)
    if reduction == "sum":
        return "y = Σ (x − target)²", numbers, float(d.dot(d))
    return "y = mean of (x − target)²", f"({numbers}) / {d.size}", float(d.dot(d)) / d.size


def _d_mse(seen: Seen, at: Index) -> Found | None:
    x, target, reduction = seen["x"], seen["target"], seen.parameters["reduction"]
    if x.shape != target.shape or reduction == "none":
        return None
    d, grad = float(x[at]) - float(target[at]), float(seen.grad)
    numbers, value = f"{n(grad)}·2·({n(float(x[at]))} − {n(float(target[at]))})", grad * 2 * d
    if reduction == "sum":
        return f"{at_index('d_x', at)} = grad·2 (x − target)", numbers, value
    return f"{at_index('d_x', at)} = grad·2 (x − target) / count", f"{numbers} / {x.size}", value / x.size


FORWARD: dict[str, Way] = {
    "Mm": _product,
    "Addmm": _added_product,
    "Convolution": _convolution,
    "MaxPool2DWithIndices": _max_pool,
    "AvgPool2D": _average_pool,
    "Relu": _relu,
    "Sigmoid": _sigmoid,
    "Tanh": _tanh,
    "T": _transposed,
    "Mul": _multiplied,
    "NativeBatchNorm": _batch_norm,
    "LogSoftmax": _log_softmax,
    "NllLoss": _nll,
    "MseLoss": _mse,
}
BACKWARD: dict[tuple[str, str], Way] = {
    ("Mm", "a"): _d_a,
    ("Mm", "b"): _d_b,
    ("Addmm", "a"): _d_a,
    ("Addmm", "b"): _d_b,
    ("Addmm", "c"): _d_c,
    ("Convolution", "x"): _d_image,
    ("Convolution", "weight"): _d_weight,
    ("Convolution", "bias"): _d_bias,
    ("MaxPool2DWithIndices", "x"): _d_max_pool,
    ("NativeBatchNorm", "bias"): _d_bias,
    ("Relu", "x"): _d_relu,
    ("Sigmoid", "x"): _d_sigmoid,
    ("Tanh", "x"): _d_tanh,
    ("T", "x"): _d_transposed,
    ("Mul", "a"): _d_multiplied,
    ("LogSoftmax", "x"): _d_log_softmax,
    ("NllLoss", "log_p"): _d_nll,
    ("MseLoss", "x"): _d_mse,
}
