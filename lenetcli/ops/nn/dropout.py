"""Dropout: random zeros in training, of single elements or of whole channels."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.inplace import assign
from lenetcli.autograd.modes import whole
from lenetcli.autograd.random import numpy_generator
from lenetcli.autograd.tape import like
from lenetcli.autograd.torch_random import torch_numbers
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array, logical
from lenetcli.ops.pointwise import add

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

_SATURATION = 1.7580993408473766  # -selu(-infinity), alpha times scale of selu


Fill = Callable[[Array], None]  # draws numbers into an array


class Mul(add.Mul):
    """The product with noise, by a native call where these are recorded."""

    def forward(ctx: Any, a: Any, b: Any) -> Any:
        need_a, need_b = ctx.needs_input_grad
        ctx.save(a if need_b else None, b if need_a else None)
        return kernels.times(a, b)

    def backward(ctx: Any, grad: Any) -> Any:
        a, b = ctx.saved
        need_a, need_b = ctx.needs_input_grad
        return kernels.times(grad, b) if need_a else None, kernels.times(grad, a) if need_b else None


class _Draws(threading.local):
    noted: list[tuple[Fill, Array]] | None = None
    given: list[Array] | None = None


_draws = _Draws()


@contextmanager
def draws_noted() -> Iterator[list[tuple[Fill, Array]]]:
    """The noise of the dropouts inside the block, and what would draw it again."""
    before, _draws.noted = _draws.noted, []
    try:
        yield _draws.noted
    finally:
        _draws.noted = before


@contextmanager
def draws_given(noise: Sequence[Array]) -> Iterator[None]:
    """The dropouts inside the block take noise that was drawn before."""
    before, _draws.given = _draws.given, list(noise)
    try:
        yield
    finally:
        _draws.given = before


def _plain_noise(x: Array, p: float) -> Array:
    """0 with probability p, else 1 / (1 - p), in the type and memory order of x."""
    if _draws.given:
        return _draws.given.pop(0)

    def fill(noise: Array) -> None:
        np.multiply(beside(noise, _draw(noise.shape, p)), noise.dtype.type(1), out=noise)
        noise *= noise.dtype.type(1 / (1 - p))

    noise = np.empty_like(x)
    fill(noise)
    if _draws.noted is not None:
        _draws.noted.append((fill, noise))
    return noise


def _draw(shape: tuple[int, ...], p: float) -> Array:
    """False with probability p, drawn in batch-last order whatever the order of the values."""
    if (torchs := torch_numbers(None)) is not None:  # in torch's order, and as it compares
        return torchs.random(shape) < 1 - p
    random = numpy_generator(None)
    batch_last = (*shape[1:], *shape[:1])
    if (p * 256).is_integer():
        keep = np.frombuffer(random.bytes(math.prod(shape)), np.uint8) >= np.uint16(p * 256)
    else:
        keep = random.random(math.prod(shape), np.float32) >= np.float32(p)
    return logical(keep.reshape(batch_last)) if shape else keep.reshape(())


def _noise(x: Array, shape: tuple[int, ...], p: float) -> Array:
    """0 with probability p, else 1, in the type of x and, where the shape is the same, in its memory order."""
    return np.multiply(beside(x, _draw(shape, p)), x.dtype.type(1), out=np.empty_like(x, shape=shape))


def _dropped(input: Tensor, p: float, training: bool, inplace: bool, per_channel: bool, alpha: bool) -> Tensor:
    """The way from arguments to result that all kinds share."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    x = input.array
    if not training or p == 0 or x.size == 0:
        return input
    if per_channel and x.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if x.dtype.kind != "f":
        raise RuntimeError(f"dropout: wanted a floating-point tensor, got {input.dtype}; call float() first")
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2)) if per_channel else x.shape
    plain = not alpha and not per_channel and p < 1
    noise = _plain_noise(x, p) if plain else _noise(x, shape, p) if p < 1 else np.zeros(shape, x.dtype, like=x)
    shift = None
    if alpha and p < 1:  # so that mean 0 and variance 1 stay
        scale = 1 / math.sqrt((_SATURATION**2 * p + 1) * (1 - p))
        shift = like(input, (noise - 1) * x.dtype.type(_SATURATION * scale) + x.dtype.type(_SATURATION * scale * p))
        noise *= x.dtype.type(scale)
    elif not alpha and not plain and p < 1:
        noise *= x.dtype.type(1 / (1 - p))

    def compute(values: Any, factor: Tensor) -> Tensor:
        y = Mul.apply(values, factor)
        return y if shift is None else add.Add.apply(y, shift, alpha=1)

    factor: Tensor = like(input, noise)
    return assign(input, compute, factor) if inplace else compute(input, factor)


