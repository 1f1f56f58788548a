"""Convolutions of images and sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels import active as kernels
from lenetcli.kernels.layout import Array
from lenetcli.kernels.window import Pair

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


class Convolution(Op):
    @staticmethod
    def forward(
        ctx: Any,
        x: Array,
        weight: Array,
        bias: Array | None,
        *,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
    ) -> Array:
        ctx.save(x, weight)
        ctx.geometry = stride, padding, dilation, groups
        return kernels.conv2d(x, weight, bias, *ctx.geometry)

    @staticmethod
    def backward(ctx: Any, grad: Array) -> Any:
        x, weight = ctx.saved
        need_x, need_weight, need_bias = ctx.needs_input_grad
        return (
            kernels.conv2d_input_grad(grad, weight, x.shape[2:], *ctx.geometry) if need_x else None,
            kernels.conv2d_weight_grad(grad, x, weight.shape[2:], *ctx.geometry) if need_weight else None,
            grad.sum(axis=(0, 2, 3)) if need_bias else None,
        )


def pair(name: str, value: int | tuple[int, ...], least: int) -> Pair:
    """One number for both dimensions, or one for each.

    Raises:
        TypeError: no integer or pair of integers.
        ValueError: below `least`.
    """
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or any(isinstance(v, bool) or not isinstance(v, int) for v in both):
        raise TypeError(f"{name} must be an integer or a pair of integers, got {value!r}")
    if min(both) < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return both


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlates images with a bank of filters.

    Formula:
        y[n, o, p, q] = bias[o] + sum over c, k, l of
            weight[o, c, k, l] * x[n, c, p stride + k dilation - padding, q stride + l dilation - padding]

    Args:
        input: images; a single unbatched image (C, H, W) is accepted, as in torch.
        weight: filters.
        bias: one number per out-channel.
        stride, padding, dilation: in pixels, one number or (rows, columns). 'same' keeps the size at stride 1.
        groups: splits channels into groups that do not see each other.

    Shape:
        input (N, C, H, W), weight (O, C / groups, K, L), bias (O,) -> (N, O, P, Q), where
        P = floor((H + 2 padding - dilation (K - 1) - 1) / stride) + 1

    Raises:
        ShapeError: channels, groups or sizes do not fit.

    Source: torch.nn.functional.conv2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.conv2d(lenet.ones(1, 1, 3, 3), lenet.ones(1, 1, 2, 2))
        tensor([[[[4., 4.],
                  [4., 4.]]]])
    """
    x, w = input.array, weight.array
    if x.ndim == 3:
        return conv2d(input.unsqueeze(0), weight, bias, stride, padding, dilation, groups).squeeze(0)
    steps, spread = pair("stride", stride, 1), pair("dilation", dilation, 1)
    if x.ndim != 4 or w.ndim != 4:
        raise ShapeError(
            f"conv2d: expected input (N, C, H, W) and weight (O, C / groups, K, L), got {list(x.shape)} and "
            f"{list(w.shape)}; a single image without channels needs unsqueeze(0) for each missing dimension"
        )
    if groups < 1 or w.shape[0] % groups or x.shape[1] != w.shape[1] * groups:
        raise ShapeError(
            f"conv2d: given groups={groups}, weight of size {list(w.shape)}, expected input{list(x.shape)} to have "
            f"{w.shape[1] * groups} channels, but got {x.shape[1]} channels instead"
        )
    if x.dtype != w.dtype:
        raise RuntimeError(f"conv2d: input type ({input.dtype}) and weight type ({weight.dtype}) should be the same")
    if bias is not None and bias.array.shape != (w.shape[0],):
        raise ShapeError(f"conv2d: expected bias of shape [{w.shape[0]}], got {list(bias.array.shape)}")
    if isinstance(padding, str):
        input, border = _named_padding(input, padding, (w.shape[2], w.shape[3]), steps, spread)
    else:
        border = pair("padding", padding, 0)
    room = [input.array.shape[2 + d] + 2 * border[d] for d in (0, 1)]
    need = [spread[d] * (w.shape[2 + d] - 1) + 1 for d in (0, 1)]
    if room[0] < need[0] or room[1] < need[1]:
        raise ShapeError(
            f"conv2d: calculated padded input size per channel: ({room[0]} x {room[1]}). Kernel size: "
            f"({need[0]} x {need[1]}). Kernel size can't be greater than actual input size"
        )
    return Convolution.apply(input, weight, bias, stride=steps, padding=border, dilation=spread, groups=groups)
