"""Dropout layers: random zeros in training, nothing in evaluation."""

from __future__ import annotations

from typing import ClassVar

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


class DropoutBase(Module):
    """What the dropout layers share: the probability and its check.

    Args:
        p: probability of a zero, in [0, 1].
        inplace: change the input.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(DropoutBase):
    """In training, zeros each element with probability p and scales the others by 1 / (1 - p).

    Shape:
        any -> the same

    Raises:
        ValueError: p outside of [0, 1].

    Source: Srivastava et al., Dropout, 2014; torch.nn.Dropout.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Dropout(0.2).eval()(lenet.ones(2))
        tensor([1., 1.])
    """

    native_calls: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(DropoutBase):
    """`Dropout` of whole channels of sequences: (N, C, L) or (C, L) -> the same. Source: torch.nn.Dropout1d.

    Example:
        >>> import lenetcli as lenet
        >>> y = lenet.nn.Dropout1d()(lenet.ones(8, 4, 3))
        >>> bool((y.amin(2) == y.amax(2)).all())
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(DropoutBase):
    """`Dropout` of whole channels of images: (N, C, H, W) -> the same. Source: torch.nn.Dropout2d.

    Example:
        >>> import lenetcli as lenet
        >>> y = lenet.nn.Dropout2d()(lenet.ones(8, 4, 2, 2))
        >>> bool((y.amin((2, 3)) == y.amax((2, 3))).all())
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(DropoutBase):
    """`Dropout` of whole channels of volumes: (N, C, D, H, W) -> the same. Source: torch.nn.Dropout3d.

    Example:
        >>> import lenetcli as lenet
        >>> y = lenet.nn.Dropout3d()(lenet.ones(8, 4, 2, 2, 2))
        >>> bool((y.amin((2, 3, 4)) == y.amax((2, 3, 4))).all())
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(DropoutBase):
    """Dropout that keeps mean 0 and variance 1, for selu networks.

    Source: Klambauer et al., Self-normalizing neural networks, 2017; torch.nn.AlphaDropout.

    Example:
        >>> import lenetcli as lenet
        >>> y = lenet.nn.AlphaDropout()(lenet.zeros(100))
        >>> sorted({round(value, 4) for value in y.tolist()})
        [-0.7792, 0.7792]
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(DropoutBase):
    """`AlphaDropout` of whole channels, the second dimension. Source: torch.nn.FeatureAlphaDropout.

    Example:
        >>> import lenetcli as lenet
        >>> y = lenet.nn.FeatureAlphaDropout()(lenet.ones(8, 4, 3))
        >>> bool((y.amin(2) == y.amax(2)).all())
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
