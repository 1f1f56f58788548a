"""New tensors of random numbers. Same seed, same numbers; they are not torch's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import int64, to_numpy_dtype
from lenetcli.autograd.random import Generator, numpy_generator
from lenetcli.autograd.tape import Variable
from lenetcli.autograd.torch_random import torch_numbers
from lenetcli.kernels.device import as_array, beside
from lenetcli.ops.methods import method
from lenetcli.tensors.creation import empty, shape_of, sizes_of
from lenetcli.tensors.tensor import Tensor, of_array, placed


def rand(
    *sizes: Any,
    size: Any = None,
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
    result: Tensor = empty(*sizes_of(sizes, size), dtype=dtype, device=device).uniform_(generator=generator)
    return result.requires_grad_(requires_grad)


def randn(
    *sizes: Any,
    size: Any = None,
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
    result: Tensor = empty(*sizes_of(sizes, size), dtype=dtype, device=device).normal_(generator=generator)
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
    wanted = to_numpy_dtype(dtype, kind) if torch_numbers(generator) else np.float64
    draw = numpy_generator(generator).standard_normal(shape, wanted)
    values = as_array((beside(given[0].array, draw) if given else draw) * std + mean)
    return of_array(placed(values.astype(to_numpy_dtype(dtype, kind)), device), requires_grad)


@method
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Numbers of categories, drawn with chances in proportion to `input`; they need not add up to 1.

    Args:
        input: (K,) or (N, K) floats, not negative; each row is drawn from for itself.
        num_samples: how many are drawn of each row.
        replacement: a category may come again.
        generator: None means the default one.

    Shape:
        (num_samples,) or (N, num_samples), of int64.

    Raises:
        RuntimeError: no floats, another shape, negative or infinite chances, a row of zeros, or more samples than
            categories without replacement.

    Source: torch.multinomial.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.multinomial(lenet.tensor([0.0, 3.0, 0.0]), 4, replacement=True)
        tensor([1, 1, 1, 1])
    """
    chance = input.array
    if chance.dtype.kind != "f":
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {input.dtype}")
    if chance.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got {chance.ndim}")
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {num_samples}")
    if not replacement and num_samples > chance.shape[-1]:
        raise RuntimeError(
            f"cannot sample n_sample > prob_dist.size(-1) samples without replacement: {num_samples} of "
            f"{chance.shape[-1]}"
        )
    if not bool(((chance >= 0) & (chance < np.inf)).all()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    total = chance.sum(-1, keepdims=True)
    if not bool((total > 0).all()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    numbers = numpy_generator(generator)
    if replacement and num_samples > 1:
        reached = np.cumsum(chance, -1, dtype=np.float64) / total.astype(np.float64)
        drawn = beside(chance, numbers.random((*chance.shape[:-1], num_samples)))
        found = (reached[..., None, :] < drawn[..., None]).sum(-1).clip(max=chance.shape[-1] - 1)
    else:  # the least of exponential times, each of the rate of its chance
        with np.errstate(divide="ignore", invalid="ignore"):
            waited = chance / beside(chance, numbers.standard_exponential(chance.shape).astype(chance.dtype))
        found = np.argsort(-waited, -1, kind="stable")[..., :num_samples]
    return of_array(found.astype(np.int64))


@method
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that `input` gives, else 0; with `p` given, `input` says only the shape and the type.

    Gradient:
        0.

    Raises:
        RuntimeError: a probability outside of [0, 1].

    Source: torch.bernoulli.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.bernoulli(lenet.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    result: Tensor = input.clone().bernoulli_(input.detach() if p is None else p, generator=generator)
    return result
