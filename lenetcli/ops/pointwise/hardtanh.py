"""Activation functions made of straight lines: limits, thresholds, hard versions of smooth ones.

Where a function has `inplace`, True writes the result into the input and returns it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenetcli.autograd.inplace import assign
from lenetcli.autograd.rules import diagonal, piecewise
from lenetcli.ops.methods import method
from lenetcli.ops.pointwise.relu import Activation

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Hardtanh(Activation):
    can_die = True
    formula = "y = x limited to [{constants[0]:g}, {constants[1]:g}]"
    gradient = ("d_x = grad · (1 inside ({constants[0]:g}, {constants[1]:g}), else 0)",)
    kernel = "hardtanh"
    backward_graph, jvp = piecewise, diagonal


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Limits values to [min_val, max_val].

    Gradient:
        1 between the limits, 0 on and outside of them.

    Raises:
        ValueError: min_val is greater than max_val.

    Source: torch.nn.functional.hardtanh.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.hardtanh(lenet.tensor([-2.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    if inplace:
        return assign(input, hardtanh, min_val, max_val)
    return Hardtanh.apply(input, constants=(min_val, max_val))


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Limits values to [0, 6].

    Gradient:
        1 between the limits, 0 on and outside of them.

    Source: torch.nn.functional.relu6.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.relu6(lenet.tensor([-2.0, 5.0, 8.0]))
        tensor([0., 5., 6.])
    """
    return hardtanh(input, 0, 6, inplace)


class Threshold(Activation):
    can_die = True
    formula = "y = x where x > {constants[0]:g}, else {constants[1]:g}"
    gradient = ("d_x = grad · (1 where x > {constants[0]:g}, else 0)",)
    kernel = "threshold"
    backward_graph, jvp = piecewise, diagonal


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Keeps what is greater than `threshold`; everything else becomes `value`.

    Gradient:
        1 where x > threshold, else 0.

    Source: torch.nn.functional.threshold.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.threshold(lenet.tensor([0.1, 2.0]), 1.0, -5.0)
        tensor([-5.,  2.])
    """
    if inplace:
        return assign(input, _threshold, threshold, value)
    return _threshold(input, threshold, value)


def _threshold(input: Tensor, limit: float, value: float) -> Tensor:
    return Threshold.apply(input, constants=(limit, value))


class Hardsigmoid(Activation):
    can_die = True
    kernel = "hardsigmoid"


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """A sigmoid made of three lines.

    Formula:
        min(max(x + 3, 0), 6) / 6

    Gradient:
        1/6 for -3 < x < 3, else 0.

    Source: torch.nn.functional.hardsigmoid.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.hardsigmoid(lenet.tensor([-4.0, 0.0, 1.5]))
        tensor([0.0000, 0.5000, 0.7500])
    """
    return assign(input, hardsigmoid) if inplace else Hardsigmoid.apply(input)


class Hardswish(Activation):
    can_die = True
    kernel = "hardswish"
    slope = staticmethod(lambda x: (x / 3 + 0.5).where(x < 3, 1.0).masked_fill(x <= -3, 0.0))


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """`silu` with a `hardsigmoid`.

    Formula:
        x min(max(x + 3, 0), 6) / 6

    Gradient:
        0 up to -3, x/3 + 1/2 for -3 < x < 3, then 1.

    Source: torch.nn.functional.hardswish; Howard et al. 2019, "Searching for MobileNetV3", section 5.2.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.hardswish(lenet.tensor([1.5, 4.0]))
        tensor([1.1250, 4.0000])
    """
    return assign(input, hardswish) if inplace else Hardswish.apply(input)


class Hardshrink(Activation):
    can_die = True
    formula = "y = x where |x| > {constants[0]:g}, else 0"
    gradient = ("d_x = grad · (1 where |x| > {constants[0]:g}, else 0)",)
    kernel = "hardshrink"
    backward_graph, jvp = piecewise, diagonal


@method
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """0 for what lies in [-lambd, lambd].

    Gradient:
        0 in [-lambd, lambd], else 1.

    Source: torch.nn.functional.hardshrink.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.hardshrink(lenet.tensor([-2.0, 0.3, 0.7]))
        tensor([-2.0000,  0.0000,  0.7000])
    """
    return Hardshrink.apply(input, constants=(lambd,))


class Softshrink(Activation):
    can_die = True
    formula = "y = x moved towards 0 by {constants[0]:g}"
    gradient = ("d_x = grad · (1 where |x| > {constants[0]:g}, else 0)",)
    kernel = "softshrink"
    backward_graph, jvp = piecewise, diagonal


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Moves everything towards 0 by `lambd`.

    Formula:
        max(x - lambd, 0) + min(x + lambd, 0)

    Gradient:
        0 in [-lambd, lambd], else 1.

    Raises:
        RuntimeError: lambd is negative.

    Source: torch.nn.functional.softshrink.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.softshrink(lenet.tensor([-2.0, 0.3, 0.7]))
        tensor([-1.5000,  0.0000,  0.2000])
    """
    if not lambd >= 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}")
    return Softshrink.apply(input, constants=(lambd,))
