"""A softmax over very many classes, of which the frequent ones are cheap."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any, NamedTuple

from lenetcli.nn import functional as F
from lenetcli.nn.container import ModuleList, Sequential
from lenetcli.nn.linear import Linear
from lenetcli.nn.loss import SeveralInputsLoss
from lenetcli.ops.shaping.cat import cat
from lenetcli.tensors.creation import zeros
from lenetcli.tensors.tensor import Tensor


class _ASMoutput(NamedTuple):
    """What it gives, under torch's name and words."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(SeveralInputsLoss):
    """A softmax in two stages: frequent classes at once, rare ones in clusters that few samples ever ask for.

    Formula:
        log p(class) = head[class], or head[cluster] + tail of that cluster[class], both log_softmax

    Args:
        in_features: size of each input.
        n_classes: classes, the most frequent first.
        cutoffs: where clusters begin, increasing; classes below the first are the head's own.
        div_value: a cluster's inner layer has this many times fewer features than the one before.
        head_bias: the head has a bias.

    Shape:
        input (N, in_features) or (in_features,), target (N,) or () -> `output`, the logarithm of the target's
        probability, and `loss`, minus its mean

    Raises:
        ValueError: cutoffs that do not increase between 1 and n_classes - 1.
        RuntimeError: targets that are no classes, or not one for each input.

    Source: torch.nn.AdaptiveLogSoftmaxWithLoss; Grave et al. 2017.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.AdaptiveLogSoftmaxWithLoss(16, 100, [10, 50])
        >>> layer.log_prob(lenet.zeros(2, 16)).shape
        torch.Size([2, 100])
    """

    takes = "inputs and targets of its own, and gives two values,"

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        ends = list(cutoffs)
        if not ends:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        whole = all(hasattr(c, "__index__") for c in ends)
        ends, n_classes = [index(c) for c in ends] if whole else ends, index(n_classes)
        if not whole or ends != sorted(set(ends)) or ends[0] < 1 or ends[-1] > n_classes - 1:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                f"value is between 1 and n_classes-1, got {ends} of {n_classes} classes"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*ends, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = ends[0], len(ends)
        self.head_size = self.shortlist_size + self.n_clusters
        made = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **made)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(zip(self.cutoffs, self.cutoffs[1:])):
            inner = int(in_features // div_value ** (i + 1))
            layers = Linear(in_features, inner, bias=False, **made), Linear(inner, high - low, bias=False, **made)
            self.tail.append(Sequential(*layers))

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        if target_.ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if input_.ndim != target_.ndim + 1 or (target_.ndim and input_.shape[0] != target_.shape[0]):
            raise RuntimeError(
                "Input and target should have the same size in the batch dimension, "
                f"got {list(input_.shape)} and {list(target_.shape)}"
            )
        single = target_.ndim == 0
        input, target = (input_.unsqueeze(0), target_.unsqueeze(0)) if single else (input_, target_)
        if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{int(target.min())}, {int(target.max())}] were found. "
            )
        chosen = target.clone()  # of the head: the class itself, or its cluster
        inside = zeros(target.shape[0], dtype=input.dtype, device=input.device)
        for i, (low, high) in enumerate(zip(self.cutoffs, self.cutoffs[1:])):
            (rows,) = ((target >= low) & (target < high)).nonzero(as_tuple=True)
            if rows.numel():
                log_probs = F.log_softmax(self.tail[i](input.index_select(0, rows)), dim=1)
                own = log_probs.gather(1, (target.index_select(0, rows) - low).unsqueeze(1))
                inside = inside.index_copy(0, rows, own.squeeze(1))
                chosen = chosen.index_fill(0, rows, self.shortlist_size + i)
        head = F.log_softmax(self.head(input), dim=1)
        output = inside + head.gather(1, chosen.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output.squeeze(0) if single else output, loss)

    def log_prob(self, input: Tensor) -> Tensor:
        """Logarithms of the probabilities of all classes, (N, n_classes)."""
        return self._all(input, self.head(input))

    def _all(self, input: Tensor, head_output: Tensor) -> Tensor:
        head = F.log_softmax(head_output, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            own = F.log_softmax(cluster(input), dim=1)
            parts.append(own + head[:, self.shortlist_size + i].unsqueeze(1))
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each sample, (N,); clusters are asked only where the head prefers them."""
        head_output = self.head(input)
        best = head_output.argmax(1)
        if bool((best < self.shortlist_size).all()):
            return best
        return self._all(input, head_output).argmax(1)
