"""Activation functions that write into their input and return it: what torch.nn.functional has beside `inplace=True`.

Gradients are those of the functions without the underscore. A leaf that requires gradients is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenetcli.ops.pointwise.gelu import celu, elu, selu
from lenetcli.ops.pointwise.hardtanh import hardtanh
from lenetcli.ops.pointwise.hardtanh import threshold as _threshold
from lenetcli.ops.pointwise.relu import leaky_relu, relu, rrelu

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def relu_(input: Tensor) -> Tensor:
    """`relu`, written into its input.

    Source: torch.nn.functional.relu_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([-1.0, 2.0])
        >>> F.relu_(x) is x, x
        (True, tensor([0., 2.]))
    """
    return relu(input, inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, written into its input.

    Source: torch.nn.functional.leaky_relu_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([-1.0, 2.0])
        >>> F.leaky_relu_(x, 0.5)
        tensor([-0.5000,  2.0000])
    """
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`rrelu`, written into its input.

    Raises:
        RuntimeError: lower is greater than upper.

    Source: torch.nn.functional.rrelu_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([-1.0, 2.0])
        >>> F.rrelu_(x, 0.1, 0.3)
        tensor([-0.2000,  2.0000])
    """
    return rrelu(input, lower, upper, training, inplace=True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, written into its input.

    Source: torch.nn.functional.elu_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([0.0, 2.0])
        >>> F.elu_(x)
        tensor([0., 2.])
    """
    return elu(input, alpha, inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, written into its input.

    Raises:
        RuntimeError: alpha is 0.

    Source: torch.nn.functional.celu_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([0.0, 2.0])
        >>> F.celu_(x)
        tensor([0., 2.])
    """
    return celu(input, alpha, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """`selu`, written into its input.

    Source: torch.nn.functional.selu_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([0.0, 1.0])
        >>> F.selu_(x)
        tensor([0.0000, 1.0507])
    """
    return selu(input, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, written into its input.

    Raises:
        ValueError: min_val is greater than max_val.

    Source: torch.nn.functional.hardtanh_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([-2.0, 0.5])
        >>> F.hardtanh_(x)
        tensor([-1.0000,  0.5000])
    """
    return hardtanh(input, min_val, max_val, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, written into its input.

    Source: torch.nn.functional.threshold_.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([0.1, 2.0])
        >>> F.threshold_(x, 1.0, -5.0)
        tensor([-5.,  2.])
    """
    return _threshold(input, threshold, value, inplace=True)
