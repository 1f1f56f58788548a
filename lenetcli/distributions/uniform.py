"""The uniform distribution."""

from __future__ import annotations

from typing import ClassVar

from lenetcli.distributions import constraints
from lenetcli.distributions.constraints import Constraint
from lenetcli.distributions.distribution import Distribution, Number, Shape, together
from lenetcli.tensors.sampling import rand
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor


class Uniform(Distribution):
    """The uniform distribution on [low, high).

    Args:
        low, high: the ends, low below high.
        validate_args: check parameters and values.

    Raises:
        ValueError: low is not below high.

    Source: torch.distributions.Uniform.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.distributions import Uniform
        >>> Uniform(0.0, 4.0).log_prob(lenet.tensor(1.0)).exp()
        tensor(0.2500)
    """

    has_rsample: ClassVar[bool] = True

    def __init__(self, low: Number, high: Number, validate_args: bool | None = None) -> None:
        self.low, self.high = together(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @property
    def support(self) -> Constraint:
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        return float("nan") * self.high

    @property
    def stddev(self) -> Tensor:
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low).pow(2) / 12

    def expand(self, batch_shape: Shape) -> Uniform:
        shape = Size(batch_shape)
        return self._like(shape, low=self.low.expand(shape), high=self.high.expand(shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        chance = rand(*self._extended_shape(sample_shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + chance * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        inside = (self.low <= value).type_as(self.low) * (self.high > value).type_as(self.low)
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()
