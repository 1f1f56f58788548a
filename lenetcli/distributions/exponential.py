"""The exponential distribution."""

from __future__ import annotations

from typing import ClassVar

from lenetcli.distributions import constraints
from lenetcli.distributions.constraints import Constraint
from lenetcli.distributions.distribution import Distribution, Number, Shape, together
from lenetcli.ops.pointwise.fill_ import exponential_
from lenetcli.tensors.creation import empty, zeros_like
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor


class Exponential(Distribution):
    """The exponential distribution: how long something lasts that ends at a constant rate.

    Args:
        rate: above 0.
        validate_args: check parameters and values.

    Raises:
        ValueError: a rate that is not positive.

    Source: torch.distributions.Exponential.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.distributions import Exponential
        >>> Exponential(2.0).log_prob(lenet.tensor(0.0)).exp()
        tensor(2.)
    """

    has_rsample: ClassVar[bool] = True

    def __init__(self, rate: Number, validate_args: bool | None = None) -> None:
        (self.rate,) = together(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {"rate": constraints.positive}

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative

    @property
    def mean(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.rate)

    @property
    def stddev(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        return self.rate.pow(-2)

    def expand(self, batch_shape: Shape) -> Exponential:
        shape = Size(batch_shape)
        return self._like(shape, rate=self.rate.expand(shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return exponential_(empty(*shape, dtype=self.rate.dtype, device=self.rate.device)) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        return 1.0 - self.rate.log()
