"""New tensors of random numbers. Same seed, same numbers; they are not torch's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import int64, to_numpy_dtype
from lenetcli.autograd.random import Generator, numpy_generator
from lenetcli.autograd.tape import Variable
from lenetcli.kernels.device import as_array, beside
from lenetcli.tensors.creation import empty, shape_of
from lenetcli.tensors.tensor import Tensor, of_array, placed


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform random numbers in [0, 1). Source: torch.rand.

    Example:
        >>> import lenetcli as lenet
        >>> bool((lenet.rand(100) < 1).all())
        True
    """
    result: Tensor = empty(*size, dtype=dtype, device=device).uniform_(generator=generator)
    return result.requires_grad_(requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal random numbers of mean 0 and variance 1. Source: torch.randn.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.randn(2, 3).shape
        torch.Size([2, 3])
    """
    result: Tensor = empty(*size, dtype=dtype, device=device).normal_(generator=generator)
    return result.requires_grad_(requires_grad)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Whole random numbers from `low` (0 unless given) up to but without `high`: `randint(high, size)` works too.

    Raises:
        RuntimeError: low >= high.

    Source: torch.randint.

    Example:
        >>> import lenetcli as lenet
        >>> bool((lenet.randint(3, 5, (100,)) >= 3).all())
        True
    """
    if size is None and isinstance(high, (tuple, list)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise TypeError("randint: wanted (high, size) or (low, high, size); size is a tuple")
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    draw = numpy_generator(generator).integers(low, high - 1, shape_of((size,)), np.int64, endpoint=True)
    return of_array(placed(np.asarray(draw, to_numpy_dtype(dtype or int64)), device), requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers 0 ... n - 1 in random order. Source: torch.randperm.

    Example:
        >>> import lenetcli as lenet
        >>> sorted(lenet.randperm(3).tolist())
        [0, 1, 2]
    """
    if n < 0:
        raise RuntimeError(f"randperm: n must be non-negative, got {n}")
    order = numpy_generator(generator).permutation(n).astype(to_numpy_dtype(dtype or int64))
    return of_array(placed(order, device), requires_grad)


def rand_like(input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`rand` in the shape and type of another tensor. Source: torch.rand_like.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.rand_like(lenet.ones(2)).shape
        torch.Size([2])
    """
    return rand(*input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """`randn` in the shape and type of another tensor. Source: torch.randn_like.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.randn_like(lenet.ones(2)).shape
        torch.Size([2])
    """
    return randn(*input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`randint` in the shape and type of another tensor. Source: torch.randint_like.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.randint_like(lenet.ones(2), 5, 6)
        tensor([5., 5.])
    """
    return randint(low, high, input.shape, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal random numbers of the given mean and standard deviation, tensors or numbers (then with `size`).

    Source: torch.normal.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.normal(0.0, 1.0, (2,)).shape, lenet.normal(lenet.zeros(3)).shape
        (torch.Size([2]), torch.Size([3]))
    """
    given = [v for v in (mean, std) if isinstance(v, Variable)]
    if bool(given) == (size is not None):
        raise TypeError("normal: give size with numbers, and no size where mean or std is a tensor")
    mean, std = (v.array if isinstance(v, Variable) else v for v in (mean, std))
    if np.any(std < 0):
        raise RuntimeError(f"normal expects all elements of std >= 0.0, got {std}")
    shape = shape_of((size,)) if size is not None else np.broadcast_shapes(np.shape(mean), np.shape(std))
    kind = np.result_type(*(v.array for v in given)) if given else None
    draw = numpy_generator(generator).standard_normal(shape)
    values = as_array((beside(given[0].array, draw) if given else draw) * std + mean)
    return of_array(placed(values.astype(to_numpy_dtype(dtype, kind)), device), requires_grad)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that `input` gives, else 0. Gradient: 0. Source: torch.bernoulli.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bernoulli(lenet.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    result: Tensor = input.clone().bernoulli_(input.detach(), generator=generator)
    return result
