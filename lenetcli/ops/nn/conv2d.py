"""Convolutions of images and sequences. A sequence is an image of height 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import missing_factors, product_gradients, saved_tensors
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array, outline
from lenetcli.kernels.window import Pair
from lenetcli.ops import fusion
from lenetcli.ops.nn.geometry import Sizes, batched, check_image, image_pair, per_dimension
from lenetcli.ops.operands import quiet
from lenetcli.ops.shaping.pad import pad

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Convolution(Op):
    formula = "y[n,o,{places}] = {plus_bias}Σ_c,{offsets} weight[o,c,{offsets}] · x[n,c,{window}]"
    gradient = (
        "d_x[n,c,{window}] = Σ over all windows and o of weight[o,c,{offsets}] · grad[n,o,{places}]",
        "d_weight[o,c,{offsets}] = Σ_n,{places} grad[n,o,{places}] · x[n,c,{window}]",
        "d_bias[o] = Σ_n,{places} grad[n,o,{places}]",
    )
    factors = (0, 1)

    geometry: tuple[Pair, Pair, Pair, int]  # stride, padding, dilation, groups
    image: tuple[int, ...]  # x's shape

    @staticmethod
    def multiply_adds(y: Array, x: Array, weight: Array, bias: Array | None) -> int:
        return y.size * math.prod(weight.shape[1:])

    @quiet
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
        ctx.keep(x, weight, stride, padding, dilation, groups)
        return in_dimensions(x.ndim, kernels.conv2d(as_image(x), as_image(weight), bias, *ctx.geometry))

    def keep(self, x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> None:
        """Saves what the gradients need."""
        save(self, x, weight)
        self.geometry = stride, padding, dilation, groups

    def backward(ctx: Any, grad: Array) -> Any:
        x, weight = saved(ctx, grad)
        d_x, d_weight, d_bias = kernels.conv2d_backward(
            as_image(grad), as_image(x), as_image(weight), ctx.needs_input_grad, *ctx.geometry
        )
        return in_dimensions(x.ndim, d_x), in_dimensions(x.ndim, d_weight), d_bias

    saves = ("x", "weight")

    def backward_graph(ctx: Any, grad: Any) -> Any:
        return with_bias(ctx, grad)

    def multiply(ctx: Any, x: Array, weight: Array) -> Array:
        return in_dimensions(x.ndim, kernels.conv2d(as_image(x), as_image(weight), None, *ctx.geometry))

    def gradients(ctx: Any, grad: Array, x: Array, weight: Array, needs: Any) -> Any:
        found = kernels.conv2d_backward(as_image(grad), as_image(x), as_image(weight), (*needs, False), *ctx.geometry)
        return tuple(in_dimensions(x.ndim, d) for d in found[:2])

    @property
    def is_plain(self) -> bool:
        """Whether it is one of images, with nothing but padding, whose filters learn."""
        stride, _, dilation, groups = self.geometry
        return stride == dilation == (1, 1) and groups == 1 and self.needs_input_grad[1] and len(self.image) == 4

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        if seen.y.ndim != 4:
            return None
        stride, padding, dilation, groups = (seen.parameters[k] for k in ("stride", "padding", "dilation", "groups"))
        weight, bias = seen["weight"], seen["bias"]
        image, o, *place = at
        channels, *kernel = weight.shape[1:]
        first = o // (weight.shape[0] // groups) * channels
        bordered = np.pad(seen["x"][image, first : first + channels], ((0, 0), *((p, p) for p in padding)))
        rows, columns = (
            slice(p * s, p * s + d * (k - 1) + 1, d) for p, s, d, k in zip(place, stride, dilation, kernel)
        )
        numbers, value = seen.products(weight[o], bordered[:, rows, columns], None if bias is None else float(bias[o]))
        start = "" if bias is None else f"bias[{o}] + "
        return f"{seen.element('y', at)} = {start}Σ weight[{o}]·(the window of x)", numbers, value

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        if seen.y.ndim != 4:
            return None
        stride, padding, dilation, groups = (seen.parameters[k] for k in ("stride", "padding", "dilation", "groups"))
        weight, grad = seen["weight"], seen.grad
        image, channel, *place = at
        per_group = weight.shape[0] // groups
        group, c = divmod(channel, weight.shape[1])
        filters = slice(group * per_group, (group + 1) * per_group)
        factors = []
        for offset in np.ndindex(*weight.shape[2:]):
            steps = [i + p - d * k for i, p, d, k in zip(place, padding, dilation, offset)]
            spots = [t // s for t, s in zip(steps, stride)]
            fits = all(t % s == 0 for t, s in zip(steps, stride))
            if fits and all(0 <= spot < size for spot, size in zip(spots, grad.shape[2:])):
                factors.append((weight[(filters, c, *offset)], grad[(image, filters, *spots)]))
        if not factors:
            return None
        numbers, value = seen.products(*(np.concatenate(parts) for parts in zip(*factors)))
        return f"{seen.element('d_x', at)} = Σ weight·grad over the windows that hold it", numbers, value

    @staticmethod
    def example_d_weight(seen: Any, at: tuple[int, ...]) -> Any:
        if seen.y.ndim != 4:
            return None
        stride, padding, dilation, groups = (seen.parameters[k] for k in ("stride", "padding", "dilation", "groups"))
        o, c, *offset = at
        channel = o // (seen["weight"].shape[0] // groups) * seen["weight"].shape[1] + c
        bordered = np.pad(seen["x"][:, channel], ((0, 0), *((p, p) for p in padding)))
        grad = seen.grad[:, o]
        rows, columns = (
            slice(k * d, k * d + s * (n - 1) + 1, s) for k, d, s, n in zip(offset, dilation, stride, grad.shape[1:])
        )
        numbers, value = seen.products(grad, bordered[:, rows, columns])
        return f"{seen.element('d_weight', at)} = Σ_n,p,q grad[n,{o},p,q]·x[n,{channel},(its place)]", numbers, value

    @staticmethod
    def example_d_bias(seen: Any, at: tuple[int, ...]) -> Any:
        return seen.sum_of_channel("d_bias", at)


def with_bias(ctx: Any, grad: Any) -> Any:
    """The gradients of a product of images and filters with a bias, as tensors."""
    factors = missing_factors(ctx, (0, 1), *saved_tensors(ctx))
    d_bias = grad.sum((0, *range(2, grad.array.ndim))) if ctx.needs_input_grad[2] else None
    return (*product_gradients(ctx, grad, *factors), d_bias)


def save(ctx: Any, x: Array, weight: Array) -> None:
    """Keeps the images where filters learn; the filters, which others hold anyway, always, as torch does."""
    ctx.save(x if ctx.needs_input_grad[1] else None, weight)
    ctx.image = x.shape


def saved(ctx: Any, grad: Array) -> tuple[Array, Array]:
    """x, or what stands for it where no gradient needs it, and weight."""
    x, weight = ctx.saved
    return outline(ctx.image, grad) if x is None else x, weight


def as_image(x: Array) -> Array:
    """(N, C, L) -> (N, C, 1, L); images stay."""
    return x if x.ndim == 4 else x[:, :, None]


def in_dimensions(ndim: int, y: Any) -> Any:
    """An image's result (or None) for an input of this many dimensions: sequences lose their height again."""
    return y if y is None or ndim == 4 else y[:, :, 0]


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlates sequences with a bank of filters; see `conv2d`.

    Shape:
        input (N, C, L) or (C, L), weight (O, C / groups, K), bias (O,) -> (N, O, Q), where
        Q = floor((L + 2 padding - dilation (K - 1) - 1) / stride) + 1

    Raises:
        ShapeError: channels, groups or sizes do not fit.

    Source: torch.nn.functional.conv1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.conv1d(lenet.tensor([[1.0, 2.0, 4.0]]), lenet.tensor([[[-1.0, 1.0]]]))
        tensor([[1., 2.]])
    """
    return _convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
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
        stride, padding, dilation: in pixels, one number or (rows, columns). padding 'same' keeps the size (stride 1
            only; an odd border has its greater half at the right and bottom), 'valid' is none.
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
    return _convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def _convolution(
    name: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> Any:
    check_image(name, input, dims)
    if input.array.ndim == dims + 1:
        return batched(input, lambda x: _convolution(name, dims, x, weight, bias, stride, padding, dilation, groups))
    input, steps, border, spread, out = checked(name, dims, input, weight, bias, stride, padding, dilation, groups)
    return fusion.begin(
        Convolution,
        (len(input.array), len(weight.array), *out),
        input,
        weight,
        bias,
        stride=image_pair(steps, 1),
        padding=image_pair(border, 0),
        dilation=image_pair(spread, 1),
        groups=groups,
    )


def checked(
    name: str,
    dims: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> tuple[Tensor, tuple[int, ...], tuple[int, ...], tuple[int, ...], list[int]]:
    """The input, with the one pixel more that an odd border of 'same' has, stride, padding, dilation, result's sizes.

    Raises:
        ShapeError: channels, groups or sizes do not fit.
    """
    channels = check_operands(name, dims, input, weight, bias, groups, transposed=False)
    kernel = weight.array.shape[2:]
    steps, spread = per_dimension("stride", stride, dims, 1), per_dimension("dilation", dilation, dims, 1)
    if input.array.shape[1] != channels:
        raise ShapeError(
            f"{name}: given groups={groups}, weight of size {list(weight.shape)}, expected input"
            f"{list(input.shape)} to have {channels} channels, but got {input.array.shape[1]} channels instead"
        )
    if isinstance(padding, str):
        input, border = _named_padding(name, input, padding, kernel, steps, spread)
    else:
        border = per_dimension("padding", padding, dims, 0)
    room = [s + 2 * b for s, b in zip(input.array.shape[2:], border)]
    need = [d * (k - 1) + 1 for d, k in zip(spread, kernel)]
    if any(r < n for r, n in zip(room, need)):
        raise ShapeError(
            f"{name}: calculated padded input size per channel: ({' x '.join(map(str, room))}). Kernel size: "
            f"({' x '.join(map(str, need))}). Kernel size can't be greater than actual input size"
        )
    return input, steps, border, spread, [(r - n) // s + 1 for r, n, s in zip(room, need, steps)]


def check_operands(
    name: str, dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int, transposed: bool
) -> int:
    """Refuses weights that cannot be; gives the number of in-channels they are for.

    Raises:
        ShapeError: the weight's or the bias's shape.
        RuntimeError: groups below 1, or types that differ.
        NotImplementedError: booleans.
    """
    w = weight.array
    if w.ndim != dims + 2 or 0 in w.shape:
        filters = "C, O / groups" if transposed else "O, C / groups"
        axes = ", ".join("JKL"[-dims:])
        raise ShapeError(f"{name}: expected weight ({filters}, {axes}), got {list(w.shape)}")
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise TypeError(f"{name}: groups must be an integer, got {groups!r}")
    if groups < 1:
        raise RuntimeError(f"{name}: groups must be at least 1, got {groups}")
    if w.shape[0] % groups:
        raise ShapeError(f"{name}: groups={groups} do not divide the {w.shape[0]} filters of weight {list(w.shape)}")
    if input.array.dtype != w.dtype:
        raise RuntimeError(f"{name}: input type ({input.dtype}) and weight type ({weight.dtype}) should be the same")
    if w.dtype == np.bool_:
        raise NotImplementedError(f"{name}: not implemented for bool")
    o = w.shape[1] * groups if transposed else w.shape[0]
    if bias is not None and bias.array.shape != (o,):
        raise ShapeError(f"{name}: expected bias of shape [{o}], got {list(bias.array.shape)}")
    if bias is not None and bias.array.dtype != w.dtype:
        raise RuntimeError(f"{name}: input type ({input.dtype}) and bias type ({bias.dtype}) should be the same")
    return int(w.shape[0] if transposed else w.shape[1] * groups)


def _named_padding(
    name: str,
    input: Tensor,
    padding: str,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Tensor, tuple[int, ...]]:
    """The border on each side that 'same' or 'valid' means; where it is odd, the input gets the one pixel more."""
    if padding not in ("same", "valid"):
        raise RuntimeError(f"{name}: padding must be 'same', 'valid' or numbers, got {padding!r}")
    if padding == "valid":
        return input, (0,) * len(kernel)
    if any(s != 1 for s in stride):
        raise RuntimeError(f"{name}: padding='same' is not supported for strided convolutions, got stride {stride}")
    total = [d * (k - 1) for d, k in zip(dilation, kernel)]
    if any(t % 2 for t in total):
        input = pad(input, [side for t in reversed(total) for side in (0, t % 2)])
    return input, tuple(t // 2 for t in total)
