"""Max pools whose windows lie at random, so that an image can shrink by any share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.kernels.pool import take
from lenetcli.ops.nn.geometry import Sizes, batched, check_image, per_dimension
from lenetcli.ops.nn.pool3d import Largest
from lenetcli.ops.pointwise.fill_ import uniform_

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class _Fractional(Largest):
    """`starts` is where the windows of each image begin along each dimension, (N, C, out)."""

    formula = "y = the largest x in each {kernel} window, where the dice put it"

    def forward(ctx: Any, x: Array, *, kernel: tuple[int, ...], starts: tuple[Array, ...], indices: bool) -> Any:
        ctx.volume = x.shape
        dims = len(kernel)
        flat: Any = 0  # (N, C, *out, *window)
        for d, (start, size) in enumerate(zip(starts, kernel)):
            place = start[..., None] + np.arange(size, like=x)  # (N, C, out, window)
            shape = [*place.shape[:2], *[1] * (2 * dims)]
            shape[2 + d], shape[2 + dims + d] = place.shape[2:]
            flat = flat * x.shape[2 + d] + place.reshape(shape)
        n, c, *out = flat.shape[: 2 + dims]
        flat = flat.reshape(n, c, math.prod(out), math.prod(kernel))
        values = take(x.reshape(n, c, 1, math.prod(x.shape[2:])), flat)
        best = np.argmax(values, axis=-1)  # the first of equals, or the first NaN
        if x.dtype.kind == "f":
            nan = np.isnan(values)
            last = values.shape[-1] - 1 - np.argmax(nan[..., ::-1], axis=-1)
            best = np.where(nan.any(axis=-1), last, best)  # of several NaN the last, as in the other pools
        index = np.take_along_axis(flat, best[..., None], -1)[..., 0].reshape(n, c, *out)
        y = np.take_along_axis(values, best[..., None], -1)[..., 0].reshape(n, c, *out)
        ctx.save(index)
        return (y, index) if indices else y


class FractionalMaxPool2D(_Fractional):
    """Of images."""


class FractionalMaxPool3D(_Fractional):
    """Of volumes."""


def _window_starts(sample: Array, size: int, out: int, window: int) -> Array:
    """Where `out` windows begin: rising by steps of two sizes that alternate as the random number says; (N, C, out)."""
    starts = np.full_like(sample, size - window, np.int64, shape=(*sample.shape, out))
    if out > 1:
        alpha = sample.dtype.type(size - window) / sample.dtype.type(out - 1)
        step = np.arange(out - 1, like=sample).astype(sample.dtype)
        begin = (sample * alpha).astype(np.int64)[..., None]
        starts[..., :-1] = ((step + sample[..., None]) * alpha).astype(np.int64) - begin
    return starts


def _pooled(
    dims: int,
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: float | Sequence[float] | None,
    indices: bool,
    samples: Tensor | None,
) -> Any:
    name = f"fractional_max_pool{dims}d"
    x = check_image(name, input, dims)
    if x.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; call float() first")
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    image = x.shape[-dims:]
    window = per_dimension("kernel_size", kernel_size, dims, 1)
    if output_size is None:
        ratios = tuple(output_ratio) if isinstance(output_ratio, Sequence) else (output_ratio,) * dims
        if len(ratios) != dims:
            raise ShapeError(f"output_ratio must be one number or {dims} of them, got {output_ratio!r}")
        out = tuple(int(size * float(ratio)) for size, ratio in zip(image, ratios))  # type: ignore[arg-type]  # numbers
    else:
        out = per_dimension("output_size", output_size, dims, 0)
    for word, size, count, length in zip(("depth", "height", "width")[3 - dims :], image, out, window):
        if count + length - 1 > size:
            raise ShapeError(
                f"{name}: pool {word} {length} too large relative to input {word} {size}: {count} windows of it do "
                "not fit"
            )
    single = x.ndim == dims + 1
    shape = (1 if single else x.shape[0], x.shape[-dims - 1], dims)
    if samples is None:
        room: Any = like(input, np.empty(shape, x.dtype))
        samples = uniform_(room)
    given = beside(x, samples.array)[: shape[0]]  # those of a larger batch will do, as in torch
    if given.shape != shape:
        raise ShapeError(f"{name}: expected _random_samples of shape {list(shape)}, got {list(given.shape)}")
    chance = given[..., ::-1] if dims == 2 else given  # torch's order is W, H, but D, H, W
    starts = tuple(_window_starts(chance[..., d], *sizes) for d, sizes in enumerate(zip(image, out, window)))

    def pool(x: Any) -> Any:
        op = FractionalMaxPool2D if dims == 2 else FractionalMaxPool3D
        return op.apply(x, kernel=window, starts=starts, indices=indices)

    return batched(input, pool) if single else pool(input)


@whole
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest value in each of windows that lie at random, rising by two sizes of steps that alternate.

    Args:
        input: images; a single unbatched one (C, H, W) is accepted, as in torch.
        kernel_size: of the windows, which may overlap.
        output_size: rows and columns of the result, or one number for both.
        output_ratio: of result and image, between 0 and 1, where there is no `output_size`.
        return_indices: also return where each maximum lies in its flattened image.
        _random_samples: numbers in [0, 1) that say where the windows lie, (N, C, 2), columns first.

    Shape:
        (N, C, H, W) -> (N, C, *output_size)

    Gradient:
        Goes to the first of equal values, in row order; where there is NaN, to the last NaN.

    Raises:
        ShapeError: the windows do not fit.
        ValueError: neither a size nor a ratio.

    Source: torch.nn.functional.fractional_max_pool2d; Graham 2014, "Fractional Max-Pooling".

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.fractional_max_pool2d(lenet.zeros(1, 1, 7, 7), 2, output_ratio=0.7).shape
        torch.Size([1, 1, 4, 4])
    """
    return _pooled(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


@whole
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: float | Sequence[float] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest value in each of windows that lie at random in a volume; see `fractional_max_pool2d`.

    Args:
        _random_samples: (N, C, 3): depth, rows, columns.

    Shape:
        (N, C, D, H, W) -> (N, C, *output_size)

    Raises:
        ShapeError: the windows do not fit.

    Source: torch.nn.functional.fractional_max_pool3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.fractional_max_pool3d(lenet.zeros(1, 1, 7, 7, 7), 2, output_size=3).shape
        torch.Size([1, 1, 3, 3, 3])
    """
    return _pooled(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)
