"""Layers that make one tensor of several: what a graph joins its branches with."""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar

from lenetcli.errors import ShapeError
from lenetcli.nn.module import Module
from lenetcli.ops.shaping.cat import cat
from lenetcli.tensors.tensor import Tensor


class Merge(Module):
    """Base of layers that take two inputs or more: in a config their `from` is a list."""

    joins: ClassVar[bool] = True

    def _shapes(self, inputs: tuple[Any, ...]) -> list[tuple[int, ...]]:
        """The inputs' shapes.

        Raises:
            TypeError: fewer than two inputs, or one that is no tensor.
        """
        name = type(self).__name__
        if len(inputs) < 2:
            raise TypeError(f"{name} takes two inputs or more, got {len(inputs)}")
        for value in inputs:
            if not isinstance(value, Tensor):
                raise TypeError(f"{name} takes tensors, got {type(value).__name__}")
        return [value.array.shape for value in inputs]

    def _refuse(self, shapes: list[tuple[int, ...]], wanted: str) -> ShapeError:
        shown = " and ".join(str(list(shape)) for shape in shapes)
        return ShapeError(f"{type(self).__name__} wants {wanted}, got {shown}")


class Add(Merge):
    """Adds its inputs, number by number: what a residual net ends its branches with.

    In a config: {type: Add, from: [a, b]}, of the layers named a and b.

    Formula:
        y = a + b + ...

    Shape:
        (N, C, *) each -> (N, C, *); sizes after C may be 1, and count for all places then

    Raises:
        ShapeError: samples or channels of different numbers, or sizes that differ elsewhere and are not 1.
        TypeError: fewer than two inputs.

    Source: He et al., Deep Residual Learning for Image Recognition, 2015, equation 1.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> nn.Add()(lenet.ones(1, 2), lenet.ones(1, 2))
        tensor([[2., 2.]])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, *inputs: Any) -> Tensor:
        shapes = self._shapes(inputs)
        if not _fit(shapes, 2):
            raise self._refuse(shapes, "inputs of one shape")
        total: Tensor = reduce(lambda a, b: a + b, inputs)
        return total


class Multiply(Merge):
    """Multiplies its inputs, number by number: what a gate (squeeze and excitation, attention) acts with.

    In a config: {type: Multiply, from: [a, b]}, of the layers named a and b.

    Formula:
        y = a · b · ...

    Shape:
        (N, C, *) each -> (N, C, *); sizes after N may be 1, and count for all places then

    Raises:
        ShapeError: another number of samples or dimensions, or sizes that differ and are not 1.
        TypeError: fewer than two inputs.

    Source: Hu et al., Squeeze-and-Excitation Networks, 2018, equation 4.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> nn.Multiply()(lenet.full((1, 2, 1, 1), 3.0), lenet.ones(1, 2, 1, 2))
        tensor([[[[3., 3.]],
        <BLANKLINE>
                 [[3., 3.]]]])
    """

    def forward(self, *inputs: Any) -> Tensor:
        shapes = self._shapes(inputs)
        if not _fit(shapes, 1):
            raise self._refuse(shapes, "inputs of one shape, or sizes of 1")
        product: Tensor = reduce(lambda a, b: a * b, inputs)
        return product


class Concat(Merge):
    """Puts its inputs one behind the other: the channels of one after those of another.

    In a config: {type: Concat, from: [a, b]}, of the layers named a and b.

    Args:
        dim: where they are joined: 1 is the first dimension of a sample, the channels of a picture.

    Shape:
        (N, C1, *) and (N, C2, *) -> (N, C1 + C2, *) for dim=1

    Raises:
        ShapeError: sizes differ elsewhere than in `dim`.
        TypeError: fewer than two inputs.

    Source: torch.cat; Szegedy et al., Going Deeper with Convolutions, 2015.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> nn.Concat()(lenet.ones(1, 2), lenet.zeros(1, 1))
        tensor([[1., 1., 0.]])
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Any) -> Tensor:
        shapes = self._shapes(inputs)
        first, dims = shapes[0], len(shapes[0])
        if not -dims <= self.dim < dims or self.dim % dims == 0:
            raise ShapeError(f"Concat joins along a dimension of samples, 1 to {dims - 1}, got dim={self.dim}")
        at = self.dim % dims
        if any(len(s) != dims or s[:at] + s[at + 1 :] != first[:at] + first[at + 1 :] for s in shapes):
            raise self._refuse(shapes, f"inputs that differ in dimension {at} only")
        return cat(inputs, self.dim)

    def extra_repr(self) -> str:
        return "" if self.dim == 1 else f"dim={self.dim}"


def _fit(shapes: list[tuple[int, ...]], exact: int) -> bool:
    """Whether shapes are the same, but for sizes of 1 after the first `exact` dimensions."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return True
    if any(len(shape) != len(first) or shape[:exact] != first[:exact] for shape in shapes):
        return False
    return all(len({size for size in sizes if size != 1}) < 2 for sizes in zip(*shapes))
