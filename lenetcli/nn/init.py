"""Initial values of parameters (torch.nn.init). Every function changes its tensor in place, outside the graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli._tensor import Tensor
from lenetcli.autograd.random import Generator, numpy_generator


def _fill(tensor: Tensor, values: Any) -> Tensor:
    tensor.array[...] = values
    tensor.counter[0] += 1
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers from [a, b).

    Example:
        >>> import lenetcli as lenet
        >>> t = lenet.nn.init.uniform_(lenet.empty(3), -1, 1)
        >>> bool((t.abs() <= 1).all())
        True
    """
    return _fill(tensor, numpy_generator(generator).uniform(a, b, tensor.array.shape))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity.

    Raises:
        ValueError: unknown nonlinearity.

    Source: torch.nn.init.calculate_gain.

    Example:
        >>> from lenetcli.nn.init import calculate_gain
        >>> round(calculate_gain("relu"), 4)
        1.4142
    """
    if nonlinearity in ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "sigmoid"):
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity!r}")


def fan(tensor: Tensor) -> tuple[int, int]:
    """Fan in and fan out: how many inputs feed one output, and how many outputs one input feeds.

    Raises:
        ValueError: fewer than two dimensions.
    """
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = int(np.prod(shape[2:]))
    return shape[1] * field, shape[0] * field


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform numbers whose variance keeps that of the signal.

    Formula:
        U(-bound, bound), bound = gain sqrt(3 / fan)

    Source: He et al., Delving deep into rectifiers, 2015; torch.nn.init.kaiming_uniform_.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.nn.init.kaiming_uniform_(lenet.empty(3, 6), a=5**0.5)
        >>> bool((w.abs() <= 6**-0.5).all())
        True
    """
    if tensor.array.size == 0:
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _fan_of(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def _fan_of(tensor: Tensor, mode: str) -> int:
    fans = dict(zip(("fan_in", "fan_out"), fan(tensor)))
    if mode.lower() not in fans:
        raise ValueError(f"Mode {mode!r} not supported, please use one of fan_in, fan_out")
    return fans[mode.lower()]
