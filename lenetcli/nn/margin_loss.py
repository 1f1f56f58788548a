"""Loss layers that ask for a margin: between two inputs, between distances, or between a score and its label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from lenetcli.nn import functional as F
from lenetcli.nn.distance import PairwiseDistance
from lenetcli.nn.loss import Loss, Reduction, SeveralInputsLoss, WeightedLoss
from lenetcli.tensors.tensor import Tensor


class HingeEmbeddingLoss(Loss):
    """Makes a distance small where the target is 1, and at least `margin` where it is -1.

    Formula:
        input where target is 1, max(0, margin - input) where it is -1

    Args:
        margin: the distance that is far enough.
        reduction: 'mean', 'sum' or 'none'.

    Source: torch.nn.HingeEmbeddingLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.HingeEmbeddingLoss()(lenet.tensor([0.2, 0.4]), lenet.tensor([1, -1]))
        tensor(0.4000)
    """

    def __init__(
        self,
        margin: float = 1.0,
        size_average: None = None,
        reduce: None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(SeveralInputsLoss):
    """Ranks the first input above the second by `margin` where the target is 1, below it where it is -1.

    Formula:
        max(0, -target (input1 - input2) + margin)

    Args:
        margin: by how much one should exceed the other.
        reduction: 'mean', 'sum' or 'none'.

    Source: torch.nn.MarginRankingLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MarginRankingLoss()(lenet.tensor([0.5]), lenet.tensor([2.0]), lenet.tensor([1]))
        tensor(1.5000)
    """

    def __init__(
        self,
        margin: float = 0.0,
        size_average: None = None,
        reduce: None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(MarginRankingLoss):
    """Turns vectors to the same direction where the target is 1, and apart where it is -1.

    Formula:
        1 - cos(input1, input2) where target is 1, max(0, cos(input1, input2) - margin) where it is -1

    Args:
        margin: the cosine that is good enough for -1, from -1 to 1.
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        inputs (N, D), target (N,); or (D,) and ()

    Source: torch.nn.CosineEmbeddingLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.CosineEmbeddingLoss()(lenet.tensor([3.0, 4.0]), lenet.tensor([1.0, 0.0]), lenet.tensor(1))
        tensor(0.4000)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(SeveralInputsLoss):
    """Wants the anchor closer to the positive than to the negative, by `margin`.

    Formula:
        max(0, d(anchor, positive) - d(anchor, negative) + margin), d(a, b) = ||a - b + eps||_p

    Args:
        margin: positive.
        p: of the norm.
        eps: keeps the norm's gradient finite.
        swap: use the distance from positive to negative where it is the smaller one.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: margin is not positive.

    Source: torch.nn.TripletMarginLoss; Balntas et al. 2016, "Learning local feature descriptors with triplets and
    shallow convolutional neural networks" (the swap).

    Example:
        >>> import lenetcli as lenet
        >>> loss = lenet.nn.TripletMarginLoss()
        >>> loss(lenet.tensor([[0.0, 0.0]]), lenet.tensor([[3.0, 4.0]]), lenet.tensor([[0.0, 2.0]]))
        tensor(4.0000)
    """

    takes = "an anchor, a positive and a negative input"

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: None = None,
        reduce: None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if not margin > 0:
            raise ValueError(f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead")
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class TripletMarginWithDistanceLoss(SeveralInputsLoss):
    """`TripletMarginLoss` with a distance of your own.

    Args:
        distance_function: takes two tensors; `PairwiseDistance()` unless given.
        margin: positive.
        swap: use the distance from positive to negative where it is the smaller one.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: margin is not positive.

    Source: torch.nn.TripletMarginWithDistanceLoss.

    Example:
        >>> import lenetcli as lenet
        >>> loss = lenet.nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs())
        >>> loss(lenet.tensor([0.0]), lenet.tensor([3.0]), lenet.tensor([1.0]))
        tensor(3.)
    """

    takes = "an anchor, a positive and a negative input"

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        if not margin > 0:
            raise ValueError(
                f"TripletMarginWithDistanceLoss: expected margin to be greater than 0, got {margin} instead"
            )
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class SoftMarginLoss(Loss):
    """Two-class logistic loss.

    Formula:
        log(1 + exp(-target input)), target 1 or -1

    Args:
        reduction: 'mean', 'sum' or 'none'.

    Source: torch.nn.SoftMarginLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.SoftMarginLoss()(lenet.tensor([0.0, 2.0]), lenet.tensor([1, -1]))
        tensor(1.4100)
    """

    outputs = "logits"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """Binary cross entropy of several labels at once, from logits.

    Formula:
        -weight (target log(s) + (1 - target) log(1 - s)), s = sigmoid(input), averaged over the C labels

    Args:
        weight: of each label.
        reduction: over the samples: 'mean', 'sum' or 'none'.

    Shape:
        input and target (N, C) or (C,)

    Source: torch.nn.MultiLabelSoftMarginLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MultiLabelSoftMarginLoss()(lenet.tensor([[0.0, 2.0]]), lenet.tensor([[1.0, 0.0]]))
        tensor(1.4100)
    """

    outputs = "logits"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """Multi-label hinge loss: every right class should score higher than every other by 1.

    Formula:
        sum over labels j and classes c that are no label of max(0, 1 - input[j] + input[c]) / C

    Args:
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        input and target (N, C) or (C,); the labels from the first -1 on do not count

    Source: torch.nn.MultiLabelMarginLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MultiLabelMarginLoss()(lenet.tensor([[0.1, 0.2, 0.4, 0.8]]), lenet.tensor([[3, 0, -1, 1]]))
        tensor(0.8500)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """Multi-class hinge loss: the right class should score higher than every other by `margin`.

    Formula:
        sum over classes c other than t of weight[t] max(0, margin - input[t] + input[c])^p / C, t the target

    Args:
        p: 1 or 2.
        margin: by how much the right class should exceed the others.
        weight: of each class.
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        input (N, C), target (N,); or (C,) and ()

    Raises:
        ValueError: p is neither 1 nor 2, or weight has not one dimension.

    Source: torch.nn.MultiMarginLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MultiMarginLoss()(lenet.tensor([[0.1, 0.2, 0.4, 0.8]]), lenet.tensor([3]))
        tensor(0.3250)
    """

    outputs = "scores"
    elementwise = False

    def __init__(
        self,
        p: Literal[1, 2] = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: None = None,
        reduce: None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: only p == 1 and p == 2 supported, got {p}")
        if weight is not None and weight.dim() != 1:
            raise ValueError(f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.dim()}D instead")
        self.p, self.margin = p, margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)
