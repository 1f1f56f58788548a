"""The loss of sequences of labels without places in time, as a layer."""

from __future__ import annotations

from lenetcli.nn import functional as F
from lenetcli.nn.loss import Reduction, SeveralInputsLoss
from lenetcli.ops.nn.ctc_loss import Lengths
from lenetcli.tensors.tensor import Tensor


class CTCLoss(SeveralInputsLoss):
    """Connectionist temporal classification; see `lenetcli.nn.functional.ctc_loss`.

    Args:
        blank: the class that says nothing.
        reduction: 'mean' (of losses divided by their target's length), 'sum' or 'none'.
        zero_infinity: a target that no path can spell counts 0 instead of inf.

    Shape:
        log_probs (T, N, C), targets (N, S) or one after the other, input_lengths (N,), target_lengths (N,)

    Raises:
        RuntimeError: lengths that do not fit, a label that is no class.

    Source: torch.nn.CTCLoss; Graves et al. 2006.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.zeros(4, 1, 3).log_softmax(2)
        >>> lenet.nn.CTCLoss()(x, lenet.tensor([[1, 2]]), (4,), (2,))
        tensor(0.8432)
    """

    takes = "steps, targets and the lengths of both"

    def __init__(self, blank: int = 0, reduction: Reduction = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths) -> Tensor:
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
