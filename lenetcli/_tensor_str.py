"""How a tensor prints: as torch's does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


def tensor_str(tensor: Tensor) -> str:
    """`tensor([1., 2.], requires_grad=True)`, with torch's precision, line breaks and summary of long tensors."""
    body = np.array2string(tensor.array, separator=", ", prefix="tensor(", precision=4, threshold=1000)
    extra = ""
    if tensor.grad_fn is not None:
        extra = f", grad_fn=<{tensor.grad_fn.name()}>"
    elif tensor.requires_grad:
        extra = ", requires_grad=True"
    return f"tensor({body}{extra})"
