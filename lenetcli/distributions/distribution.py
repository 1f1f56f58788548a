"""What all distributions have in common: shapes, checks of parameters and values, drawing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from lenetcli.autograd.dtypes import get_default_dtype
from lenetcli.autograd.modes import no_grad
from lenetcli.distributions.constraints import Constraint
from lenetcli.ops.shaping.expand import broadcast_tensors
from lenetcli.tensors.creation import tensor
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor

D = TypeVar("D", bound="Distribution")
Shape = Sequence[int]
Number = float | Tensor


class Distribution:
    """Base of the distributions: batches of them, each over numbers or over events of a shape.

    Args:
        batch_shape: of the distributions.
        event_shape: of one thing drawn.
        validate_args: check parameters and values; True unless `set_default_validate_args` says otherwise.

    Raises:
        ValueError: a parameter outside its range.

    Source: torch.distributions.Distribution.
    """

    has_rsample: ClassVar[bool] = False
    has_enumerate_support: ClassVar[bool] = False
    _validate_args: bool = True

    def __init__(self, batch_shape: Shape = (), event_shape: Shape = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        for name, constraint in self.arg_constraints.items():
            value = self.__dict__.get(name)
            if value is None or bool(constraint.check(value).all()):
                continue
            raise ValueError(
                f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
            )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check what they are given unless told."""
        Distribution._validate_args = bool(value)

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """What each parameter has to satisfy."""
        raise NotImplementedError

    @property
    def support(self) -> Constraint:
        """What can be drawn."""
        raise NotImplementedError

    @property
    def batch_shape(self) -> Size:
        """Shape of the distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """Shape of one thing drawn."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return self.variance.sqrt()

    def expand(self: D, batch_shape: Shape) -> D:
        """The same distributions in a larger batch, without copies."""
        raise NotImplementedError

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Draws, without a gradient: (*sample_shape, *batch_shape, *event_shape)."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        """Draws so that gradients reach the parameters.

        Raises:
            NotImplementedError: no such way is known for this distribution.
        """
        raise NotImplementedError(f"{type(self).__name__}: rsample is not there; use sample() and log_prob()")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of probability or density at a value."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of what is at most a value."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The value that `cdf` gives this probability."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The expected value of -log_prob."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """exp(entropy)."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, of a discrete distribution."""
        raise NotImplementedError

    def _extended_shape(self, sample_shape: Shape = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, wanted = value.shape, Size((*self._batch_shape, *self._event_shape))
        events = len(self._event_shape)
        if tuple(shape[len(shape) - events :] if events else ()) != tuple(self._event_shape):
            raise ValueError(f"The right-most size of value must match event_shape: {shape} vs {self._event_shape}.")
        if any(a not in (1, b) and b != 1 for a, b in zip(reversed(shape), reversed(wanted))):
            raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {wanted}.")
        if not bool(self.support.check(value).all()):
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(shape)}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def _like(self: D, batch_shape: Shape, **parameters: Any) -> D:
        """The same kind of distribution with other parameters, which are known to be good."""
        made: D = type(self)(**parameters, validate_args=False)
        made._validate_args = self._validate_args
        made._batch_shape = Size(batch_shape)
        return made

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__]
        found = [(name, self.__dict__[name]) for name in names]
        shown = [f"{name}: {value if value.numel() == 1 else value.shape}" for name, value in found]
        return f"{type(self).__name__}({', '.join(shown)})"


def together(*values: Number) -> tuple[Tensor, ...]:
    """Parameters as tensors of one shape; numbers in the type of the tensors beside them.

    Raises:
        ValueError: neither numbers nor tensors.
    """
    if not all(isinstance(v, (Tensor, int, float, np.number)) for v in values):
        kinds = ", ".join(type(v).__name__ for v in values)
        raise ValueError(f"Input arguments must all be instances of Number or torch.Tensor, got {kinds}.")
    kind = next((v.dtype for v in values if isinstance(v, Tensor)), get_default_dtype())
    made = [v if isinstance(v, Tensor) else tensor(float(v), dtype=kind) for v in values]
    return tuple(broadcast_tensors(*made))


class _Lazily:
    """An attribute that is computed when it is first read, with a gradient, and kept."""

    def __init__(self, compute: Callable[[Any], Tensor]) -> None:
        self.compute, self.__doc__ = compute, compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.compute(instance)
        return value


def lazily(compute: Callable[[Any], Tensor]) -> Any:  # so that a type checker lets the attribute be set
    """Makes a method an attribute that is computed when it is first read, unless it was set."""
    return _Lazily(compute)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Logarithms of probabilities, or of their odds, kept finite as torch does."""
    eps = float(np.finfo(probs.array.dtype).eps)
    held = probs.clamp(min=eps, max=1 - eps)
    return held.log() - (-held).log1p() if is_binary else held.log()


def either(probs: Any, logits: Any) -> None:
    """Refuses both and neither."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
