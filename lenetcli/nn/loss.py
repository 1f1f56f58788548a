"""Loss layers of classification and regression: functions of `lenetcli.nn.functional` with their arguments fixed."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from lenetcli.nn import functional as F
from lenetcli.nn.module import ForPython, Module
from lenetcli.ops.nn.mse_loss import check_reduction
from lenetcli.tensors.tensor import Tensor

Reduction = Literal["none", "mean", "sum"]
Outputs = Literal["scores", "logits", "logarithms", "probabilities", "numbers"]


class Loss(Module):
    """Base of the losses: what they have in common is how the losses of single elements are brought together.

    A loss also says what it takes the model's outputs for, so that whoever shows them need not guess: scores (softmax
    makes probabilities of them), logits (a sigmoid does), logarithms of probabilities, probabilities, or mere numbers.

    Args:
        size_average: deprecated in torch; must be None.
        reduce: deprecated in torch; must be None.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: an unknown reduction.
        NotImplementedError: a deprecated argument is given.
    """

    outputs: ClassVar[Outputs] = "numbers"
    elementwise: ClassVar[bool] = True  # compares numbers with numbers, so that targets have the outputs' shape

    def __init__(self, size_average: None = None, reduce: None = None, reduction: Reduction = "mean") -> None:
        super().__init__()
        check_reduction(reduction, size_average, reduce)
        self.reduction = reduction

    @property
    def is_plain(self) -> bool:
        """Whether it is nothing but the mean of rows of classes, `ignore_index` aside, which can be recorded."""
        return False

    def counted(self, target: Any) -> Any:
        """Which targets of an array count: an array of truth values, or None where all do."""
        return None

    def divisor(self, target: Any, counted: Any = None) -> Any:
        """What the mean over a batch with these targets (an array) is divided by, up to a factor that batches share.

        The mean over several batches is their means, weighted by this. A number, or an array of one on a device.

        Args:
            counted: which of them count, where that is known.
        """
        return len(target)

    def remainder(self, input: Tensor, target: Tensor) -> Tensor | None:
        """What a batch adds to the sum of losses though its divisor is 0, which its mean, x / 0, cannot say.

        None where that is nothing, as for all losses but a cross entropy that smooths labels of classes of weight 0.
        """
        return None


class SeveralInputsLoss(Loss, ForPython):
    """Base of the losses that compare more than an output with a target: a chain of layers cannot feed them."""

    takes = "two inputs and a target"
    elementwise = False


class WeightedLoss(Loss):
    """A loss with weights, which are a buffer.

    Args:
        weight: of each class or element; 1 unless given.
        size_average: deprecated in torch; must be None.
        reduce: deprecated in torch; must be None.
        reduction: 'mean', 'sum' or 'none'.
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: None = None,
        reduce: None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class ClassLoss(WeightedLoss):
    """Base of the losses of class indices, some of which may count for nothing and each as much as its class weighs.

    Args:
        weight: of each class; 1 unless given.
        size_average: deprecated in torch; must be None.
        ignore_index: class indices of this value count for nothing.
        reduce: deprecated in torch; must be None.
        reduction: 'mean', 'sum' or 'none'.
    """

    elementwise = False

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def counted(self, target: Any) -> Any:
        return None if target.dtype.kind == "f" else target != self.ignore_index

    def divisor(self, target: Any, counted: Any = None) -> Any:
        counted = self.counted(target) if counted is None else counted
        if counted is None:  # probabilities: the mean is over the samples, whatever classes weigh
            return len(target)
        weight = self._buffers["weight"]  # read directly: attributes of modules are slow, and each step asks
        if weight is None:
            return np.count_nonzero(counted)
        weights = weight.array[np.where(counted, target, 0)]
        return np.where(counted, weights, 0).sum(dtype=np.float64)


