"""Runs of layers as one op: what Sequential does where the result is the same and nobody can see the difference.

    Conv2d, ReLU, MaxPool2d(2) -> ConvReluPoolBackward      (Flatten,) Linear, ReLU -> LinearReluBackward
    BatchNorm2d, ReLU -> BatchNormReluBackward

Flatten alone and Linear alone take a short way to the ops they are anyway.

Layers are called one by one as soon as somebody may look between them (hooks, anomaly mode, observers, `fusion(False)`,
which inspection uses), where a layer is a subclass or has another `forward`, where arguments are none that the native
kernels were made for, and where something does not fit, so that the layer itself raises its error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.op import Op
from lenetcli.kernels import device
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array, outline
from lenetcli.kernels.sums import sum_over
from lenetcli.kernels.window import Pair
from lenetcli.nn.activation import ReLU
from lenetcli.nn.batchnorm import BatchNorm2d
from lenetcli.nn.conv import Conv2d
from lenetcli.nn.flatten import Flatten
from lenetcli.nn.linear import Linear
from lenetcli.nn.module import Module
from lenetcli.nn.pooling import MaxPool2d
from lenetcli.ops.linalg.mm import Addmm
from lenetcli.ops.nn.batch_norm import changed
from lenetcli.ops.operands import quiet
from lenetcli.ops.shaping.permute import T
from lenetcli.ops.shaping.reshape import View
from lenetcli.tensors.tensor import Tensor

FLOAT = np.dtype(np.float32)
LARGEST = 7  # kernel size
PLAIN_CONV = ((1, 1), (1, 1), 1, "zeros")
HALVING = ((2, 2), ((2, 2), (2, 2)), ((2, 2), 2), (2, (2, 2)))  # one number, or (rows, columns)
PLAIN_POOL = (
    (0, 1, False, False),
    ((0, 0), (1, 1), False, False),
    ((0, 0), 1, False, False),
    (0, (1, 1), False, False),
)

Found = tuple[Tensor, int]  # the result and how many layers it stands for


class ConvReluPool(Op):
    """max_pool2d(relu(conv2d(x, weight, bias, padding=padding)), 2)."""

    formula = "y = the largest of max(conv(x, weight) + bias, 0) in each 2 × 2 window"
    gradient = (
        "d_x = Σ weight · g, g = grad at the largest of each window where it is > 0",
        "d_weight = Σ x · g, g = grad at the largest of each window where it is > 0",
        "d_bias = Σ g, g = grad at the largest of each window where it is > 0",
    )

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None, *, padding: Pair) -> Array:
        y, winner = kernels.conv_relu_pool(x, weight, bias, padding)
        ctx.save(x, weight, winner)
        ctx.padding = padding
        return y

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        x, weight, winner = ctx.saved
        return kernels.conv_relu_pool_backward(grad, x, weight, winner, ctx.padding, ctx.needs_input_grad[0])


class LinearRelu(Op):
    """relu(linear(x, weight, bias)) of rows; the dimensions after the first make a row."""

    formula = "y = max(x weightᵀ + bias, 0)"
    gradient = (
        "d_x = g weight, g = grad where y > 0, else 0",
        "d_weight = gᵀ x, g = grad where y > 0, else 0",
        "d_bias = Σ_n g, g = grad where y > 0, else 0",
    )

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None) -> Array:
        y = kernels.linear_relu(x.reshape(len(x), -1), weight, bias)
        need_x, need_weight, _ = ctx.needs_input_grad
        ctx.save(x if need_weight else None, weight if need_x else None, y)
        ctx.shapes = x.shape, weight.shape
        return y

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        x, weight, y = ctx.saved
        shape, filters = ctx.shapes
        need_x, need_weight, need_bias = ctx.needs_input_grad
        if not need_weight:
            grad = kernels.relu_backward(grad, y)
            d_x = kernels.product(grad, weight).reshape(shape) if need_x else None
            return d_x, None, sum_over(grad, 0) if need_bias else None
        rows = x.reshape(len(x), -1)
        weight = weight if need_x else outline(filters, grad)
        d_rows, d_weight, d_bias = kernels.linear_relu_backward(grad, rows, weight, y, need_x)
        return None if d_rows is None else d_rows.reshape(shape), d_weight, d_bias


class BatchNormRelu(Op):
    """relu(batch_norm(x, running statistics, weight, bias, training=True))."""

    formula = "y = max(weight · x̂ + bias, 0), x̂ = (x − mean) / √(var + {eps:g}), mean and var of the batch"
    gradient = (
        "d_x = weight · (g − mean(g) − x̂ · mean(g · x̂)) / √(var + {eps:g}), g = grad where y > 0, else 0",
        "d_weight = Σ g · x̂, g = grad where y > 0, else 0",
        "d_bias = Σ g, g = grad where y > 0, else 0",
    )

    @quiet
    def forward(
        ctx: Any, x: Array, weight: Array, bias: Array, *, running: tuple[Array, Array], momentum: float, eps: float
    ) -> Array:
        y, ctx.moments, ctx.bias = kernels.batch_norm_relu(x, weight, bias, eps)
        kernels.track(*running, ctx.moments, momentum, x.size // x.shape[1])
        ctx.save(x, weight)
        ctx.eps = eps
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        x, weight = ctx.saved
        return kernels.batch_norm_relu_backward(grad, x, weight, ctx.bias, ctx.moments, ctx.eps)


class Unrecorded(Op):
    """linear(x, weight, bias) in inference, where nobody will ask for the graph."""

    formula = "y = x weightᵀ + bias"
    gradient = ()

    @staticmethod
    def forward(ctx: Any, x: Array, weight: Array, bias: Array | None) -> Array:
        return kernels.linear(x, weight, bias)


def allowed() -> bool:
    """Whether runs of layers may become one op now."""
    made = kernels.twin == "native" or device.library is not None
    return made and switches.fusion and not switches.anomaly and not switches.observers


def chain(modules: Sequence[Any], input: Any) -> Any:
    """Calls modules one after the other; runs of them that can be fused at once, where that is allowed."""
    starts, at = _STARTS if allowed() else {}, 0
    while at < len(modules):
        start = starts.get(type(modules[at]))
        found = start(modules, at, input) if start is not None and type(input) is Tensor else None
        if found is None:
            input = modules[at](input)
            at += 1
        else:
            input, count = found
            at += count
            del found  # what comes next need not hold it
    return input


def on_tape(module: Module, input: Any) -> Any:
    """The layers as they are, none of them recorded for itself."""
    before, switches.whole = switches.whole, True
    try:
        return chain(list(module), input)  # type: ignore[call-overload]
    finally:
        switches.whole = before


def _plain(module: Module, kind: type[Module]) -> bool:
    """Whether the module is just what its class says."""
    if type(module) is not kind:
        return False
    own = module.__dict__  # read directly, here and below: this runs at every call, and attributes of modules are slow
    return not (own["_forward_pre_hooks"] or own["_forward_hooks"] or own["_backward_hooks"] or "forward" in own)


def _conv_relu_pool(modules: Sequence[Module], at: int, input: Tensor) -> Found | None:
    if len(modules) < at + 3:
        return None
    conv, relu, pool = modules[at : at + 3]
    if not (_plain(conv, Conv2d) and _plain(relu, ReLU) and _plain(pool, MaxPool2d)):
        return None
    c, p = conv.__dict__, pool.__dict__
    parameters = c["_parameters"]
    weight, bias = parameters["weight"], parameters["bias"]
    x, padding = input.array, c["padding"]
    if (
        (c["stride"], c["dilation"], c["groups"], c["padding_mode"]) != PLAIN_CONV
        or (p["kernel_size"], p["stride"]) not in HALVING
        or (p["padding"], p["dilation"], p["ceil_mode"], p["return_indices"]) not in PLAIN_POOL
        or type(padding) is not tuple
        or len(padding) != 2
        or min(padding) < 0
        or weight is None
        or x.ndim != 4
        or x.dtype is not FLOAT
        or weight.array.dtype is not FLOAT
    ):
        return None
    o, channels, k, columns = weight.array.shape
    h, w = x.shape[2] + 2 * padding[0] - k + 1, x.shape[3] + 2 * padding[1] - k + 1
    if k != columns or k > LARGEST or channels != x.shape[1] or h < 2 or w < 2 or not x.size:
        return None
    if bias is not None and (bias.array.shape != (o,) or bias.array.dtype is not FLOAT):
        return None
    return _inside(conv, ConvReluPool.apply, input, weight, bias, padding=padding), 3


def _linear(modules: Sequence[Module], at: int, input: Tensor, features: int | None = None) -> Found | None:
    """Linear, and ReLU after it.

    Args:
        features: of each image, where a Flatten before it is done with it; then only together with ReLU.
    """
    linear = modules[at]
    if not _plain(linear, Linear):
        return None
    relu = len(modules) > at + 1 and _plain(modules[at + 1], ReLU)
    parameters = linear.__dict__["_parameters"]
    weight, bias = parameters["weight"], parameters["bias"]
    x = input.array
    if weight is None or x.dtype is not FLOAT or weight.array.dtype is not FLOAT or not x.size:
        return None
    if features is None:
        if x.ndim != 2:
            return None
        features = x.shape[1]
    elif not relu:
        return None
    o, taken = weight.array.shape
    if features != taken or (bias is not None and (bias.array.shape != (o,) or bias.array.dtype is not FLOAT)):
        return None
    if relu:
        return _inside(linear, LinearRelu.apply, input, weight, bias), 2
    if not switches.grad:
        return Unrecorded.apply(input, weight, bias), 1
    if bias is None:
        return None
    return _inside(linear, _affine, input, weight, bias), 1


def _flatten(modules: Sequence[Module], at: int, input: Tensor) -> Found | None:
    """Flatten, and Linear and ReLU after it, without the questions on the way."""
    flatten, x = modules[at], input.array
    own = flatten.__dict__
    if not _plain(flatten, Flatten) or own["start_dim"] != 1 or own["end_dim"] != -1:
        return None
    if x.ndim < 3 or not x.size or input.base is not None:
        return None
    features = x.size // len(x)
    if len(modules) > at + 2:
        found = _linear(modules, at + 1, input, features)
        if found is not None:
            return found[0], 3
    return _inside(flatten, View.apply, input, shape=(len(x), features)), 1


def _batch_norm_relu(modules: Sequence[Module], at: int, input: Tensor) -> Found | None:
    """BatchNorm2d in training, and ReLU after it."""
    norm: Any = modules[at]
    if len(modules) < at + 2 or not (_plain(norm, BatchNorm2d) and _plain(modules[at + 1], ReLU)):
        return None
    own = norm.__dict__
    parameters, buffers, x = own["_parameters"], own["_buffers"], input.array
    weight, bias, running = parameters["weight"], parameters["bias"], (buffers["running_mean"], buffers["running_var"])
    if (
        x.ndim != 4
        or x.dtype is not FLOAT
        or x.size <= x.shape[1]
        or not (own["training"] and own["track_running_stats"])
    ):
        return None
    for tensor in (weight, bias, *running):
        if tensor is None or tensor.array.dtype is not FLOAT or tensor.array.shape != x.shape[1:2]:
            return None
    if type(own["momentum"]) is not float or running[0].requires_grad or running[1].requires_grad:
        return None
    momentum = norm._count_batch()
    arrays = tuple(tensor.array for tensor in running)
    y = _inside(norm, BatchNormRelu.apply, input, weight, bias, running=arrays, momentum=momentum, eps=own["eps"])
    changed(*running)
    return y, 2


def _affine(input: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return Addmm.apply(bias, input, T.apply(weight), beta=1, alpha=1)


def _inside(module: Module, apply: Callable[..., Tensor], *operands: Any, **parameters: Any) -> Tensor:
    """Applies an op as the module's own, so that its node knows where it comes from."""
    scopes = switches.scopes
    if not scopes or not switches.grad:
        return apply(*operands, **parameters)
    scopes.append((scopes[0][0], module))
    try:
        return apply(*operands, **parameters)
    finally:
        scopes.pop()


_STARTS: dict[type[Module], Callable[[Sequence[Module], int, Tensor], Found | None]] = {
    BatchNorm2d: _batch_norm_relu,
    Conv2d: _conv_relu_pool,
    Flatten: _flatten,
    Linear: _linear,
}
