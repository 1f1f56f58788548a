"""Copies of the same values: in other types, or in new memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.dtypes import bool_, float16, float32, float64, int8, int16, int32, int64, uint8
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.kernels import device
from lenetcli.kernels.layout import Array
from lenetcli.ops.methods import METHODS, method

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class ToCopy(Op):
    formula = "y = x in another type"
    gradient = ("d_x = grad in the type of x",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, kind: np.dtype[Any]) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return x.astype(kind, order="K")

    def backward(ctx: Any, grad: Array) -> Array:
        return grad  # the tape casts it back


def cast(input: Tensor, kind: np.dtype[Any]) -> Tensor:
    """The values in another NumPy type; the tensor itself where it has that type already."""
    return input if input.array.dtype == kind else ToCopy.apply(input, kind=kind)


class ToDevice(Op):
    formula = "y = x on the device {kind}"
    gradient = ("d_x = grad on the device of x",)
    backward_name = "ToCopy"
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, kind: str, index: int | None) -> Array:
        ctx.came_from = device.kind(x)
        return device.put(x, kind, index)

    def backward(ctx: Any, grad: Array) -> Array:
        return device.put(grad, ctx.came_from)


def move(input: Tensor, kind: str, index: int | None = None) -> Tensor:
    """The values on a device, "cpu" or "cuda"; the tensor itself where it is there already."""
    if kind == device.kind(input.array) and index in (None, device.index(input.array)):
        return input
    return ToDevice.apply(input, kind=kind, index=index)


class Clone(Op):
    formula = "y = a copy of x"
    gradient = ("d_x = grad",)
    backward_graph = linear

    def forward(ctx: Any, x: Array) -> Array:
        return x.copy(order="K")

    def backward(ctx: Any, grad: Array) -> Array:
        return grad


@method
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """The same values in new memory, inside the graph: gradients flow through. Source: torch.clone.

    `memory_format` is accepted and has no effect, here and in its like: the order in memory is the ops' own affair.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.ones(2)
        >>> _ = x.clone().mul_(3)
        >>> x
        tensor([1., 1.])
    """
    return Clone.apply(input)


for _name, _dtype in {
    "float": float32, "double": float64, "half": float16, "long": int64, "int": int32, "short": int16,
    "char": int8, "byte": uint8, "bool": bool_,
}.items():  # fmt: skip

    def _convert(self: Any, memory_format: Any = None, *, _kind: np.dtype[Any] = _dtype.numpy) -> Any:
        return cast(self, _kind)

    _convert.__name__ = _name
    _convert.__doc__ = f"The tensor as {_dtype.name}; itself where it has that type already."
    METHODS[_name] = _convert
