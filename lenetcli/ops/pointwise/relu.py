"""Activation functions: what they have in common; relu and its relatives, which are linear below zero.

Where a function has `inplace`, True writes the result into the input and returns it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.inplace import assign
from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.pending import become, can_become
from lenetcli.autograd.random import numpy_generator
from lenetcli.autograd.rules import Bent, diagonal, linear, piecewise, saved_tensors
from lenetcli.autograd.tape import Variable
from lenetcli.autograd.torch_random import torch_numbers
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch
from lenetcli.kernels.device import as_array, beside
from lenetcli.kernels.layout import Array
from lenetcli.kernels.selection import select, zeroed
from lenetcli.ops import fusion
from lenetcli.ops.methods import method
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Activation(Op):
    """A function of kernels/activation.py, element by element, by its name.

    Half precision is computed in float32 and rounded once. `slope(x, *constants)` is the derivative over tensors, for a
    function that is not made of straight lines.
    """

    kernel: ClassVar[str]
    slope: ClassVar[Any] = None

    @staticmethod
    def numbers(*constants: float) -> tuple[float, ...]:
        """What the kernel takes."""
        return constants

    @classmethod
    def numbers_of_slope(cls, *constants: float) -> tuple[float, ...]:
        """What the kernel's gradient takes."""
        return cls.numbers(*constants)

    @quiet
    def forward(ctx: Any, x: Array, *, constants: tuple[float, ...] = ()) -> Array:
        if x.dtype.kind != "f":
            raise NotImplementedError(f"{type(ctx).__name__}: not implemented for {x.dtype}; convert to float first")
        ctx.save(x)
        # beside a NumPy scalar, arrays change their type
        ctx.constants = constants = tuple(c.item() if isinstance(c, np.generic) else c for c in constants)
        return (
            dispatch.curve(_wide(x), ctx.kernel, *ctx.numbers(*constants)).astype(x.dtype, copy=False).reshape(x.shape)
        )

    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        return dispatch.curve_backward(
            _wide(grad), _wide(x), ctx.kernel, *ctx.numbers_of_slope(*ctx.constants)
        ).reshape(x.shape)

    def backward_graph(ctx: Any, *grads: Any) -> Any:
        if ctx.slope is None:
            return super().backward_graph(*grads)
        (x,) = saved_tensors(ctx)
        return grads[0] * ctx.slope(x, *ctx.numbers_of_slope(*ctx.constants))


def _wide(x: Array) -> Array:
    """At least one dimension, at least single precision."""
    x = np.atleast_1d(x)
    return x.astype(np.float32) if x.dtype == np.float16 else x


class Relu(Op):
    can_die = True
    jvp = diagonal
    merge = staticmethod(fusion.merge)
    merge_graph = staticmethod(fusion.merge_graph)
    backward_graph = piecewise
    saves = ("result",)

    def forward(ctx: Any, x: Array) -> Array:
        if x.dtype == np.bool_:
            raise RuntimeError("Boolean inputs not supported for relu")
        y = dispatch.relu(x)
        ctx.save(y)
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        (y,) = ctx.saved
        return dispatch.relu_backward(grad, y)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        x = float(seen["x"][at])
        return f"{seen.element('y', at)} = max(x, 0)", f"max({seen.number(x)}, 0)", max(x, 0.0)

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        x, grad = float(seen["x"][at]), float(seen.grad[at])
        numbers = f"{seen.number(grad)}·{int(x > 0)}, for x = {seen.number(x)} {'>' if x > 0 else '≤'} 0"
        return f"{seen.element('d_x', at)} = grad·(1 where x > 0, else 0)", numbers, grad * (x > 0)


@method(in_place=True)
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Keeps what is positive.

    Formula:
        max(x, 0)

    Gradient:
        1 where x > 0, else 0; at 0 it is 0.

    Source: torch.nn.functional.relu.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.relu(lenet.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 0., 2.])
    """
    waits = isinstance(input, Variable) and input.pending is not None
    if inplace:
        if not (waits and can_become(input)):
            return assign(input, relu)
        become(input, fusion.follow(Relu, input.pending.shape, input))
        return input
    return fusion.follow(Relu, input.pending.shape, input) if waits else Relu.apply(input)


class LeakyRelu(Activation):
    formula = "y = x where x > 0, else {constants[0]:g} x"
    gradient = ("d_x = grad · (1 where x > 0, else {constants[0]:g})",)
    kernel = "leaky_relu"
    backward_graph, jvp = piecewise, diagonal


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Keeps what is positive and weakens what is negative.

    Formula:
        max(x, 0) + negative_slope min(x, 0)

    Gradient:
        1 where x > 0, else negative_slope; also at 0.

    Source: torch.nn.functional.leaky_relu.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.leaky_relu(lenet.tensor([-1.0, 2.0]), 0.1)
        tensor([-0.1000,  2.0000])
    """
    if inplace:
        return assign(input, leaky_relu, negative_slope)
    return LeakyRelu.apply(input, constants=(negative_slope,))


