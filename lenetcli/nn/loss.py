"""Loss layers."""

from __future__ import annotations

from lenetcli._tensor import Tensor
from lenetcli.nn import functional as F
from lenetcli.nn.module import Module


class MSELoss(Module):
    """Mean squared error. Source: torch.nn.MSELoss."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, self.reduction)


class CrossEntropyLoss(Module):
    """Cross entropy of logits. Source: torch.nn.CrossEntropyLoss."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, reduction=self.reduction)
