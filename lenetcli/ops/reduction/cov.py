"""Covariances and correlations, means without NaN, distances, rows of limited length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.errors import ShapeError
from lenetcli.ops.linalg.matmul import matmul
from lenetcli.ops.linalg.matrix_norm import norm
from lenetcli.ops.methods import method
from lenetcli.ops.operands import axis, wanted_tensors
from lenetcli.ops.pointwise.clamp import clamp
from lenetcli.ops.reduction.norm import vector_norm
from lenetcli.ops.reduction.sum import Dims, nansum, sum

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


@method
def nanmean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
    """The mean of what is not NaN. Source: torch.nanmean.

    Raises:
        RuntimeError: integers.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nanmean(lenet.tensor([1.0, float("nan"), 3.0]))
        tensor(2.)
    """
    if input.array.dtype.kind != "f":
        raise RuntimeError(f"nanmean(): expected input to have floating point dtype but got {input.dtype}")
    count = sum(input.isnan().logical_not(), dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


@method
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other. Source: torch.dist.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.dist(lenet.tensor([3.0, 0.0]), lenet.tensor([0.0, 4.0]))
        tensor(5.)
    """
    wanted_tensors("dist", input, other)
    return norm(input - other, p)


@method
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Covariances of variables, which are rows; columns are observations.

    Args:
        correction: taken from the number of observations.
        fweights: how often each observation counts, whole numbers.
        aweights: how much each observation weighs.

    Shape:
        (V, N) -> (V, V); (N,) or () -> ()

    Raises:
        ShapeError: more than two dimensions, or weights of another length.
        RuntimeError: weights below 0 or of another kind of number.

    Source: torch.cov.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cov(lenet.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    x = input
    if x.array.ndim > 2:
        raise ShapeError(f"cov(): expected input to have two or fewer dimensions but got {x.array.ndim} dimensions")
    if x.array.dtype == bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    if x.array.dtype.kind != "f":
        x = x.float()
    if x.array.ndim < 2:
        x = x.reshape(1, -1)
    count = x.array.shape[1]
    weights: Any = None
    for name, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if given is None:
            continue
        if given.array.ndim > 1 or given.array.size != count:
            raise ShapeError(
                f"cov(): expected {name} to have the same numel as there are observations in the input, {count}, got "
                f"shape {list(given.array.shape)}"
            )
        if given.array.dtype.kind not in kinds:
            word = "integral" if kinds == "iu" else "floating point"
            raise RuntimeError(f"cov(): expected {name} to have {word} dtype but got {name} with {given.dtype} dtype")
        if (given.array < 0).any():
            raise RuntimeError(f"cov(): {name} cannot be negative")
        weights = given.reshape(-1) if weights is None else weights * given.reshape(-1)
    if weights is None:
        mean, total = x.mean(1, keepdim=True), float(count)
    else:
        total = weights.sum()
        mean = (x * weights).sum(1, keepdim=True) / total
    if weights is not None and aweights is not None and correction:
        free = total - correction * (weights * aweights.reshape(-1)).sum() / total
    else:
        free = total - correction
    free = max(free, 0.0) if isinstance(free, float) else clamp(free, min=0)
    apart = x - mean
    scaled = apart if weights is None else apart * weights
    return (matmul(apart, scaled.t()) / free).squeeze()


@method
def corrcoef(input: Tensor) -> Tensor:
    """Correlations of variables, which are rows; columns are observations.

    Shape:
        (V, N) -> (V, V); (N,) or () -> ()

    Raises:
        ShapeError: more than two dimensions.

    Source: torch.corrcoef.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.corrcoef(lenet.tensor([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if input.array.ndim > 2:
        raise ShapeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got {input.array.ndim} dimensions"
        )
    found = cov(input)
    if found.array.ndim == 0:
        return found / found
    spread = found.diag().sqrt()
    return clamp(found / spread.view(-1, 1) / spread.view(1, -1), -1, 1)


@method(in_place=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Shortens the parts along a dimension that are longer than `maxnorm`.

    Raises:
        ShapeError: fewer than two dimensions.
        RuntimeError: p or maxnorm out of its range, integers.

    Source: torch.renorm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.renorm(lenet.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    x, ndim = input, input.array.ndim
    if p <= 0:
        raise RuntimeError(f"renorm: non-positive norm not supported, got p={p}")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if ndim < 2:
        raise ShapeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    kept = axis(dim, ndim)
    lengths = vector_norm(x, p, tuple(d for d in range(ndim) if d != kept), keepdim=True)
    factor = (maxnorm / (lengths + 1e-7)).masked_fill(lengths <= maxnorm, 1.0)
    return x * factor
