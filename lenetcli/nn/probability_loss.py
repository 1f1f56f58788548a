"""Loss layers between probabilities and of predicted distributions."""

from __future__ import annotations

from typing import Literal

from lenetcli.nn import functional as F
from lenetcli.nn.loss import Loss, Reduction, SeveralInputsLoss, WeightedLoss
from lenetcli.tensors.tensor import Tensor


class BCELoss(WeightedLoss):
    """Cross entropy of yes-or-no probabilities. After a sigmoid, use `BCEWithLogitsLoss` instead of both.

    Formula:
        -weight (target log(input) + (1 - target) log(1 - input)), each log limited to -100 from below

    Args:
        weight: of each element; broadcasts to the shape of input.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: input and target have different shapes.
        RuntimeError: a value outside [0, 1], or types that differ.

    Source: torch.nn.BCELoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.BCELoss()(lenet.tensor([0.9, 0.2]), lenet.tensor([1.0, 0.0]))
        tensor(0.1643)
    """

    outputs = "probabilities"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """Cross entropy of yes-or-no decisions, from logits: exact where a sigmoid would round to 0 or 1.

    Formula:
        -weight (pos_weight target log(s) + (1 - target) log(1 - s)), s = sigmoid(input)

    Args:
        weight: of each element; broadcasts to the shape of input.
        reduction: 'mean', 'sum' or 'none'.
        pos_weight: of the yes part, such as one for each class; broadcasts to the shape of input.

    Raises:
        ValueError: input and target have different shapes.

    Source: torch.nn.BCEWithLogitsLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.BCEWithLogitsLoss()(lenet.tensor([0.0, -200.0]), lenet.tensor([1.0, 1.0]))
        tensor(100.3466)
    """

    outputs = "logits"
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: None = None,
        reduce: None = None,
        reduction: Reduction = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(Loss):
    """Kullback-Leibler divergence: what is lost where the input stands for the distribution `target`.

    Formula:
        target (log(target) - input), 0 where target is 0; with `log_target`: exp(target) (target - input)

    Args:
        size_average: deprecated in torch; must be None.
        reduce: deprecated in torch; must be None.
        reduction: 'batchmean' (the sum divided by the batch size: the divergence itself), 'mean' (over all elements:
            warns, as in torch), 'sum' or 'none'.
        log_target: whether target holds logarithms.

    Raises:
        ValueError: an unknown reduction.

    Source: torch.nn.KLDivLoss.

    Example:
        >>> import lenetcli as lenet
        >>> loss = lenet.nn.KLDivLoss(reduction="batchmean")
        >>> loss(lenet.tensor([[0.5, 0.5]]).log(), lenet.tensor([[1.0, 0.0]]))
        tensor(0.6931)
    """

    outputs = "logarithms"
    reduction: Literal["none", "mean", "sum", "batchmean"]  # type: ignore[assignment]  # one more than others have

    def __init__(
        self,
        size_average: None = None,
        reduce: None = None,
        reduction: Literal["none", "mean", "sum", "batchmean"] = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, "mean" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts under a Poisson distribution.

    Formula:
        exp(input) - target input; without `log_input`: input - target log(input + eps)
        `full` adds target log(target) - target + log(2 pi target) / 2 where target > 1 (Stirling's formula)

    Args:
        log_input: whether the input is the logarithm of the expected count.
        full: whether to add Stirling's formula.
        eps: keeps the logarithm from 0.
        reduction: 'mean', 'sum' or 'none'.

    Source: torch.nn.PoissonNLLLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.PoissonNLLLoss()(lenet.tensor([0.0, 1.0]), lenet.tensor([1.0, 2.0]))
        tensor(0.8591)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: None = None,
        eps: float = 1e-8,
        reduce: None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)


class GaussianNLLLoss(SeveralInputsLoss):
    """Negative log-likelihood of values under normal distributions.

    Formula:
        (log(v) + (input - target)^2 / v) / 2, v = max(var, eps); `full` adds log(2 pi) / 2

    Args:
        full: whether to add the constant.
        eps: the smallest variance; the gradient passes this limit as if it were not there.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: a negative variance, or variances of another shape.

    Source: torch.nn.GaussianNLLLoss.

    Example:
        >>> import lenetcli as lenet
        >>> loss = lenet.nn.GaussianNLLLoss()
        >>> loss(lenet.tensor([0.0, 1.0]), lenet.tensor([1.0, 2.0]), lenet.tensor([1.0, 4.0]))
        tensor(0.6591)
    """

    takes = "an input, a target and variances"

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)
