"""Ops in a row that are done as one, forward and backward: the one table of them.

    convolution, relu, 2x2 max-pooling      one pass over the image, of whose results a quarter is written
    relu, max-pooling                       backward: relu's gradient is that of the pooled values
    addmm (a linear layer), relu            one product that cuts off what is below zero
    batch norm, relu                        one pass each way, with no array between them

Forward, the first ops of a row wait where they may (`autograd.pending`), and the last one does it all; the results have
the bits of those of single ops. Backward, the nodes of a row run as one where nobody looks between them
(`Node.merge`), however they came about. The graph is that of single ops either way.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.pending import Pending, may_wait, wait
from lenetcli.kernels import device
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array, outline, stored
from lenetcli.kernels.recording import unchanged
from lenetcli.ops import rows

FLOAT = np.dtype(np.float32)
LARGEST = 7  # kernel size
LEAST = 1024  # values of a result, below which waiting takes longer than it saves
HALVES = [(2, 2), (2, 2), (0, 0), (1, 1)]  # a pool's kernel, stride, padding, dilation

Gradients = Sequence[Array | None] | None  # None: the nodes have to run one by one


class Pattern:
    """A row of ops, and what is done in their place; nodes are given in the order of their calls."""

    @staticmethod
    def begins(*operands: Any, **parameters: Any) -> bool:
        """Whether the first op may wait for the others: the native kernel was made for such arrays."""
        return False

    @staticmethod
    def at_once(*operands: Any, **parameters: Any) -> dict[str, Any]:
        """Does what of the first op cannot wait, and gives the parameters for the rest of it."""
        return parameters

    @staticmethod
    def ends(**parameters: Any) -> bool:
        """Whether the last op is one that the kernel was made for."""
        return True

    @staticmethod
    def forward(first: Any, last: Any) -> Array:
        """The result of the row; the first node keeps what it saves, the last one what `backward` needs."""
        raise NotImplementedError

    @staticmethod
    def backward(nodes: Sequence[Any], grad: Array) -> Gradients:
        """Gradients of the first op's operands."""
        raise NotImplementedError

    @staticmethod
    def backward_graph(nodes: Sequence[Any], grad: Any) -> Sequence[Any] | None:
        """The same as tensors that can be differentiated; None where the nodes have to run one by one."""
        return None


class ReluPool(Pattern):
    """max_pool2d(relu(x)). A maximum is above zero exactly where its winner is."""

    @staticmethod
    def backward(nodes: Sequence[Any], grad: Array) -> Gradients:
        relu, pool = nodes
        found = _before_relu(relu, pool, grad)
        if found is None:
            return None
        return (kernels.max_pool2d_backward(found, pool.saved[0], *pool.geometry),)


def _before_relu(relu: Any, pool: Any, grad: Array) -> Array | None:
    """The gradient of the pooled values, as if relu came after pooling; None where they were changed in place since."""
    pool.check_saved()
    relu.check_saved()
    if pool.pooled is None:
        return None
    y, counter, version = pool.pooled
    return kernels.relu_backward(grad, y) if counter[0] == version else None


