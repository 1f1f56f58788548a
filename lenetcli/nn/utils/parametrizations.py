"""Weights as length times direction, of a limited spectral norm, or orthogonal (torch.nn.utils.parametrizations)."""

from __future__ import annotations

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.nn.utils.parametrize import register_parametrization
from lenetcli.ops.linalg.dot import dot, mv
from lenetcli.ops.linalg.inverse import inv
from lenetcli.ops.pointwise.fill_ import normal_
from lenetcli.ops.reduction.norm import vector_norm
from lenetcli.ops.shaping.cat import cat
from lenetcli.tensors.sampling import randn
from lenetcli.tensors.tensor import Tensor, of_array


def length(weight: Tensor, dim: int | None) -> Tensor:
    """The norm of each part of a weight along `dim`; of all of it for None and -1."""
    if dim is None or dim == -1:
        return vector_norm(weight, 2)
    kept = dim % weight.ndim
    return vector_norm(weight, 2, tuple(d for d in range(weight.ndim) if d != kept), keepdim=True)


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / length(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return length(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Lets a weight be a length times a direction, which learn apart: `original0` and `original1`.

    Formula:
        weight = g v / norm(v)

    Args:
        module: has the weight.
        name: of the weight.
        dim: the dimension along which each part has a length of its own; None for one length.

    Source: torch.nn.utils.parametrizations.weight_norm; Salimans and Kingma 2016.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.utils.parametrizations.weight_norm(lenet.nn.Linear(20, 40))
        >>> layer.parametrizations.weight.original0.shape
        torch.Size([40, 1])
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight with `dim` as rows and all else as columns."""
    order = [dim, *(d for d in range(weight.ndim) if d != dim)]
    return (weight.permute(*order) if dim else weight).flatten(1)


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim, self.eps = dim % ndim, eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = as_matrix(weight, self.dim)
                for key, size in zip(("_u", "_v"), matrix.shape):
                    self.register_buffer(key, F.normalize(normal_(matrix.new_empty(size), 0, 1), dim=0, eps=eps))
                self._iterate(matrix, 15)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(F.normalize(mv(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(mv(matrix.T, self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the buffers move on while a graph still needs these
        return weight / dot(u, mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divides a weight by its largest singular value, which power iteration follows while it trains.

    Args:
        module: has the weight.
        name: of the weight.
        n_power_iterations: at each reading in training.
        eps: least divisor of the vectors.
        dim: rows of the weight as a matrix; None is 1 for transposed convolutions, else 0.

    Raises:
        ValueError: no such weight, or no iterations.

    Source: torch.nn.utils.parametrizations.spectral_norm; Miyato et al. 2018.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.utils.parametrizations.spectral_norm(lenet.nn.Linear(20, 40))
        >>> round(float(lenet.linalg.matrix_norm(layer.weight, 2)), 1)
        1.0
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, _rows(module, dim), eps))


def _rows(module: Module, dim: int | None) -> int:
    return dim if dim is not None else int(any(k.__name__.startswith("ConvTranspose") for k in type(module).__mro__))


class _Orthogonal(Module):
    """Cayley's map of a skew-symmetric matrix, times what the weight was when it began."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        turned = x.shape[-2] < x.shape[-1]
        lower = x.mT.tril() if turned else x.tril()
        size, count = lower.shape[-2:]
        if count < size:
            lower = F.pad(lower, (0, size - count))
        skew = (lower - lower.mT) / 2
        unit = of_array(np.eye(size, dtype=x.array.dtype))
        y = self.base @ (inv(unit - skew) @ (unit + skew))[..., :count]
        return y.mT if turned else y

    def right_inverse(self, value: Tensor) -> Tensor:
        """Makes the matrix that it begins with, and gives torch's original for it: minus one on the diagonal."""
        x = value.mT if value.shape[-2] < value.shape[-1] else value
        *batch, size, count = x.shape
        if count < size:
            x = cat([x, randn(*batch, size, size - count, dtype=x.dtype)], -1)
        q, r = np.linalg.qr(x.array)
        self.base = of_array(q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :])
        return of_array(np.broadcast_to(-np.eye(*value.shape[-2:], dtype=value.array.dtype), value.array.shape).copy())


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Keeps a weight orthogonal: its columns, or rows where there are fewer of them, are unit vectors at right angles.

    Formula:
        weight = B (I - A/2)^-1 (I + A/2), A skew-symmetric and 0 at the beginning, B the weight made orthogonal

    Args:
        module: has the weight.
        name: of the weight, of two or more dimensions.
        orthogonal_map: 'cayley'.
        use_trivialization: must be True.

    Raises:
        ValueError: fewer than two dimensions.
        NotImplementedError: another map; torch takes 'matrix_exp' for square and 'householder' for other matrices
            unless told.

    Source: torch.nn.utils.parametrizations.orthogonal; Lezcano-Casado 2019.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.utils.parametrizations.orthogonal(lenet.nn.Linear(3, 3), orthogonal_map="cayley")
        >>> lenet.allclose(layer.weight @ layer.weight.T, lenet.eye(3), atol=1e-5)
        True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map != "cayley" or not use_trivialization:
        raise NotImplementedError(
            "orthogonal: only orthogonal_map='cayley' with use_trivialization=True is supported, got "
            f"{orthogonal_map!r} and {use_trivialization}"
        )
    return register_parametrization(module, name, _Orthogonal(), unsafe=True)
