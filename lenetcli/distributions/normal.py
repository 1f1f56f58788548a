"""The normal distribution."""

from __future__ import annotations

import math
from typing import ClassVar

from lenetcli.autograd.modes import no_grad
from lenetcli.distributions import constraints
from lenetcli.distributions.constraints import Constraint
from lenetcli.distributions.distribution import Distribution, Number, Shape, together
from lenetcli.ops.pointwise.sinc import erfinv
from lenetcli.tensors.sampling import normal, randn
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor


class Normal(Distribution):
    """The normal distribution.

    Formula:
        density exp(-(x - loc)^2 / (2 scale^2)) / (scale sqrt(2 pi))

    Args:
        loc: mean.
        scale: standard deviation, above 0.
        validate_args: check parameters and values.

    Raises:
        ValueError: a scale that is not positive.

    Source: torch.distributions.Normal.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.distributions import Normal
        >>> Normal(0.0, 1.0).log_prob(lenet.tensor(1.0))
        tensor(-1.4189)
    """

    has_rsample: ClassVar[bool] = True

    def __init__(self, loc: Number, scale: Number, validate_args: bool | None = None) -> None:
        self.loc, self.scale = together(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {"loc": constraints.real, "scale": constraints.positive}

    @property
    def support(self) -> Constraint:
        return constraints.real

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale.pow(2)

    def expand(self, batch_shape: Shape) -> Normal:
        shape = Size(batch_shape)
        return self._like(shape, loc=self.loc.expand(shape), scale=self.scale.expand(shape))

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return normal(self.loc.expand(shape), self.scale.expand(shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = randn(*self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        squares: Tensor = -((value - self.loc) ** 2) / (2 * self.scale**2)
        return squares - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return 0.5 * (1 + ((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)).erf())

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()