class ConvReluPool(Pattern):
    """max_pool2d(relu(conv2d(x, weight, bias, padding=padding)), 2)."""

    @staticmethod
    def begins(*operands: Any, **parameters: Any) -> bool:
        x, weight = (operand.array for operand in operands[:2])
        if weight.ndim != 4:
            return False
        k, columns = weight.shape[2:]
        plain = parameters["stride"] == parameters["dilation"] == (1, 1) and parameters["groups"] == 1
        learns = operands[1].requires_grad or not any(
            operand is not None and operand.requires_grad for operand in operands
        )
        # filters of one pixel go another way alone, which comes to other bits
        fits = x.dtype is FLOAT and (not isinstance(x, np.ndarray) or x.flags.aligned) and 1 < k == columns <= LARGEST
        return plain and learns and fits

    @staticmethod
    def ends(**parameters: Any) -> bool:
        windows = [parameters[name] for name in ("kernel", "stride", "padding", "dilation")]
        return windows == HALVES and not parameters["ceil_mode"] and not parameters["indices"]

    @staticmethod
    def forward(first: Any, last: Any) -> Array:
        x, weight, bias = first.operands
        y, last.winner = kernels.conv_relu_pool(x, weight, bias, first.parameters["padding"])
        first.node.keep(x, weight, **first.parameters)
        return y

    @staticmethod
    def backward(nodes: Sequence[Any], grad: Array) -> Gradients:
        conv, relu, pool = nodes
        winner = pool.winner
        if winner is None:
            if conv.pending is not None or not (conv.is_plain and pool.halves):
                return None
            found = _before_relu(relu, pool, grad)
            if found is None:
                return None
            grad, winner = found, stored(pool.saved[0])[None]
        conv.check_saved()
        x, weight = conv.saved
        return kernels.conv_relu_pool_backward(grad, x, weight, winner, conv.geometry[1], conv.needs_input_grad[0])

    @staticmethod
    def backward_graph(nodes: Sequence[Any], grad: Any) -> Sequence[Any] | None:
        conv, relu, pool = nodes
        winner = pool.winner
        if winner is None:
            if conv.pending is not None or not (conv.is_plain and pool.halves):
                return None
            pool.check_saved()
            relu.check_saved()
            if pool.pooled is None or pool.pooled[1][0] != pool.pooled[2]:
                return None
            winner = stored(np.where(pool.pooled[0] <= 0, np.uint8(4), pool.saved[0]))[None]
        return rows.graph(conv, grad, 0, 2, rows.Kept(winner, conv.geometry[1]))


class LinearRelu(Pattern):
    """relu(linear(x, weight, bias)) of rows."""

    @staticmethod
    def begins(*operands: Any, **parameters: Any) -> bool:
        *bias, a, b = (operand.array for operand in operands)
        return a.dtype is FLOAT and all(c.shape == b.shape[1:] for c in bias)

    @staticmethod
    def forward(first: Any, last: Any) -> Array:
        *bias, a, b = first.operands
        y = kernels.linear_relu(a, b.T, bias[0] if bias else None)
        first.node.keep(*first.operands, **first.parameters)
        last.save(y)
        return y

    @staticmethod
    def backward(nodes: Sequence[Any], grad: Array) -> Gradients:
        linear, relu = nodes
        *need_bias, need_a, need_b = linear.needs_input_grad
        if linear.pending is not None or not (linear.linear and need_b and all(need_bias)):
            return None
        relu.check_saved()
        linear.check_saved()
        a, b = linear.saved
        weight = b.T if need_a else outline((grad.shape[1], a.shape[1]), grad)
        d_a, d_weight, d_bias = kernels.linear_relu_backward(grad, a, weight, relu.saved[0], need_a)
        return (*[d_bias for _ in need_bias], d_a, d_weight.T)

    @staticmethod
    def backward_graph(nodes: Sequence[Any], grad: Any) -> Sequence[Any] | None:
        linear, relu = nodes
        *need_bias, _, need_b = linear.needs_input_grad
        if linear.pending is not None or not (linear.linear and need_b and all(need_bias)):
            return None
        relu.check_saved()
        of = rows.LetThrough(relu.saved[0], copy.copy(relu))
        d_a, d_b, d_bias = rows.graph(linear, grad, len(need_bias), 0 if need_bias else None, of)
        return (*[d_bias for _ in need_bias], d_a, d_b)


