"""Transposed convolutions of images and sequences: the gradient of a convolution as an operation of its own."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array
from lenetcli.kernels.window import Pair
from lenetcli.ops.nn.conv2d import as_image, check_operands, in_dimensions, save, saved, with_bias
from lenetcli.ops.nn.geometry import AXES, Sizes, batched, check_image, image_pair, per_dimension
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class ConvolutionTransposed(Op):
    """The gradient of a convolution as an operation of its own: x is in the place of dy, y in that of dx."""

    formula = "y[n,o,{window}] = {plus_bias}Σ over all windows and c of weight[c,o,{offsets}] · x[n,c,{places}]"
    gradient = (
        "d_x[n,c,{places}] = Σ_o,{offsets} weight[c,o,{offsets}] · grad[n,o,{window}]",
        "d_weight[c,o,{offsets}] = Σ_n,{places} x[n,c,{places}] · grad[n,o,{window}]",
        "d_bias[o] = Σ of grad[n,o]",
    )
    factors = (0, 1)
    backward_name = "Convolution"

    @staticmethod
    def multiply_adds(y: Array, x: Array, weight: Array, bias: Array | None) -> int:
        return x.size * math.prod(weight.shape[1:])

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        weight: Array,
        bias: Array | None,
        *,
        out: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        groups: int,
    ) -> Array:
        save(ctx, x, weight)
        ctx.geometry = stride, padding, dilation, groups
        y = kernels.conv2d_input_grad(as_image(x), as_image(weight), out, *ctx.geometry)
        if bias is not None:
            y += bias[:, None, None]
        return in_dimensions(x.ndim, y)

    def backward(ctx: Any, grad: Array) -> Any:
        x, weight = saved(ctx, grad)
        need_x, need_weight, need_bias = ctx.needs_input_grad
        d_y, image, kernel = as_image(grad), as_image(x), as_image(weight)
        d_x = None
        if need_x:  # output_padding may have made room for one more position
            d_x = kernels.conv2d(d_y, kernel, None, *ctx.geometry)[:, :, : image.shape[2], : image.shape[3]]
        d_weight = kernels.conv2d_weight_grad(image, d_y, kernel.shape[2:], *ctx.geometry) if need_weight else None
        return (
            in_dimensions(x.ndim, d_x),
            in_dimensions(x.ndim, d_weight),
            kernels.channel_sums(d_y) if need_bias else None,
        )

    saves = ("x", "weight")

    def backward_graph(ctx: Any, grad: Any) -> Any:
        return with_bias(ctx, grad)

    def multiply(ctx: Any, x: Array, weight: Array) -> Array:
        y = kernels.conv2d_input_grad(as_image(x), as_image(weight), ctx.parameters["out"], *ctx.geometry)
        return in_dimensions(x.ndim, y)

    def gradients(ctx: Any, grad: Array, x: Array, weight: Array, needs: Any) -> Any:
        fresh = copy.copy(ctx)
        fresh.needs_input_grad, fresh.saved, fresh.versions = (*needs, False), (x, weight), ()
        return fresh.backward(grad)[:2]


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Spreads each step of a sequence over a filter's length; see `conv_transpose2d`.

    Shape:
        input (N, C, L) or (C, L), weight (C, O / groups, K), bias (O,) -> (N, O, Q), where
        Q = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1

    Raises:
        ShapeError: channels, groups or sizes do not fit.

    Source: torch.nn.functional.conv_transpose1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.conv_transpose1d(lenet.tensor([[1.0, 2.0]]), lenet.tensor([[[1.0, 10.0]]]), stride=2)
        tensor([[ 1., 10.,  2., 20.]])
    """
    return _transposed("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Spreads each pixel over a filter's area: the gradient of `conv2d` with respect to its input.

    Formula:
        y[n, o, p stride + k dilation - padding, q stride + l dilation - padding] = bias[o] + sum over c, p, q, k, l of
            weight[c, o, k, l] * x[n, c, p, q]

    Args:
        input: images; a single unbatched image (C, H, W) is accepted, as in torch.
        stride, dilation: of the convolution whose gradient this is, one number or (rows, columns).
        padding: how much of the result's border is cut off on each side.
        output_padding: how much the result grows at the right and bottom; less than stride or dilation.
        groups: splits channels into groups that do not see each other.

    Shape:
        input (N, C, H, W), weight (C, O / groups, K, L), bias (O,) -> (N, O, P, Q), where
        P = (H - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1

    Raises:
        ShapeError: channels, groups or sizes do not fit.

    Source: torch.nn.functional.conv_transpose2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.conv_transpose2d(lenet.tensor([[[1.0, 2.0]]]), lenet.ones(1, 1, 1, 2), stride=2)
        tensor([[[1., 1., 2., 2.]]])
    """
    return _transposed("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def _transposed(
    name: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> Any:
    check_image(name, input, dims)
    if input.array.ndim == dims + 1:
        return batched(
            input,
            lambda x: _transposed(name, dims, x, weight, bias, stride, padding, output_padding, groups, dilation),
        )
    steps, border, _, spread, out = checked_transposed(
        name, dims, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    return ConvolutionTransposed.apply(
        input,
        weight,
        bias,
        out=image_pair(out, 1),
        stride=image_pair(steps, 1),
        padding=image_pair(border, 0),
        dilation=image_pair(spread, 1),
        groups=groups,
    )


def checked_transposed(
    name: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> tuple[tuple[int, ...], ...]:
    """Stride, padding, output padding, dilation and the result's sizes.

    Raises:
        ShapeError: channels, groups or sizes do not fit.
        RuntimeError: an output padding that is not smaller than stride or dilation.
    """
    channels = check_operands(name, dims, input, weight, bias, groups, transposed=True)
    steps, spread = per_dimension("stride", stride, dims, 1), per_dimension("dilation", dilation, dims, 1)
    border, more = per_dimension("padding", padding, dims, 0), per_dimension("output_padding", output_padding, dims, 0)
    shape, kernel = input.array.shape, weight.array.shape[2:]
    if shape[1] != channels:
        raise ShapeError(
            f"{name}: given weight of size {list(weight.shape)}, expected input{list(shape)} to have {channels} "
            f"channels, but got {shape[1]} channels instead"
        )
    if any(m >= max(s, d) for m, s, d in zip(more, steps, spread)):
        raise RuntimeError(
            f"{name}: output padding must be smaller than either stride or dilation, but got output_padding={more}, "
            f"stride={steps}, dilation={spread}"
        )
    out = tuple(
        (n - 1) * s - 2 * b + d * (k - 1) + m + 1
        for n, s, b, d, k, m in zip(shape[2:], steps, border, spread, kernel, more)
    )
    if min(out) < 1:
        axes = " x ".join(AXES[dims])
        raise ShapeError(f"{name}: input {list(shape)} with these arguments gives an output {axes} of {list(out)}")
    return steps, border, more, spread, out
