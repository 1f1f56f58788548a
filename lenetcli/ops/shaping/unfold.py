"""Windows of an image as columns, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.errors import ShapeError
from lenetcli.kernels.conv import columns, image_of_columns
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.window import Pair, extent
from lenetcli.ops.nn.geometry import Sizes, batched, check_image, per_dimension

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Windows = tuple[Pair, Pair, Pair, Pair]  # kernel, stride, padding, dilation


def _columns_of(x: Array, out: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """(N, C, H, W) -> (N, C K L, P Q)."""
    n, c = x.shape[:2]
    cols = columns(stored(x), kernel, stride, padding, dilation, out)
    return logical(cols.reshape(c * kernel[0] * kernel[1], out[0] * out[1], n).copy())


def _image_of(cols: Array, image: Pair, out: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """(N, C K L, P Q) -> (N, C, H, W), adding where windows overlap."""
    n, rows = cols.shape[:2]
    blocks = stored(cols).reshape(rows // (kernel[0] * kernel[1]), *kernel, *out, n)
    return logical(image_of_columns(blocks, image, stride, padding, dilation))


class Im2Col(Op):
    formula = "y = each window of x as a column"
    gradient = ("d_x = Σ grad of the columns that hold the place",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, out: Pair, windows: Windows) -> Array:
        ctx.image, ctx.out, ctx.windows = x.shape[2:], out, windows
        return _columns_of(x, out, *windows)

    def backward(ctx: Any, grad: Array) -> Array:
        return _image_of(grad, ctx.image, ctx.out, *ctx.windows)


class Col2Im(Op):
    formula = "y = Σ of the columns that hold the place"
    gradient = ("d_x = grad's windows as columns",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, image: Pair, out: Pair, windows: Windows) -> Array:
        ctx.out, ctx.windows = out, windows
        return _image_of(x, image, out, *windows)

    def backward(ctx: Any, grad: Array) -> Array:
        return _columns_of(grad, ctx.out, *ctx.windows)


def unfold(input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """The windows of images as columns: what a convolution multiplies with its filters.

    Args:
        kernel_size, dilation, padding, stride: of the windows, one number or (rows, columns).

    Shape:
        (N, C, H, W) -> (N, C K L, P Q), with P as for conv2d; (C, H, W) -> (C K L, P Q)

    Gradient:
        A pixel gets the sum over all windows that show it.

    Raises:
        ShapeError: no window fits.

    Source: torch.nn.functional.unfold.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.unfold(lenet.arange(6.0).view(1, 2, 3), 2)
        tensor([[0., 1.],
                [1., 2.],
                [3., 4.],
                [4., 5.]])
    """
    check_image("unfold", input, 2)
    _check_type("unfold", input)
    if input.array.ndim == 3:
        return batched(input, lambda x: unfold(x, kernel_size, dilation, padding, stride))
    windows = _windows(kernel_size, dilation, padding, stride)
    return Im2Col.apply(input, out=_positions("unfold", input.array.shape[2:], windows), windows=windows)


def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Puts columns back as windows of an image and adds where they overlap: the gradient of `unfold`.

    Args:
        output_size: H and W of the image.
        kernel_size, dilation, padding, stride: of the windows, one number or (rows, columns).

    Shape:
        (N, C K L, P Q) -> (N, C, H, W); (C K L, P Q) -> (C, H, W)

    Raises:
        ShapeError: the columns do not fit the windows.

    Source: torch.nn.functional.fold.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.fold(lenet.ones(4, 2), (2, 3), 2)
        tensor([[[1., 2., 1.],
                 [1., 2., 1.]]])
    """
    shape = input.array.shape
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise ShapeError(f"fold: expected input (N, C K L, P Q) or (C K L, P Q), got {list(shape)}")
    _check_type("fold", input)
    if len(shape) == 2:
        return batched(input, lambda x: fold(x, output_size, kernel_size, dilation, padding, stride))
    image = per_dimension("output_size", output_size, 2, 1)
    windows = _windows(kernel_size, dilation, padding, stride)
    if shape[1] % math.prod(windows[0]):
        raise ShapeError(
            f"fold: expected a number of rows divisible by the kernel's {math.prod(windows[0])} pixels {windows[0]}, "
            f"got {shape[1]} of input {list(shape)}"
        )
    out = _positions("fold", image, windows)
    if shape[2] != math.prod(out):
        raise ShapeError(
            f"fold: an image of {image[0]} x {image[1]} has {out[0]} * {out[1]} = {math.prod(out)} windows, "
            f"got {shape[2]} columns of input {list(shape)}"
        )
    return Col2Im.apply(input, image=image, out=out, windows=windows)


def _windows(kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> Windows:
    return (
        per_dimension("kernel_size", kernel_size, 2, 1),
        per_dimension("stride", stride, 2, 1),
        per_dimension("padding", padding, 2, 0),
        per_dimension("dilation", dilation, 2, 1),
    )


def _positions(name: str, image: Pair, windows: Windows) -> Pair:
    """How many windows fit down and across.

    Raises:
        ShapeError: none.
    """
    down, across = (extent(*sizes) for sizes in zip(image, *windows))
    if min(down, across) < 1:
        kernel, _, padding, dilation = windows
        raise ShapeError(
            f"{name}: windows of {kernel} with padding {padding} and dilation {dilation} do not fit into an image of "
            f"{image[0]} x {image[1]}"
        )
    return down, across


def _check_type(name: str, input: Tensor) -> None:
    if input.array.dtype.kind not in "fb":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; convert with .float()")
