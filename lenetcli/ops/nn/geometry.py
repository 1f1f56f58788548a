"""Arguments of convolutions and pools: one number for all dimensions of an image, or one for each; and their input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.errors import ShapeError
from lenetcli.kernels.window import Pair, extent

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Sizes = int | Sequence[int]
AXES = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}


def per_dimension(name: str, value: Any, dims: int, least: int | None = None) -> Any:
    """One number for all of `dims` dimensions, or one for each, as a tuple.

    Raises:
        TypeError: no integer or sequence of integers.
        ShapeError: a sequence of another length, or a number below `least`.
    """
    each = (value,) if isinstance(value, (int, np.integer)) else tuple(value) if isinstance(value, Sequence) else ()
    if not each or any(isinstance(v, bool) or not isinstance(v, (int, np.integer)) for v in each):
        raise TypeError(f"{name} must be an integer or {dims} of them, got {value!r}")
    if len(each) not in (1, dims):
        raise ShapeError(f"{name} must be one integer or {dims} of them, got {value!r}")
    if least is not None and min(each) < least:
        raise ShapeError(f"{name} must be at least {least}, got {value!r}")
    return tuple(int(v) for v in each) * (dims // len(each))


def left_out(stride: Sizes | None) -> bool:
    """Whether a pool's step is to be its window; torch takes an empty sequence for that, too."""
    return stride is None or (isinstance(stride, Sequence) and not stride)


def window_at(seen: Any, at: tuple[int, ...]) -> Any:
    """The values of x in the window of y[at], for a pool's worked example; None where windows are not plain."""
    p = seen.parameters
    if seen["x"].ndim != 4 or p["ceil_mode"] or any(p["padding"]) or p.get("divisor") is not None:
        return None
    if any(d != 1 for d in p.get("dilation", (1, 1))):
        return None
    rows, columns = (slice(i * s, i * s + k) for i, s, k in zip(at[2:], p["stride"], p["kernel"]))
    return seen["x"][at[0], at[1], rows, columns]


def batched(input: Tensor, function: Callable[..., Any], *args: Any) -> Any:
    """The function on a batch of this one image: each result without its batch dimension."""
    result = function(input.unsqueeze(0), *args)
    return tuple(r.squeeze(0) for r in result) if isinstance(result, tuple) else result.squeeze(0)


def check_image(name: str, input: Tensor, dims: int) -> Any:
    """Refuses an input that is neither (N, C, ...) nor (C, ...); gives its array, or what that waits for.

    Raises:
        ShapeError: too few or too many dimensions, or an empty one besides N.
    """
    x = input.pending or input.array
    shape = x.shape
    if len(shape) not in (dims + 1, dims + 2):
        axes = ", ".join(AXES[dims])
        hint = f"; unsqueeze(0) adds a missing dimension, so that {list(shape)} becomes {[1, *shape]}"
        raise ShapeError(
            f"{name}: expected input (N, C, {axes}) or a single (C, {axes}), got {len(shape)} dimensions: "
            f"{list(shape)}{hint if len(shape) <= dims else ''}"
        )
    if 0 in shape[len(shape) - dims - 1 :]:
        raise ShapeError(f"{name}: only the batch may be empty, got input {list(shape)}")
    return x


def as_images(input: Tensor, function: Callable[..., Any]) -> Any:
    """The function of images on sequences (N, C, L) as images (N, C, 1, L): each result without its height."""
    result = function(input.unsqueeze(-2))
    return tuple(r.squeeze(-2) for r in result) if isinstance(result, tuple) else result.squeeze(-2)


def image_pair(each: tuple[int, ...], unit: int) -> Pair:
    """Numbers of a sequence as those of an image of height 1: (unit, number)."""
    return (unit, each[0]) if len(each) == 1 else (each[0], each[1])


def pool_windows(
    name: str,
    input: Tensor,
    dims: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
) -> dict[str, Any]:
    """A pool's kernel, stride, padding and dilation, for an image or a volume.

    Raises:
        ShapeError: the window does not fit into the input, or the padding is more than half of it.
    """
    window, border, spread = (
        per_dimension("kernel_size", kernel_size, dims, 1),
        per_dimension("padding", padding, dims, 0),
        per_dimension("dilation", dilation, dims, 1),
    )
    steps = window if left_out(stride) else per_dimension("stride", stride, dims, 1)
    if any(2 * b > (k - 1) * d + 1 for b, k, d in zip(border, window, spread)):
        raise ShapeError(
            f"{name}: padding should be at most half of the window, got padding={border}, kernel_size={window}, "
            f"dilation={spread}"
        )
    image = (input.pending or input.array).shape[-dims:]
    out = [extent(*sizes, ceil_mode) for sizes in zip(image, window, steps, border, spread)]
    if min(out) < 1:
        raise ShapeError(
            f"{name}: a window of {' x '.join(map(str, window))} does not fit into {' x '.join(map(str, image))} "
            f"(padding {border}, dilation {spread}): the output would be {' x '.join(map(str, out))}"
        )
    if dims == 3:
        return {"kernel": window, "stride": steps, "padding": border, "dilation": spread}
    return {
        "kernel": image_pair(window, 1),
        "stride": image_pair(steps, 1),
        "padding": image_pair(border, 0),
        "dilation": image_pair(spread, 1),
    }
