"""The Bernoulli distribution: yes or no."""

from __future__ import annotations

from typing import ClassVar

from lenetcli.autograd.modes import no_grad
from lenetcli.distributions import constraints
from lenetcli.distributions.constraints import Constraint
from lenetcli.distributions.distribution import (
    Distribution,
    Number,
    Shape,
    either,
    lazily,
    probs_to_logits,
    together,
)
from lenetcli.ops.nn.binary_cross_entropy import binary_cross_entropy_with_logits
from lenetcli.ops.pointwise.exp import sigmoid
from lenetcli.tensors.ranges import arange
from lenetcli.tensors.sampling import bernoulli
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor


class Bernoulli(Distribution):
    """1 at a probability, else 0.

    Args:
        probs: probability of 1.
        logits: log(probs / (1 - probs)); one of the two is wanted.
        validate_args: check parameters and values.

    Raises:
        ValueError: both, neither, or a probability outside [0, 1].

    Source: torch.distributions.Bernoulli.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.distributions import Bernoulli
        >>> Bernoulli(0.25).log_prob(lenet.tensor([0.0, 1.0])).exp()
        tensor([0.7500, 0.2500])
    """

    has_enumerate_support: ClassVar[bool] = True

    def __init__(
        self, probs: Number | None = None, logits: Number | None = None, validate_args: bool | None = None
    ) -> None:
        either(probs, logits)
        if probs is not None:
            (self.probs,) = (self._param,) = together(probs)
        elif logits is not None:
            (self.logits,) = (self._param,) = together(logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {"probs": constraints.unit_interval, "logits": constraints.real}

    @property
    def support(self) -> Constraint:
        return constraints.boolean

    @lazily
    def logits(self) -> Tensor:
        """log(probs / (1 - probs))"""
        return probs_to_logits(self.probs, is_binary=True)

    @lazily
    def probs(self) -> Tensor:
        """Probability of 1."""
        return sigmoid(self.logits)

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter that was given."""
        return self._param.shape

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return (self.probs >= 0.5).to(self.probs.dtype).masked_fill(self.probs == 0.5, float("nan"))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def expand(self, batch_shape: Shape) -> Bernoulli:
        shape = Size(batch_shape)
        name = "probs" if "probs" in self.__dict__ and self._param is self.probs else "logits"
        return self._like(shape, **{name: self._param.expand(shape)})

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, target = together(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(2, dtype=self._param.dtype, device=self._param.device).view(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values
