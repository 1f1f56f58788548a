"""An op with a wrong gradient."""

from __future__ import annotations

from typing import Any

from lenetcli.autograd import Function


class Wrong(Function):
    """Squares, and forgets the 2 on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grad * x
