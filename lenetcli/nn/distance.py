"""Distances between vectors, as layers."""

from __future__ import annotations

from lenetcli.nn import functional as F
from lenetcli.nn.module import ForPython
from lenetcli.tensors.tensor import Tensor


class PairwiseDistance(ForPython):
    """Distance between vectors, which lie along the last dimension: norm(x1 - x2 + eps) of order p.

    Args:
        p: order of the norm.
        eps: added to each difference, so that the gradient at 0 exists.
        keepdim: keep the last dimension with size 1.

    Shape:
        (N, D) or (D) twice -> (N) or ()

    Source: torch.nn.PairwiseDistance.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.PairwiseDistance()(lenet.tensor([[3.0, 4.0]]), lenet.zeros(1, 2))
        tensor([5.0000])
    """

    takes = "two inputs"

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(ForPython):
    """The cosine of the angle between vectors.

    Args:
        dim: dimension that the vectors lie along.
        eps: least length.

    Shape:
        (*, D, *) twice -> (*, *)

    Source: torch.nn.CosineSimilarity.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.CosineSimilarity()(lenet.tensor([[3.0, 4.0]]), lenet.tensor([[1.0, 0.0]]))
        tensor([0.6000])
    """

    takes = "two inputs"

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
