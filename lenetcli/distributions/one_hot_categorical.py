"""The categorical distribution over unit vectors."""

from __future__ import annotations

from typing import ClassVar

from lenetcli.distributions import constraints
from lenetcli.distributions.categorical import Categorical
from lenetcli.distributions.constraints import Constraint
from lenetcli.distributions.distribution import Distribution, Shape
from lenetcli.ops.nn.embedding import one_hot
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor


class OneHotCategorical(Distribution):
    """A one in the place of a class, zeros elsewhere; see Categorical.

    Args:
        probs: probabilities, or numbers that are made probabilities by dividing by their sum.
        logits: their logarithms up to a constant; one of the two is wanted.
        validate_args: check parameters and values.

    Raises:
        ValueError: as for Categorical.

    Source: torch.distributions.OneHotCategorical.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.distributions import OneHotCategorical
        >>> OneHotCategorical(lenet.tensor([1.0, 3.0])).log_prob(lenet.tensor([0.0, 1.0])).exp()
        tensor(0.7500)
    """

    has_enumerate_support: ClassVar[bool] = True

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {"probs": constraints.simplex, "logits": constraints.real_vector}

    @property
    def support(self) -> Constraint:
        return constraints.one_hot

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter that was given."""
        return self._categorical.param_shape

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return one_hot(self.probs.argmax(-1), self.event_shape[0]).to(self.probs.dtype)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def expand(self, batch_shape: Shape) -> OneHotCategorical:
        made = object.__new__(type(self))
        made._categorical = self._categorical.expand(batch_shape)
        Distribution.__init__(made, batch_shape, self._event_shape, validate_args=False)
        made._validate_args = self._validate_args
        return made

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        return one_hot(self._categorical.sample(sample_shape), self.event_shape[0]).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return one_hot(self._categorical.enumerate_support(expand), self.event_shape[0]).to(self.probs.dtype)
