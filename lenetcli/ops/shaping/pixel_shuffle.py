"""Channels into space and back: pixel shuffle, pixel unshuffle, channel shuffle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def _to_space(x: Array, factor: int) -> Array:
    *batch, c, h, w = x.shape
    y = np.empty_like(x, shape=(*batch, c // factor**2, h * factor, w * factor))
    for i in range(factor):
        for j in range(factor):
            y[..., i::factor, j::factor] = x[..., i * factor + j :: factor**2, :, :]
    return y


def _to_channels(x: Array, factor: int) -> Array:
    *batch, c, h, w = x.shape
    y = np.empty_like(x, shape=(*batch, c * factor**2, h // factor, w // factor))
    for i in range(factor):
        for j in range(factor):
            y[..., i * factor + j :: factor**2, :, :] = x[..., i::factor, j::factor]
    return y


class PixelShuffle(Op):
    formula = "y = channels as {factor} × {factor} pixels"
    gradient = ("d_x = grad's pixels as channels",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, factor: int) -> Array:
        ctx.factor = factor
        return _to_space(x, factor)

    def backward(ctx: Any, grad: Array) -> Array:
        return _to_channels(grad, ctx.factor)


class PixelUnshuffle(Op):
    formula = "y = {factor} × {factor} pixels as channels"
    gradient = ("d_x = grad's channels as pixels",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, factor: int) -> Array:
        ctx.factor = factor
        return _to_channels(x, factor)

    def backward(ctx: Any, grad: Array) -> Array:
        return _to_space(grad, ctx.factor)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Turns channels into pixels: every r * r channels become blocks of r x r pixels.

    Shape:
        (*, C r r, H, W) -> (*, C, H r, W r)

    Raises:
        ShapeError: channels that r * r does not divide.

    Source: Shi et al., Real-time single image and video super-resolution, 2016; torch.nn.functional.pixel_shuffle.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.pixel_shuffle(lenet.arange(4).view(4, 1, 1), 2)
        tensor([[[0, 1],
                 [2, 3]]])
    """
    _check("pixel_shuffle", "upscale_factor", input, upscale_factor)
    channels = input.array.shape[-3]
    if channels % upscale_factor**2:
        raise ShapeError(
            f"pixel_shuffle: expected channels divisible by upscale_factor ** 2 = {upscale_factor**2}, got {channels} "
            f"of input {list(input.shape)}"
        )
    return PixelShuffle.apply(input, factor=upscale_factor)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Turns pixels into channels: the opposite of `pixel_shuffle`.

    Shape:
        (*, C, H r, W r) -> (*, C r r, H, W)

    Raises:
        ShapeError: sizes that r does not divide.

    Source: torch.nn.functional.pixel_unshuffle.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.pixel_unshuffle(lenet.arange(4).view(1, 2, 2), 2).flatten()
        tensor([0, 1, 2, 3])
    """
    _check("pixel_unshuffle", "downscale_factor", input, downscale_factor)
    h, w = input.array.shape[-2:]
    if h % downscale_factor or w % downscale_factor:
        raise ShapeError(
            f"pixel_unshuffle: expected height and width divisible by downscale_factor={downscale_factor}, got "
            f"{h} x {w} of input {list(input.shape)}"
        )
    return PixelUnshuffle.apply(input, factor=downscale_factor)


def _check(op: str, name: str, input: Tensor, factor: int) -> None:
    if isinstance(factor, bool) or not isinstance(factor, (int, np.integer)):
        raise TypeError(f"{op}: {name} must be an integer, got {factor!r}")
    if input.array.ndim < 3:
        raise ShapeError(
            f"{op}: expected input (*, C, H, W) of at least 3 dimensions, got {list(input.shape)}; "
            "unsqueeze(0) adds a missing dimension"
        )
    if factor < 1:
        raise ShapeError(f"{op}: expected a positive {name}, got {factor}")


class ChannelShuffle(Op):
    formula = "y = channels of {groups} groups, interleaved"
    gradient = ("d_x = grad's channels back in order",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, groups: int) -> Array:
        ctx.groups = groups
        y, each = np.empty_like(x), x.shape[1] // groups
        for g in range(groups):
            y[:, g::groups] = x[:, g * each : (g + 1) * each]
        return y

    def backward(ctx: Any, grad: Array) -> Array:
        d_x, each = np.empty_like(grad), grad.shape[1] // ctx.groups
        for g in range(ctx.groups):
            d_x[:, g * each : (g + 1) * each] = grad[:, g :: ctx.groups]
        return d_x


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Deals the channels out anew, so that each group gets some of every group.

    Shape:
        (N, C, *) -> (N, C, *)

    Raises:
        ShapeError: channels that `groups` does not divide.

    Source: Zhang et al., ShuffleNet, 2017; torch.nn.functional.channel_shuffle.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.channel_shuffle(lenet.arange(4).view(1, 4, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    shape = input.array.shape
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise TypeError(f"channel_shuffle: groups must be an integer, got {groups!r}")
    if len(shape) < 3:
        raise ShapeError(f"channel_shuffle: expected input (N, C, *) of at least 3 dimensions, got {list(shape)}")
    if groups < 1 or shape[1] % groups:
        raise ShapeError(f"channel_shuffle: groups={groups} must be positive and divide the {shape[1]} channels")
    return ChannelShuffle.apply(input, groups=groups)