class CrossEntropyLoss(ClassLoss):
    """Cross entropy between logits and target classes; see `lenetcli.nn.functional.cross_entropy`.

    Args:
        weight: of each class; 1 unless given.
        ignore_index: class indices of this value count for nothing.
        reduction: 'mean', 'sum' or 'none'.
        label_smoothing: from 0 (none) to 1 (the target is the uniform distribution).

    Shape:
        input (N, C), target (N,); or (C,) and (); or (N, C, d1, ...) and (N, d1, ...); or probabilities in the shape
        of input. The result is (), or that of the class indices with reduction 'none'.

    Source: torch.nn.CrossEntropyLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.CrossEntropyLoss()(lenet.tensor([[2.0, 0.0], [0.0, 0.0]]), lenet.tensor([0, 1]))
        tensor(0.4100)
    """

    outputs = "scores"

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: None = None,
        ignore_index: int = -100,
        reduce: None = None,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
        self.label_smoothing = label_smoothing

    @property
    def is_plain(self) -> bool:
        own = self.__dict__
        if type(self) is not CrossEntropyLoss or "forward" in own or self.has_hooks:
            return False
        return own["reduction"] == "mean" and not own["label_smoothing"] and own["_buffers"]["weight"] is None

    def _at_once(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        if len(args) != 2 or kwargs or not self.is_plain:
            return None
        from lenetcli.ops.nn.cross_entropy import of_plain_rows  # a table of parameters needs none of it

        return of_plain_rows(*args, self.__dict__["ignore_index"], (self, self))

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def remainder(self, input: Tensor, target: Tensor) -> Tensor | None:
        if self.weight is None or not self.label_smoothing or self.divisor(target.array):
            return None
        ignored, smoothed = self.ignore_index, self.label_smoothing
        return F.cross_entropy(
            input, target, self.weight, ignore_index=ignored, reduction="sum", label_smoothing=smoothed
        )


class NLLLoss(ClassLoss):
    """Negative log-likelihood of the target classes; see `lenetcli.nn.functional.nll_loss`.

    Args:
        weight: of each class; 1 unless given.
        ignore_index: class indices of this value count for nothing.
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        input (N, C), target (N,); or (C,) and (); or (N, C, d1, ...) and (N, d1, ...)

    Source: torch.nn.NLLLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.NLLLoss()(lenet.tensor([[0.9, 0.1], [0.2, 0.8]]).log(), lenet.tensor([0, 1]))
        tensor(0.1643)
    """

    outputs = "logarithms"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class MSELoss(Loss):
    """Mean squared error: (input - target)^2.

    Args:
        reduction: 'mean', 'sum' or 'none'.

    Source: torch.nn.MSELoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.MSELoss()(lenet.tensor([1.0, 2.0]), lenet.tensor([0.0, 4.0]))
        tensor(2.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """Mean absolute error: |input - target|.

    Args:
        reduction: 'mean', 'sum' or 'none'.

    Gradient:
        sign(input - target); 0 where they are equal.

    Source: torch.nn.L1Loss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.L1Loss()(lenet.tensor([1.0, 2.0]), lenet.tensor([0.0, 4.0]))
        tensor(1.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """Absolute error with a round bottom.

    Formula:
        with d = input - target: d^2 / (2 beta) for |d| < beta, else |d| - beta / 2

    Args:
        reduction: 'mean', 'sum' or 'none'.
        beta: where the bottom ends; 0 gives `L1Loss`.

    Source: torch.nn.SmoothL1Loss; Girshick 2015, "Fast R-CNN", equation 3.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.SmoothL1Loss(reduction="sum")(lenet.tensor([1.0, 2.0]), lenet.tensor([0.5, 4.0]))
        tensor(1.6250)
    """

    def __init__(
        self, size_average: None = None, reduce: None = None, reduction: Reduction = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """Squared error near the target, absolute error far from it.

    Formula:
        with d = input - target: d^2 / 2 for |d| <= delta, else delta (|d| - delta / 2)

    Args:
        reduction: 'mean', 'sum' or 'none'.
        delta: where the one becomes the other; positive.

    Source: torch.nn.HuberLoss.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.HuberLoss("sum", delta=0.5)(lenet.tensor([1.0, 2.0]), lenet.tensor([0.5, 4.0]))
        tensor(1.)
    """

    def __init__(self, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        if not isinstance(delta, (float, int)):
            raise TypeError(f"HuberLoss: delta must be a float or int, got {type(delta).__name__}")
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)
