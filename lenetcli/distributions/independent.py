"""Dimensions of a batch counted as dimensions of an event."""

from __future__ import annotations

from typing import Any

from lenetcli.distributions import constraints
from lenetcli.distributions.constraints import Constraint
from lenetcli.distributions.distribution import Distribution, Shape
from lenetcli.tensors.tensor import Tensor


class Independent(Distribution):
    """A distribution whose last batch dimensions are one event: `log_prob` and `entropy` are summed over them.

    Args:
        base_distribution: of each element.
        reinterpreted_batch_ndims: how many dimensions.
        validate_args: check values.

    Raises:
        ValueError: more dimensions than the batch has.

    Source: torch.distributions.Independent.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.distributions import Independent, Normal
        >>> Independent(Normal(lenet.zeros(2, 3), 1.0), 1).log_prob(lenet.zeros(2, 3)).shape
        torch.Size([2])
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        batch = base_distribution.batch_shape
        if reinterpreted_batch_ndims > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {len(batch)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        cut = len(batch) - reinterpreted_batch_ndims
        super().__init__(batch[:cut], (*batch[cut:], *base_distribution.event_shape), validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {}

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]  # as its base has
        return self.base_dist.has_rsample

    @property
    def support(self) -> Constraint:
        base, dims = self.base_dist.support, self.reinterpreted_batch_ndims
        return constraints.independent(base, dims) if dims else base

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def expand(self, batch_shape: Shape) -> Independent:
        dims = self.reinterpreted_batch_ndims
        base = self.base_dist.expand((*batch_shape, *self.event_shape[:dims]))
        return Independent(base, dims, validate_args=self._validate_args)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return summed(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return summed(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        return self.base_dist.enumerate_support(expand)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"


def summed(value: Any, dims: int) -> Any:
    """Summed over the last dimensions."""
    return value.sum(tuple(range(-dims, 0))) if dims else value