class PreluKernel(Op):
    formula = "y = x where x > 0, else weight · x"
    gradient = ("d_x = grad · (1 where x > 0, else weight)", "d_weight = Σ of grad · x where x ≤ 0")

    @quiet
    def forward(ctx: Any, x: Array, weight: Array) -> Array:
        ctx.save(x, weight if ctx.needs_input_grad[0] else None)
        return select(x > 0, x, as_array(weight * x))

    def backward(ctx: Any, grad: Array) -> Any:
        x, weight = ctx.saved
        need_x, need_weight = ctx.needs_input_grad
        return (
            select(x > 0, grad, as_array(weight * grad)) if need_x else None,
            zeroed(as_array(x * grad), x > 0) if need_weight else None,
        )

    def backward_graph(ctx: Any, grad: Any) -> Any:
        x, weight = saved_tensors(ctx)
        need_x, need_weight = ctx.needs_input_grad
        return (
            Bent.apply(grad.where(x > 0, grad * weight), x) if need_x else None,
            (x * grad).masked_fill(x > 0, 0.0) if need_weight else None,
        )


@method
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """A leaky relu whose slope is learned.

    Formula:
        max(x, 0) + weight min(x, 0)

    Args:
        weight: one slope for everything, or one for each channel.

    Shape:
        input (N, C, ...), weight (1,), () or (C,)

    Gradient:
        At 0: weight to the input, 0 to the weight.

    Raises:
        RuntimeError: the number of slopes is neither 1 nor that of the channels, or their type is another.

    Source: torch.nn.functional.prelu; He et al. 2015, "Delving Deep into Rectifiers", equation 1.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.prelu(lenet.tensor([[-1.0, -2.0]]), lenet.tensor([0.5, 0.1]))
        tensor([[-0.5000, -0.2000]])
    """
    x, w = input.array, weight.array
    if w.ndim > 1:
        raise ShapeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {w.ndim}")
    if x.dtype != w.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {x.dtype} and {w.dtype}")
    if x.dtype.kind != "f":
        raise NotImplementedError(f"prelu: not implemented for {x.dtype}; convert to float first")
    if w.size != 1:
        channels = x.shape[1] if x.ndim > 1 else 1
        if not x.ndim or w.size != channels:
            raise ShapeError(
                "prelu: Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{w.size} and channel size = {channels} (input {list(x.shape)})"
            )
    if w.ndim and x.ndim != 1:
        weight = weight.reshape(1, -1, *[1] * (x.ndim - 2)) if x.ndim else weight.reshape(())
    return PreluKernel.apply(input, weight)


class RreluWithNoise(Op):
    """Slopes drawn for what is not positive."""

    formula = "y = x where x > 0, else a · x with random a"
    gradient = ("d_x = grad · (1 where x > 0, else a)",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, lower: float, upper: float) -> Array:
        if x.dtype.kind != "f":
            raise NotImplementedError(f"rrelu: not implemented for {x.dtype}; convert to float first")
        if (torchs := torch_numbers(None)) is not None:  # which draws where it is needed only
            drawn = np.zeros(x.shape)
            drawn[x <= 0] = torchs.uniform(lower, upper, int((x <= 0).sum()), np.float64)
        else:
            drawn = beside(x, numpy_generator(None).uniform(lower, upper, x.shape))
        ctx.slopes = np.where(x <= 0, drawn, 1).astype(x.dtype)
        return x * ctx.slopes

    def backward(ctx: Any, grad: Array) -> Array:
        return grad * ctx.slopes

    jvp = diagonal


class RreluEvaluated(LeakyRelu):
    backward_name = "RreluWithNoise"


@whole
def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """A leaky relu with random slopes.

    Formula:
        max(x, 0) + a min(x, 0), with a from U(lower, upper) for each element in training, else (lower + upper) / 2

    Gradient:
        At 0: that of the negative side.

    Raises:
        RuntimeError: lower is greater than upper.

    Source: torch.nn.functional.rrelu; Xu et al. 2015, "Empirical Evaluation of Rectified Activations".

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.rrelu(lenet.tensor([-1.0, 2.0]), 0.1, 0.3)
        tensor([-0.2000,  2.0000])
    """
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}")
    if inplace:
        return assign(input, rrelu, lower, upper, training)
    if training:
        return RreluWithNoise.apply(input, lower=lower, upper=upper)
    return RreluEvaluated.apply(input, constants=((lower + upper) / 2,))
