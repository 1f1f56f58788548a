"""Random numbers: one seeded generator by default, and as many separate ones as a program wants."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

# A run's seed begins several streams that do not depend on each other: more layers leave the order of samples as it is.
# Initial weights take the stream of the seed itself, as `manual_seed` gives it; the others have a number beside it.
SHUFFLE, DROPOUT, HOLDOUT, AUGMENTATION, SAMPLES, EVALUATION = 1, 2, 3, 4, 5, 6


def stream(seed: int, number: int, *more: int) -> np.random.Philox:
    """One of a seed's streams, from its start; `more` numbers (an epoch, a sample) give it substreams."""
    return np.random.Philox(np.random.SeedSequence((seed % 2**64, number, *more)))


class Generator:
    """A stream of random numbers whose state can be read and set, so that a run can be repeated or resumed exactly.

    Same seed, same numbers, on every machine (normal ones to rounding: they use the platform's logarithm). They are not
    torch's numbers.

    Example:
        >>> from lenetcli.autograd.random import Generator
        >>> a, b = Generator().manual_seed(1), Generator().manual_seed(1)
        >>> bool((a.numpy.random(3) == b.numpy.random(3)).all())
        True
    """

    def __init__(self, device: str = "cpu") -> None:
        if str(device) != "cpu":
            raise NotImplementedError(f"Generator: device must be 'cpu', got {device!r}")
        self.manual_seed(0)

    numpy: np.random.Generator

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream that belongs to `seed`, an integer (negative ones count from 2**64 down, as in torch)."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"manual_seed: wanted an integer, got {type(seed).__name__}: {seed!r}")
        self._seed = int(seed) % 2**64
        self.numpy = np.random.Generator(np.random.Philox(self._seed))
        return self

    def begin(self, seed: int, number: int) -> Generator:
        """Starts one of a seed's other streams, such as DROPOUT."""
        self.manual_seed(seed)
        self.numpy = np.random.Generator(stream(self._seed, number))
        return self

    def fresh(self) -> Generator:
        """A new generator of the same kind."""
        return Generator()

    def initial_seed(self) -> int:
        """The seed the stream began with."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """The stream's position as plain data (JSON can hold it)."""
        return {"seed": self._seed, "philox": _plain(self.numpy.bit_generator.state)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes back to a position that `get_state` gave.

        Raises:
            ValueError: something else; the stream stays where it is.
        """
        try:
            seed, philox = state["seed"], state["philox"]
            counters, buffer = philox["state"], philox["buffer"]
            numbers = [seed, *counters["counter"], *counters["key"], *buffer]
            limits = {"buffer_pos": 4, "has_uint32": 1, "uinteger": 2**32 - 1}  # NumPy trusts them
            sound = (
                (len(counters["counter"]), len(counters["key"]), len(buffer)) == (4, 2, 4)
                and all(type(n) is int and 0 <= n < 2**64 for n in numbers)
                and all(type(philox[name]) is int and 0 <= philox[name] <= most for name, most in limits.items())
                and philox["bit_generator"] == "Philox"
            )
        except (KeyError, TypeError):
            sound = False
        if not sound:
            raise ValueError("not the state of a random stream, as get_state gives it")
        self.manual_seed(seed)
        self.numpy.bit_generator.state = _with_arrays(philox)


class Substream(Generator):
    """One of a seed's streams, such as the one of a batch: made only where somebody draws from it."""

    def __init__(self, seed: int, number: int, *more: int) -> None:
        self._seed, self._numbers = seed % 2**64, (number, *more)

    def __getattr__(self, name: str) -> Any:
        if name != "numpy":
            raise AttributeError(name)
        self.numpy = np.random.Generator(stream(self._seed, *self._numbers))
        return self.numpy


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _with_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _with_arrays(v) for k, v in value.items()}
    return np.asarray(value, dtype=np.uint64) if isinstance(value, list) else value


class _Thread(threading.local):
    """The default generator of the current thread: the process's, but where `drawing_from` gives another."""

    generator: Generator = Generator()


_thread = _Thread()


def default_generator() -> Generator:
    """What draws where no generator is named."""
    return _thread.generator


def set_default_generator(generator: Generator) -> None:
    """From now on, in every thread, this one draws where no generator is named."""
    _Thread.generator = generator


class drawing_from:
    """Within the block, in this thread, the default generator is another one; the process's own stays where it is.

    Trainings draw so, each from a generator of its own: they neither seed the program's nor depend on what it draws,
    and several threads may train at once.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.autograd.random import Generator, drawing_from
        >>> before = lenet.get_rng_state()
        >>> with drawing_from(Generator().manual_seed(1)):
        ...     a = lenet.rand(2)
        >>> lenet.get_rng_state() == before
        True
    """

    __slots__ = "before", "generator"

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    def __enter__(self) -> Generator:
        self.before, _thread.generator = _thread.generator, self.generator
        return self.generator

    def __exit__(self, *_: object) -> None:
        _thread.generator = self.before


def draws_from(generator_of: Callable[..., Generator]) -> Callable[[F], F]:
    """Decorates a function that draws from the generator which `generator_of` gives for its arguments.

    A generator function draws so while it makes an item; between two items its reader has the default generator of
    before.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with drawing_from(generator_of(*args, **kwargs)):
                return function(*args, **kwargs)

        @functools.wraps(function)
        def items(*args: Any, **kwargs: Any) -> Iterator[Any]:
            generator, made = generator_of(*args, **kwargs), function(*args, **kwargs)
            try:
                while True:
                    with drawing_from(generator):
                        try:
                            item = next(made)
                        except StopIteration:
                            return
                    yield item
            finally:
                made.close()

        return cast(F, items if inspect.isgeneratorfunction(function) else call)

    return decorate


def manual_seed(seed: int) -> Generator:
    """Seeds the default generator and returns it.

    Example:
        >>> import lenetcli as lenet
        >>> _ = lenet.manual_seed(0)
        >>> a = lenet.randn(2)
        >>> _ = lenet.manual_seed(0)
        >>> bool((a == lenet.randn(2)).all())
        True
    """
    return _thread.generator.manual_seed(seed)


def initial_seed() -> int:
    """The seed of the default generator.

    Source: torch.initial_seed.

    Example:
        >>> import lenetcli as lenet
        >>> _ = lenet.manual_seed(7)
        >>> lenet.initial_seed()
        7
    """
    return _thread.generator.initial_seed()


def get_rng_state() -> dict[str, Any]:
    """The state of the default generator (a dictionary, where torch has a byte tensor).

    Example:
        >>> import lenetcli as lenet
        >>> state = lenet.get_rng_state()
        >>> a = lenet.randn(2)
        >>> lenet.set_rng_state(state)
        >>> lenet.equal(a, lenet.randn(2))
        True
    """
    return _thread.generator.get_state()


def set_rng_state(state: dict[str, Any]) -> None:
    """Sets the state of the default generator to what `get_rng_state` gave.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.set_rng_state(lenet.get_rng_state())
    """
    _thread.generator.set_state(state)


def numpy_generator(generator: Generator | None) -> np.random.Generator:
    """NumPy's generator behind a `generator` argument; None means the default one."""
    return (generator or _thread.generator).numpy
