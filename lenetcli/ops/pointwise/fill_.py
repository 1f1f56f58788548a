"""Values written into an existing tensor: zero_, fill_, copy_, random numbers; recorded outside no_grad."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import number_as
from lenetcli.autograd.inplace import assign
from lenetcli.autograd.op import Op
from lenetcli.autograd.random import Generator, numpy_generator
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Variable
from lenetcli.autograd.torch_random import TorchNumbers, torch_numbers
from lenetcli.kernels.device import beside, is_array
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import METHODS
from lenetcli.ops.operands import broadcast_shape, quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Copy(Op):
    """Other values in place of the tensor's own, in its shape and type."""

    formula = "y = the values of another tensor"
    gradient = ("d_x = 0: its values are gone", "d_values = grad")
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, values: Any) -> Array:
        shape = np.shape(values)
        if shape != x.shape and broadcast_shape(x.shape, shape) != x.shape:
            raise RuntimeError(f"values of shape {list(shape)} cannot be expanded to the tensor's {list(x.shape)}")
        y = np.empty_like(x)
        np.copyto(y, values, casting="unsafe")
        return y

    def backward(ctx: Any, grad: Array) -> Any:
        return np.zeros_like(grad), grad

    def jvp(ctx: Any, d_x: Array | None, d_values: Array | None) -> Array:
        shape, kind = ctx.outputs[0]
        return np.zeros(shape, kind) if d_values is None else np.broadcast_to(d_values, shape)


class Fill(Copy):
    formula = "y = one value everywhere"
    gradient = ("d_x = 0: its values are gone", "d_values = Σ grad")

    def forward(ctx: Any, x: Array, values: Any) -> Array:
        return Copy.forward(ctx, x, values if is_array(values) else number_as(values, x.dtype))


def zero_(self: Tensor) -> Tensor:
    """Sets every element to 0. Source: torch.Tensor.zero_."""
    return assign(self, Fill.apply, 0)


def fill_(self: Tensor, value: float | Tensor) -> Tensor:
    """Sets every element to `value`, a number or a 0-d tensor. Source: torch.Tensor.fill_."""
    if isinstance(value, Variable) and value.array.ndim:
        raise RuntimeError(f"fill_: wanted a number or a 0-d tensor, got a tensor of shape {list(value.array.shape)}")
    return assign(self, Fill.apply, value)


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Takes the values of `src` (which broadcasts), in this tensor's own type. Source: torch.Tensor.copy_."""
    if not isinstance(src, Variable):
        raise TypeError(f"copy_: src must be a tensor, got {type(src).__name__}")
    return assign(self, Copy.apply, src)


def _fill_floats(self: Tensor, name: str, draw: Any, generator: Generator | None) -> Tensor:
    """Draws one number per element, in C order of the logical shape whatever the memory order."""
    kind = self.array.dtype
    if kind.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {kind}; wanted a floating-point tensor")
    values = draw(numpy_generator(generator), self.array.shape, np.float32 if kind == np.float32 else np.float64)
    return assign(self, Fill.apply, beside(self.array, values))


def normal_(self: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fills with normal random numbers. Source: torch.Tensor.normal_ (the numbers differ from torch's)."""
    if std < 0:
        raise RuntimeError(f"normal_: expects std >= 0.0, but found std={std}")
    return _fill_floats(
        self, "normal_", lambda g, s, kind: g.standard_normal(s, kind) * kind(std) + kind(mean), generator
    )


def uniform_(self: Tensor, from_: float = 0, to: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fills with uniform random numbers in [from_, to). Source: torch.Tensor.uniform_ (the numbers differ)."""
    if from_ > to:
        raise RuntimeError(f"uniform_: expects from <= to, but found from={from_} > to={to}")
    return _fill_floats(self, "uniform_", lambda g, s, kind: _uniform(g, from_, to, s, kind), generator)


def _uniform(numbers: Any, low: float, high: float, shape: Any, kind: Any) -> Any:
    if isinstance(numbers, TorchNumbers):
        return numbers.uniform(low, high, shape, kind)
    return numbers.random(shape, kind) * kind(high - low) + kind(low)


def exponential_(self: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor:
    """Fills with exponential random numbers of rate `lambd`. Source: torch.Tensor.exponential_ (the numbers differ)."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_: expects lambda > 0.0, but found lambda={lambd}")
    return _fill_floats(
        self, "exponential_", lambda g, s, kind: g.standard_exponential(s, kind) / kind(lambd), generator
    )


def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fills with 1 at probability `p`, else 0. Source: torch.Tensor.bernoulli_ (the numbers differ from torch's)."""
    chance = p.array if isinstance(p, Variable) else np.asarray(p)
    if ((chance < 0) | (chance > 1)).any():
        raise RuntimeError(f"bernoulli_: expects p in [0, 1], but got p={p}")
    if (torchs := torch_numbers(generator)) is not None:
        kind = chance.dtype if isinstance(p, Variable) else np.float64
        return assign(self, Fill.apply, beside(self.array, torchs.random(self.array.shape, kind)) < chance)
    return assign(self, Fill.apply, beside(self.array, numpy_generator(generator).random(self.array.shape)) < chance)


def random_(self: Tensor, from_: int = 0, to: int | None = None, *, generator: Generator | None = None) -> Tensor:
    """Fills with whole random numbers: `random_()`, `random_(to)` or `random_(from_, to)`, without `to` itself.

    Without `to` they go up to what the type can hold exactly. Source: torch.Tensor.random_ (the numbers differ).
    """
    kind, wide = self.array.dtype, None
    if to is None and from_:
        from_, to = 0, from_
    if to is None:
        wide = kind.itemsize == 8
        to = 1 + (
            2 ** (np.finfo(kind).nmant + 1) if kind.kind == "f" else 1 if kind.kind == "b" else int(np.iinfo(kind).max)
        )
    if from_ >= to:
        raise RuntimeError(f"random_: expects from < to, but found from={from_} >= to={to}")
    if (torchs := torch_numbers(generator)) is not None:
        draw = torchs.integers(from_, to - 1, self.array.shape, np.int64, endpoint=True, wide=wide)
    else:
        draw = numpy_generator(generator).integers(from_, to - 1, self.array.shape, np.int64, endpoint=True)
    return assign(self, Fill.apply, beside(self.array, draw))


for _function in (zero_, fill_, copy_, normal_, uniform_, exponential_, bernoulli_, random_):
    METHODS[_function.__name__] = _function
