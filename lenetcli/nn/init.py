"""Initial values of parameters (torch.nn.init). Every function changes its tensor in place, outside the graph."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from lenetcli.autograd.pending import settle
from lenetcli.autograd.random import Generator, numpy_generator
from lenetcli.autograd.torch_random import torch_numbers
from lenetcli.kernels.device import write
from lenetcli.nn import truncated
from lenetcli.tensors.tensor import Tensor


def _fill(tensor: Tensor, values: Any) -> Tensor:
    settle()
    write(tensor.array, values)
    tensor.counter[0] += 1
    return tensor


def _floating(name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise NotImplementedError(f"{name}: not implemented for {tensor.dtype}; wanted a floating-point tensor")


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere. Source: torch.nn.init.constant_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.constant_(lenet.empty(2), 0.3)
        tensor([0.3000, 0.3000])
    """
    return _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere. Source: torch.nn.init.ones_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.ones_(lenet.empty(2))
        tensor([1., 1.])
    """
    return _fill(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere. Source: torch.nn.init.zeros_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.zeros_(lenet.empty(2))
        tensor([0., 0.])
    """
    return _fill(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: a Linear layer hands on as many inputs as it can.

    Raises:
        ValueError: not two dimensions.

    Source: torch.nn.init.eye_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.eye_(lenet.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: only tensors with 2 dimensions are supported, got {tensor.ndim}")
    return _fill(tensor, np.eye(*tensor.array.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """1 in the middle of the filter from channel i to channel i: a convolution hands on as many channels as it can.

    Args:
        tensor: weight of a convolution, 3, 4 or 5 dimensions.
        groups: of the convolution; each hands its channels on.

    Raises:
        ValueError: another number of dimensions, or out-channels that groups do not divide.

    Source: torch.nn.init.dirac_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.dirac_(lenet.empty(2, 1, 3), groups=2)
        tensor([[[0., 1., 0.]],
        <BLANKLINE>
                [[0., 1., 0.]]])
    """
    shape = tensor.array.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"dirac_: only tensors with 3, 4, or 5 dimensions are supported, got {len(shape)}")
    if shape[0] % groups:
        raise ValueError(f"dirac_: dim 0 must be divisible by groups, got {shape[0]} and {groups}")
    each = shape[0] // groups
    channel = np.arange(min(each, shape[1]))
    middle = tuple(size // 2 for size in shape[2:])
    _fill(tensor, 0)
    for group in range(groups):
        tensor.array[(group * each + channel, channel, *middle)] = 1
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers from [a, b). Source: torch.nn.init.uniform_.

    Example:
        >>> import lenetcli as lenet
        >>> t = lenet.nn.init.uniform_(lenet.empty(3), -1, 1)
        >>> bool((t.abs() <= 1).all())
        True
    """
    _floating("uniform_", tensor)
    if a > b:
        raise RuntimeError(f"uniform_: expects a <= b, but found a={a} > b={b}")
    return _fill(tensor, numpy_generator(generator).uniform(a, b, tensor.array.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers of the given mean and standard deviation. Source: torch.nn.init.normal_.

    Raises:
        RuntimeError: a negative `std`.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.normal_(lenet.empty(3), mean=2, std=0)
        tensor([2., 2., 2.])
    """
    _floating("normal_", tensor)
    if std < 0:
        raise RuntimeError(f"normal_: expects std >= 0.0, but found std={std}")
    return _fill(tensor, numpy_generator(generator).normal(mean, std, tensor.array.shape))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers, drawn again until they lie in [a, b].

    Args:
        tensor: to fill.
        mean, std: of the normal distribution before it is cut.
        a, b: least and greatest value.
        generator: None means the default one.

    Source: torch.nn.init.trunc_normal_.

    Example:
        >>> import lenetcli as lenet
        >>> t = lenet.nn.init.trunc_normal_(lenet.empty(100), std=0.02, a=-0.04, b=0.04)
        >>> bool((t.abs() <= 0.04).all())
        True
    """
    _floating("trunc_normal_", tensor)
    if not std > 0 or a > b:
        raise RuntimeError(f"trunc_normal_: expects std > 0 and a <= b, but found std={std}, a={a}, b={b}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    values = truncated.normal(tensor.array.size, mean, std, a, b, generator)
    return _fill(tensor, values.reshape(tensor.array.shape))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity.

    Args:
        nonlinearity: name of a function, such as "relu", "tanh" or "conv2d".
        param: the negative slope of "leaky_relu"; 0.01 unless given.

    Raises:
        ValueError: unknown nonlinearity, or a slope that is no number.

    Source: torch.nn.init.calculate_gain.

    Example:
        >>> from lenetcli.nn.init import calculate_gain
        >>> round(calculate_gain("relu"), 4)
        1.4142
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if isinstance(param, bool) or not isinstance(param, (int, float, type(None))):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


_LINEAR = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
)  # fmt: skip


def fan(tensor: Tensor) -> tuple[int, int]:
    """Fan in and fan out: how many inputs feed one output, and how many outputs one input feeds.

    Raises:
        ValueError: fewer than two dimensions.
    """
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers whose variance suits signal and gradient alike.

    Formula:
        U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))

    Source: Glorot and Bengio, 2010; torch.nn.init.xavier_uniform_.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.nn.init.xavier_uniform_(lenet.empty(2, 4))
        >>> bool((w.abs() <= 1).all())
        True
    """
    bound = gain * math.sqrt(6.0 / sum(fan(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers whose variance suits signal and gradient alike.

    Formula:
        N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out))

    Source: Glorot and Bengio, 2010; torch.nn.init.xavier_normal_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.xavier_normal_(lenet.empty(2, 4)).shape
        torch.Size([2, 4])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fan(tensor))), generator)


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

    Args:
        tensor: a weight, two dimensions or more.
        a: negative slope of the leaky_relu that follows.
        mode: "fan_in" keeps the signal's variance, "fan_out" the gradient's.
        nonlinearity: see `calculate_gain`.
        generator: None means the default one.

    Source: He et al., Delving deep into rectifiers, 2015; torch.nn.init.kaiming_uniform_.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.nn.init.kaiming_uniform_(lenet.empty(3, 6), a=5**0.5)
        >>> bool((w.abs() <= 6**-0.5).all())
        True
    """
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers whose variance keeps that of the signal; arguments as `kaiming_uniform_`.

    Formula:
        N(0, std^2), std = gain / sqrt(fan)

    Source: He et al., Delving deep into rectifiers, 2015; torch.nn.init.kaiming_normal_.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.init.kaiming_normal_(lenet.empty(3, 6), nonlinearity="relu").shape
        torch.Size([3, 6])
    """
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _is_empty(tensor: Tensor) -> bool:
    if tensor.array.size == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return tensor.array.size == 0


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fans = dict(zip(("fan_in", "fan_out"), fan(tensor)))
    if mode.lower() not in fans:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(fans)}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans[mode.lower()])


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A matrix whose rows (or columns, if those are fewer) are orthogonal and of length `gain`, drawn evenly.

    Args:
        tensor: two dimensions or more; all after the first count as columns.
        gain: length of the vectors.
        generator: None means the default one.

    Raises:
        ValueError: fewer than two dimensions.

    Source: Saxe et al., 2013; Mezzadri, How to generate random matrices from the classical compact groups, 2007;
    torch.nn.init.orthogonal_.

    Example:
        >>> import lenetcli as lenet
        >>> q = lenet.nn.init.orthogonal_(lenet.empty(2, 5))
        >>> lenet.allclose(q.mm(q.t()), lenet.eye(2), atol=1e-6)
        True
    """
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError("orthogonal_: only tensors with 2 or more dimensions are supported")
    if tensor.array.size == 0:
        return tensor
    rows, columns = shape[0], math.prod(shape[1:])
    if (torchs := torch_numbers(generator)) is not None:  # in torch's order, and type
        drawn = torchs.standard_normal((rows, columns), tensor.array.dtype)
        drawn = drawn.T if rows < columns else drawn
    else:
        drawn = numpy_generator(generator).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diagonal(r))
    return _fill(tensor, gain * (q.T if rows < columns else q).reshape(shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers with a share of zeros in each column.

    Args:
        tensor: two dimensions.
        sparsity: share of the elements of each column that are 0, rounded up.
        std: standard deviation of the others.
        generator: None means the default one.

    Raises:
        ValueError: not two dimensions.

    Source: Martens, Deep learning via Hessian-free optimization, 2010; torch.nn.init.sparse_.

    Example:
        >>> import lenetcli as lenet
        >>> (lenet.nn.init.sparse_(lenet.empty(4, 3), sparsity=0.5) == 0).sum(0)
        tensor([2, 2, 2])
    """
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: only tensors with 2 dimensions are supported, got {tensor.ndim}")
    normal_(tensor, 0.0, std, generator)
    rows, columns = tensor.array.shape
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        tensor.array[numpy_generator(generator).permutation(rows)[:zeros], column] = 0
    return tensor
