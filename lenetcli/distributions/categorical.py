"""The categorical distribution: one of several classes."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.distributions import constraints
from lenetcli.distributions.constraints import Constraint
from lenetcli.distributions.distribution import Distribution, Shape, either, lazily, probs_to_logits
from lenetcli.ops.nn.softmax import softmax
from lenetcli.ops.shaping.expand import broadcast_tensors
from lenetcli.tensors.creation import full
from lenetcli.tensors.ranges import arange
from lenetcli.tensors.sampling import multinomial
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor


class Categorical(Distribution):
    """Class indices, at probabilities along the last dimension.

    Args:
        probs: probabilities, or numbers that are made probabilities by dividing by their sum.
        logits: their logarithms up to a constant; one of the two is wanted.
        validate_args: check parameters and values.

    Raises:
        ValueError: both, neither, a number instead of a vector, or probabilities below 0.

    Source: torch.distributions.Categorical.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.distributions import Categorical
        >>> Categorical(lenet.tensor([1.0, 3.0])).log_prob(lenet.tensor(1)).exp()
        tensor(0.7500)
    """

    has_enumerate_support: ClassVar[bool] = True

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        either(probs, logits)
        for name, given in (("probs", probs), ("logits", logits)):
            if given is not None and given.ndim < 1:
                raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self.probs = self._param = probs / probs.sum(-1, keepdim=True)
        elif logits is not None:
            self.logits = self._param = logits - logits.logsumexp(-1, keepdim=True)
        self._num_events = self._param.shape[-1]
        super().__init__(self._param.shape[:-1], validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        return {"probs": constraints.simplex, "logits": constraints.real_vector}

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self._num_events - 1)

    @lazily
    def logits(self) -> Tensor:
        """Logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazily
    def probs(self) -> Tensor:
        """The probabilities."""
        return softmax(self.logits, -1)

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter that was given."""
        return self._param.shape

    @property
    def mean(self) -> Tensor:
        return full(self._extended_shape(), math.nan, dtype=self._param.dtype, device=self._param.device)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        return self.mean

    def expand(self, batch_shape: Shape) -> Categorical:
        shape = Size((*batch_shape, self._num_events))
        made = object.__new__(type(self))  # what is normalised stays as it is
        for name in ("probs", "logits"):
            if name in self.__dict__:
                made.__dict__[name] = self.__dict__[name].expand(shape)
        made._param = made.__dict__["probs" if "probs" in made.__dict__ else "logits"]
        made._num_events = self._num_events
        Distribution.__init__(made, batch_shape, validate_args=False)
        made._validate_args = self._validate_args
        return made

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        rows = self.probs.detach().reshape(-1, self._num_events)
        with no_grad():
            drawn = multinomial(rows, math.prod(sample_shape), True).T
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        classes, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, classes[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        least = float(np.finfo(self.logits.array.dtype).min)
        return -(self.logits.clamp(min=least) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = arange(self._num_events, device=self._param.device).view(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values
