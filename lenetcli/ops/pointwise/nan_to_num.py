"""NaN and infinities replaced by numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lenetcli.ops.methods import method
from lenetcli.ops.pointwise.clamp import where
from lenetcli.ops.pointwise.eq import eq, isnan

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


@method(in_place=True)
def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Numbers for NaN, infinity and -infinity; unless given 0 and the type's greatest and least.

    Gradient: 1 where the number stays, else 0.

    Source: torch.nan_to_num.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nan_to_num(lenet.tensor([float("nan"), 1.0]), nan=7)
        tensor([7., 1.])
    """
    kind = input.array.dtype
    if kind.kind != "f":
        return input.clone()
    limits = np.finfo(kind)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    found = where(isnan(input), 0.0 if nan is None else nan, input)
    found = where(eq(input, float("inf")), high, found)
    return where(eq(input, float("-inf")), low, found)
