"""Linear maps of the last dimension, as in a Linear layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lenetcli.errors import ShapeError
from lenetcli.ops.linalg import addmm, mm
from lenetcli.ops.shape import t

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A weighted sum of the last dimension for each output.

    Formula:
        y = x weight.T + bias

    Shape:
        input (*, I), weight (O, I) or (I,), bias (O,) or () -> (*, O) or (*)

    Raises:
        ShapeError: the last size of the input is not I.

    Source: torch.nn.functional.linear.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.linear(lenet.ones(1, 3), lenet.ones(2, 3), lenet.tensor([0.0, 1.0]))
        tensor([[3., 4.]])
    """
    x, w = input.array, weight.array
    if not x.ndim or not w.ndim or x.shape[-1] != w.shape[-1]:
        raise ShapeError(
            f"linear: mat1 and mat2 shapes cannot be multiplied: input {list(x.shape)} ends in "
            f"{x.shape[-1] if x.ndim else 'nothing'}, weight {list(w.shape)} takes {w.shape[-1] if w.ndim else 'nothing'} features"
        )
    if x.ndim == 2 and w.ndim == 2:
        return mm(input, t(weight)) if bias is None else addmm(bias, input, t(weight))
    if w.ndim == 1:
        y = input.matmul(weight)
        return y if bias is None else y + bias  # type: ignore[no-any-return]  # an op added at import
    rows = input.reshape(-1, x.shape[-1])
    return linear(rows, weight, bias).reshape(*x.shape[:-1], w.shape[0])  # type: ignore[no-any-return]  # as above