@whole
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeros each element with probability `p` and scales the others by 1 / (1 - p), so that the mean stays.

    The random numbers come from the default generator: `manual_seed` makes them repeat. They are not torch's.

    Args:
        input: any shape.
        p: probability of a zero, in [0, 1].
        training: False gives the input itself.
        inplace: change the input.

    Gradient:
        1 / (1 - p) where the element was kept, else 0.

    Raises:
        ValueError: p outside of [0, 1].

    Source: Srivastava et al., Dropout, 2014; torch.nn.functional.dropout.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> sorted(set(F.dropout(lenet.ones(100), 0.5).tolist()))
        [0.0, 2.0]
    """
    return _dropped(input, p, training, inplace, per_channel=False, alpha=False)


@whole
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of sequences.

    Shape:
        (N, C, L) or (C, L) -> the same

    Raises:
        RuntimeError: another number of dimensions.

    Source: Tompson et al., 2015; torch.nn.functional.dropout1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> y = F.dropout1d(lenet.ones(8, 4, 3))
        >>> bool((y.amin(2) == y.amax(2)).all())
        True
    """
    if input.ndim not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input")
    if input.ndim == 3 or not training:
        return _dropped(input, p, training, inplace, per_channel=True, alpha=False)
    if inplace:
        return assign(input, lambda values: dropout1d(values, p))
    return _dropped(input.unsqueeze(0), p, training, False, per_channel=True, alpha=False).squeeze(0)


@whole
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of images.

    Shape:
        (N, C, H, W) -> the same. As in torch, three dimensions count as (N, C, L), with a warning.

    Source: Tompson et al., 2015; torch.nn.functional.dropout2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> y = F.dropout2d(lenet.ones(8, 4, 2, 2))
        >>> bool((y.amin((2, 3)) == y.amax((2, 3))).all())
        True
    """
    if input.ndim != 4:
        warnings.warn(
            f"dropout2d: received a {input.ndim}D input, wanted (N, C, H, W); the first two dimensions are taken as "
            "samples and channels. Use dropout1d for sequences, dropout for everything else.",
            stacklevel=3,
        )
    return _dropped(input, p, training, inplace, per_channel=True, alpha=False)


@whole
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """`dropout` of whole channels of volumes.

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> the same

    Source: Tompson et al., 2015; torch.nn.functional.dropout3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> y = F.dropout3d(lenet.ones(8, 4, 2, 2, 2))
        >>> bool((y.amin((2, 3, 4)) == y.amax((2, 3, 4))).all())
        True
    """
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: received a {input.ndim}D input, wanted (N, C, D, H, W) or (C, D, H, W). Use dropout1d for "
            "sequences, dropout2d for images, dropout for everything else.",
            stacklevel=3,
        )
    if input.ndim == 5:
        return _dropped(input, p, training, inplace, per_channel=True, alpha=False)
    if inplace:
        _dropped(input.unsqueeze(0), p, training, True, per_channel=True, alpha=False)
        return input
    return _dropped(input.unsqueeze(0), p, training, False, per_channel=True, alpha=False).squeeze(0)


@whole
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout for selu networks: dropped elements take selu's lowest value, and mean 0 and variance 1 stay.

    Formula:
        a (x keep + alpha' (1 - keep)) + b, alpha' = -1.7581, a = ((1 - p) (1 + p alpha'^2))^(-1/2), b = -a p alpha'

    Source: Klambauer et al., Self-normalizing neural networks, 2017; torch.nn.functional.alpha_dropout.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> y = F.alpha_dropout(lenet.zeros(100), 0.5, training=True)
        >>> sorted({round(value, 4) for value in y.tolist()})
        [-0.7792, 0.7792]
    """
    return _dropped(input, p, training, inplace, per_channel=False, alpha=True)


@whole
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """`alpha_dropout` of whole channels: the second dimension. Source: torch.nn.functional.feature_alpha_dropout.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> y = F.feature_alpha_dropout(lenet.zeros(8, 4, 3), training=True)
        >>> bool((y.amin(2) == y.amax(2)).all())
        True
    """
    return _dropped(input, p, training, inplace, per_channel=True, alpha=True)
