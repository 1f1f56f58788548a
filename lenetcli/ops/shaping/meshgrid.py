"""Every combination of values: coordinate grids, products and choices."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lenetcli.autograd.tape import like
from lenetcli.kernels.device import beside
from lenetcli.ops.indexing.getitem import index
from lenetcli.ops.operands import wanted_tensors
from lenetcli.ops.shaping.cat import stack
from lenetcli.ops.shaping.expand import expand
from lenetcli.ops.shaping.reshape import reshape

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def meshgrid(*tensors: Any, indexing: Literal["ij", "xy"] = "ij") -> tuple[Tensor, ...]:
    """Coordinate grids: for vectors of N and M values two (N, M) tensors, the one of rows and the one of columns.

    Args:
        tensors: vectors or numbers, one by one or as one sequence.
        indexing: 'ij' as in matrices; 'xy' swaps the first two dimensions, as in pictures.

    Raises:
        RuntimeError: no tensors, one of more than one dimension, different types, another `indexing`.

    Source: torch.meshgrid.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.meshgrid(lenet.tensor([1, 2]), lenet.tensor([3, 4]), indexing="ij")
        (tensor([[1, 1],
                [2, 2]]), tensor([[3, 4],
                [3, 4]]))
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    wanted_tensors("meshgrid", *given)
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for x in given:
        if x.array.ndim > 1:
            raise RuntimeError(f"meshgrid: Expected 0D or 1D tensor in the tensor list but got: {list(x.array.shape)}")
        if x.array.dtype != given[0].array.dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    places = list(range(len(given)))
    if indexing == "xy" and len(given) > 1:
        places[:2] = 1, 0
    shape = tuple(given[i].array.size for i in places)
    return tuple(
        expand(reshape(x, [x.array.size if d == place else 1 for d in range(len(shape))]), shape)
        for x, place in zip(given, places)
    )


def _vector(name: str, x: Any) -> None:
    wanted_tensors(name, x)
    if x.array.ndim != 1:
        raise RuntimeError(f"{name}: Expect a 1D vector, but got shape {list(x.array.shape)}")


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All ways to take one value from each vector, one a row; a single vector stays as it is.

    Shape:
        (N,) and (M,) -> (N M, 2)

    Raises:
        RuntimeError: a tensor that is no vector, or different types.

    Source: torch.cartesian_prod.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cartesian_prod(lenet.tensor([1, 2]), lenet.tensor([3, 4]))
        tensor([[1, 3],
                [1, 4],
                [2, 3],
                [2, 4]])
    """
    for x in tensors:
        _vector("cartesian_prod", x)
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, -1) for grid in meshgrid(*tensors)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to choose `r` values of a vector, one a row, in the order of the vector.

    Args:
        with_replacement: a value may be chosen again.

    Raises:
        RuntimeError: the tensor is no vector, or `r` is negative.

    Source: torch.combinations.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.combinations(lenet.tensor([1, 2, 3]))
        tensor([[1, 2],
                [1, 3],
                [2, 3]])
    """
    _vector("combinations", input)
    if r < 0:
        raise RuntimeError(f"combinations: Expect a non-negative number, but got {r}")
    if r == 0:
        return like(input, np.empty(0, input.array.dtype, like=input.array))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.array.size), r)), np.int64).reshape(-1, r)
    return stack([index(input, like(input, beside(input.array, rows[:, i]))) for i in range(r)], 1)
