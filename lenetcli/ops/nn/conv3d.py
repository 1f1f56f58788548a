"""Convolutions of volumes, made of convolutions of images: the depths of a window are channels beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from lenetcli.autograd.modes import whole
from lenetcli.ops.nn.conv2d import checked, conv2d
from lenetcli.ops.nn.conv_transpose2d import checked_transposed, conv_transpose2d
from lenetcli.ops.nn.geometry import Sizes, batched, check_image
from lenetcli.ops.shaping.cat import stack
from lenetcli.ops.shaping.pad import pad

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


@whole
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | Literal["same", "valid"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlates volumes with a bank of filters; see `conv2d`.

    Args:
        input: volumes; a single unbatched one (C, D, H, W) is accepted, as in torch.
        weight: filters.
        bias: one number per out-channel.
        stride, padding, dilation: one number or (depth, rows, columns); padding 'same' or 'valid' as in `conv2d`.
        groups: splits channels into groups that do not see each other.

    Shape:
        input (N, C, D, H, W), weight (O, C / groups, J, K, L), bias (O,) -> (N, O, P, Q, R), each size as in `conv2d`

    Raises:
        ShapeError: channels, groups or sizes do not fit.

    Source: torch.nn.functional.conv3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.conv3d(lenet.ones(1, 1, 2, 3, 3), lenet.ones(1, 1, 2, 2, 3)).flatten()
        tensor([12., 12.])
    """
    check_image("conv3d", input, 3)
    if input.array.ndim == 4:
        return batched(input, lambda x: conv3d(x, weight, bias, stride, padding, dilation, groups))
    input, steps, border, spread, out = checked("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)
    if border[0]:
        input = pad(input, (0, 0, 0, 0, border[0], border[0]))
    n, c, _, h, w = input.array.shape
    o, own, depths, *kernel = weight.array.shape
    last = steps[0] * (out[0] - 1) + 1
    seen: Any = [input[:, :, t * spread[0] : t * spread[0] + last : steps[0]] for t in range(depths)]
    x = stack(seen, 3).transpose(1, 2).reshape(n * out[0], c * depths, h, w)  # of each depth P: channels, then depths J
    filters = weight.reshape(o, own * depths, *kernel)
    y = conv2d(x, filters, bias, steps[1:], border[1:], spread[1:], groups)
    return y.reshape(n, out[0], o, *out[1:]).transpose(1, 2).contiguous()


@whole
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Spreads each place of a volume over a filter's extent: the gradient of `conv3d` with respect to its input.

    Args:
        input: volumes; a single unbatched one (C, D, H, W) is accepted, as in torch.
        weight, bias: filters, and one number per out-channel.
        stride, padding, output_padding, dilation: as in `conv_transpose2d`, one number or (depth, rows, columns).
        groups: splits channels into groups that do not see each other.

    Shape:
        input (N, C, D, H, W), weight (C, O / groups, J, K, L), bias (O,) -> (N, O, P, Q, R), each size as in
        `conv_transpose2d`

    Raises:
        ShapeError: channels, groups or sizes do not fit.

    Source: torch.nn.functional.conv_transpose3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.conv_transpose3d(lenet.ones(1, 1, 2, 1, 1), lenet.ones(1, 1, 2, 1, 1)).flatten()
        tensor([1., 2., 1.])
    """
    check_image("conv_transpose3d", input, 3)
    if input.array.ndim == 4:
        return batched(
            input, lambda x: conv_transpose3d(x, weight, bias, stride, padding, output_padding, groups, dilation)
        )
    steps, border, more, spread, out = checked_transposed(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    n, c, d, h, w = input.array.shape
    _, own, depths, *kernel = weight.array.shape
    filters = weight.reshape(c, own * depths, *kernel)
    x = input.transpose(1, 2).reshape(n * d, c, h, w)
    y = conv_transpose2d(x, filters, None, steps[1:], border[1:], more[1:], groups, spread[1:])
    y = y.reshape(n, d, own * groups, depths, *out[1:]).permute(3, 0, 2, 1, 4, 5)  # (J, N, O, D, Q, R)
    if steps[0] > 1:  # zeros between depths
        y = pad(y.unsqueeze(4), (0, 0, 0, 0, 0, steps[0] - 1)).flatten(3, 4)
    long, total = d * steps[0], None
    for t in range(depths):
        before = t * spread[0] - border[0]
        if before + long <= 0 or before >= out[0]:
            continue  # all of it is cut off
        part = pad(y[t], (0, 0, 0, 0, before, out[0] - before - long))
        total = part if total is None else total + part
    result: Tensor = pad(y[0], (0, 0, 0, 0, 0, out[0] - long)) * 0 if total is None else total
    return result if bias is None else result + bias.reshape(-1, 1, 1, 1)