class NormRelu(Pattern):
    """relu(batch_norm(x, weight, bias)).

    Running statistics are looked at and moved at once, as whoever reads them between the two would see it.
    """

    @staticmethod
    def begins(*operands: Any, **parameters: Any) -> bool:
        x, *others = (operand if operand is None else operand.array for operand in operands)
        fits = type(x) is np.ndarray and x.dtype is FLOAT and x.flags.aligned and x.size > 0
        return fits and all(type(other) is np.ndarray and other.dtype is FLOAT for other in others)

    @staticmethod
    def at_once(*operands: Any, **parameters: Any) -> dict[str, Any]:
        x, running = operands[0].array, parameters["running"]
        if not parameters["training"]:
            return parameters | {"running": tuple([unchanged(moment) for moment in running])}
        moments = kernels.batch_moments(x)
        if running is not None:
            mean, var = running
            kernels.track(mean, var, moments, parameters["momentum"], x.size // x.shape[1])
        return parameters | {"moments": moments}

    @staticmethod
    def forward(first: Any, last: Any) -> Array:
        (x, weight, bias), p, node = first.operands, first.parameters, first.node
        node.keep(x, weight, p["training"], p["eps"])
        if p["training"]:
            node.moments = p["moments"]
            y, node.bias = kernels.batch_norm_relu(x, node.moments, weight, bias, p["eps"])
        else:
            node.moments = mean, var = p["running"]
            y = kernels.channel_norm_relu(x, mean, var, weight, bias, p["eps"])
        last.save(y)
        return y

    @staticmethod
    def backward(nodes: Sequence[Any], grad: Array) -> Gradients:
        norm, relu = nodes
        if norm.bias is None or not norm.needs_input_grad[0]:
            return None
        relu.check_saved()
        norm.check_saved()
        x, weight = norm.saved
        return kernels.batch_norm_relu_backward(grad, x, weight, norm.bias, norm.moments, norm.eps)


PATTERNS: dict[tuple[str, ...], type[Pattern]] = {  # names of ops, in the order of calls
    ("Convolution", "Relu", "MaxPool2DWithIndices"): ConvReluPool,
    ("Relu", "MaxPool2DWithIndices"): ReluPool,
    ("Addmm", "Relu"): LinearRelu,
    ("Unbiased", "Relu"): LinearRelu,
    ("NativeBatchNorm", "Relu"): NormRelu,
}
_BEGINNINGS = {names[0]: pattern for names, pattern in PATTERNS.items()}
_PARTS = {names[:count] for names in PATTERNS for count in range(2, len(names))}


def _made() -> bool:
    """Whether there are kernels of whole rows."""
    return kernels.twin == "native" or device.library is not None


def begin(op: Any, shape: tuple[int, ...], *operands: Any, **parameters: Any) -> Any:
    """Applies an op, or lets it wait where it can be the first of a row.

    Args:
        shape: of the result.
    """
    large = math.prod(shape) >= LEAST or switches.whole
    pattern = _BEGINNINGS[op.__name__]
    if large and may_wait() and _made() and pattern.begins(*operands, **parameters):
        return wait(op, shape, *operands, **pattern.at_once(*operands, **parameters))
    return op.apply(*operands, **parameters)


def follow(op: Any, shape: tuple[int, ...], input: Any, **parameters: Any) -> Any:
    """Applies an op to what waits: with all before it, where it ends a row."""
    parts: list[Pending] = []
    part = input.pending
    while type(part) is Pending:
        parts.append(part)
        part = part.operands[0]
    names = (*(type(part.node).__name__ for part in reversed(parts)), op.__name__)
    if may_wait():
        pattern = PATTERNS.get(names)
        if pattern is not None and pattern.ends(**parameters):
            result = wait(op, shape, input, **parameters)
            for part in parts:
                part.check()
            last = result.pending
            last.arrive(pattern.forward(parts[-1], last.node))
            parts[-1].bind()
            return result
        if names in _PARTS:
            return wait(op, shape, input, **parameters)
    return op.apply(input, **parameters)


def merge(run: Sequence[Any], grad: Array, *_: None) -> tuple[int, Sequence[Array | None]] | None:
    """As `Node.merge`: backward of the longest row that a run of nodes, the last op first, begins with."""
    return _longest(run, lambda pattern, nodes: pattern.backward(nodes, grad))


def merge_graph(run: Sequence[Any], grad: Any, *_: None) -> tuple[int, Sequence[Any]] | None:
    """As `Node.merge_graph`: the same of tensors."""
    return _longest(run, lambda pattern, nodes: pattern.backward_graph(nodes, grad))


def _longest(run: Sequence[Any], backward: Callable[..., Any]) -> tuple[int, Any] | None:
    for count in range(len(run), 1, -1):
        nodes = run[count - 1 :: -1]
        pattern = PATTERNS.get(tuple([type(node).__name__ for node in nodes]))
        found = None if pattern is None else backward(pattern, nodes)
        if found is not None:
            return count, found
    return None
