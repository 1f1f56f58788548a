"""Padding layers. A border may be one number for all sides, or (left, right), (left, right, top, bottom)
or (left, right, top, bottom, front, back)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.ops.nn.geometry import per_dimension
from lenetcli.tensors.tensor import Tensor

Sides1d = int | tuple[int, int]
Sides2d = int | tuple[int, int, int, int]
Sides3d = int | tuple[int, int, int, int, int, int]


class _PadNd(Module):
    dims: ClassVar[int]
    mode: ClassVar[Literal["constant", "reflect", "replicate", "circular"]]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding: tuple[int, ...] = per_dimension("padding", padding, 2 * self.dims)

    def forward(self, input: Tensor) -> Tensor:
        shape = input.array.shape
        if self.mode == "circular" and len(shape) not in (self.dims + 1, self.dims + 2):
            raise ValueError(
                f"{type(self).__name__}: expected {self.dims + 1}D or {self.dims + 2}D input (got {len(shape)}D input)"
            )
        return F.pad(input, self.padding, mode=self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, value=self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """A border of one value around sequences. Source: torch.nn.ConstantPad1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ConstantPad1d((1, 2), 9.0)(lenet.ones(1, 1, 2))
        tensor([[[9., 1., 1., 9., 9.]]])
    """

    dims = 1

    def __init__(self, padding: Sides1d, value: float) -> None:
        super().__init__(padding, value)


class ConstantPad2d(_ConstantPadNd):
    """A border of one value around images. Source: torch.nn.ConstantPad2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ConstantPad2d((1, 0, 0, 1), 9.0)(lenet.ones(1, 1, 1))
        tensor([[[9., 1.],
                 [9., 9.]]])
    """

    dims = 2

    def __init__(self, padding: Sides2d, value: float) -> None:
        super().__init__(padding, value)


class ConstantPad3d(_ConstantPadNd):
    """A border of one value around volumes. Source: torch.nn.ConstantPad3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ConstantPad3d((0, 0, 0, 0, 1, 0), 9.0)(lenet.ones(1, 1, 1, 1)).flatten()
        tensor([9., 1.])
    """

    dims = 3

    def __init__(self, padding: Sides3d, value: float) -> None:
        super().__init__(padding, value)


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPadNd):
    """A border of zeros around sequences. Source: torch.nn.ZeroPad1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ZeroPad1d(1)(lenet.ones(1, 1, 2))
        tensor([[[0., 1., 1., 0.]]])
    """

    dims = 1

    def __init__(self, padding: Sides1d) -> None:
        super().__init__(padding)


class ZeroPad2d(_ZeroPadNd):
    """A border of zeros around images. Source: torch.nn.ZeroPad2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ZeroPad2d((1, 0, 0, 1))(lenet.ones(1, 1, 1))
        tensor([[[0., 1.],
                 [0., 0.]]])
    """

    dims = 2

    def __init__(self, padding: Sides2d) -> None:
        super().__init__(padding)


class ZeroPad3d(_ZeroPadNd):
    """A border of zeros around volumes. Source: torch.nn.ZeroPad3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ZeroPad3d((0, 0, 0, 0, 1, 0))(lenet.ones(1, 1, 1, 1)).flatten()
        tensor([0., 1.])
    """

    dims = 3

    def __init__(self, padding: Sides3d) -> None:
        super().__init__(padding)


class ReflectionPad1d(_PadNd):
    """A border that shows the sequence reflected at its ends. Source: torch.nn.ReflectionPad1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReflectionPad1d(2)(lenet.arange(3.0).view(1, 1, 3))
        tensor([[[2., 1., 0., 1., 2., 1., 0.]]])
    """

    dims, mode = 1, "reflect"

    def __init__(self, padding: Sides1d) -> None:
        super().__init__(padding)


class ReflectionPad2d(_PadNd):
    """A border that shows the image reflected at its edge pixels. Source: torch.nn.ReflectionPad2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReflectionPad2d((1, 0, 0, 1))(lenet.arange(4.0).view(1, 2, 2))
        tensor([[[1., 0., 1.],
                 [3., 2., 3.],
                 [1., 0., 1.]]])
    """

    dims, mode = 2, "reflect"

    def __init__(self, padding: Sides2d) -> None:
        super().__init__(padding)


class ReflectionPad3d(_PadNd):
    """A border around volumes that mirrors them at their outermost places. Source: torch.nn.ReflectionPad3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReflectionPad3d((1, 0, 0, 0, 0, 0))(lenet.tensor([[[[1.0, 2.0]]]])).flatten()
        tensor([2., 1., 2.])
    """

    dims, mode = 3, "reflect"

    def __init__(self, padding: Sides3d) -> None:
        super().__init__(padding)


class ReplicationPad1d(_PadNd):
    """A border that repeats the sequence's end values. Source: torch.nn.ReplicationPad1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReplicationPad1d(2)(lenet.arange(3.0).view(1, 1, 3))
        tensor([[[0., 0., 0., 1., 2., 2., 2.]]])
    """

    dims, mode = 1, "replicate"

    def __init__(self, padding: Sides1d) -> None:
        super().__init__(padding)


class ReplicationPad2d(_PadNd):
    """A border that repeats the image's edge pixels. Source: torch.nn.ReplicationPad2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReplicationPad2d((1, 0, 0, 1))(lenet.arange(4.0).view(1, 2, 2))
        tensor([[[0., 0., 1.],
                 [2., 2., 3.],
                 [2., 2., 3.]]])
    """

    dims, mode = 2, "replicate"

    def __init__(self, padding: Sides2d) -> None:
        super().__init__(padding)


class ReplicationPad3d(_PadNd):
    """A border around volumes that repeats their faces. Source: torch.nn.ReplicationPad3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.ReplicationPad3d((1, 0, 0, 0, 0, 0))(lenet.tensor([[[[1.0, 2.0]]]])).flatten()
        tensor([1., 1., 2.])
    """

    dims, mode = 3, "replicate"

    def __init__(self, padding: Sides3d) -> None:
        super().__init__(padding)


class CircularPad1d(_PadNd):
    """A border that shows the sequence's other end. Source: torch.nn.CircularPad1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.CircularPad1d(1)(lenet.arange(3.0).view(1, 1, 3))
        tensor([[[2., 0., 1., 2., 0.]]])
    """

    dims, mode = 1, "circular"

    def __init__(self, padding: Sides1d) -> None:
        super().__init__(padding)


class CircularPad2d(_PadNd):
    """A border that shows the image's other side. Source: torch.nn.CircularPad2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.CircularPad2d((1, 0, 0, 1))(lenet.arange(4.0).view(1, 2, 2))
        tensor([[[1., 0., 1.],
                 [3., 2., 3.],
                 [1., 0., 1.]]])
    """

    dims, mode = 2, "circular"

    def __init__(self, padding: Sides2d) -> None:
        super().__init__(padding)


class CircularPad3d(_PadNd):
    """A border around volumes that continues them from the other side. Source: torch.nn.CircularPad3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.CircularPad3d((1, 0, 0, 0, 0, 0))(lenet.tensor([[[[1.0, 2.0]]]])).flatten()
        tensor([2., 1., 2.])
    """

    dims, mode = 3, "circular"

    def __init__(self, padding: Sides3d) -> None:
        super().__init__(padding)
