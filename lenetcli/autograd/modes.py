"""Switches of the tape, one set per thread: gradient recording, anomaly detection, fusion, observers, a tracer."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, Protocol, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class Tracer(Protocol):
    """What is told of calls that ops alone do not tell of: functions taken whole, and changes in place."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Runs a function that is marked `whole`."""

    def assigns(self, target: Any, result: Any) -> None:
        """Hears that `target` is to hold `result`, just before that is written into its memory."""


class _Switches(threading.local):
    """State of the current thread; a new thread starts with these values.

    Args:
        tracer: hears of calls of whole functions and of changes in place, where a trace is made.
        scopes: the modules being called, outermost first, as (root module, calling module); a node keeps its tuple.
        whole: a chain of layers is being computed that may be recorded as a whole: those inside it are not.
        walking: backward is under way.
        waiting: references to tensors that have no values yet, see `autograd.pending`.
    """

    grad: bool = True
    anomaly: bool = False
    fusion: bool = True
    whole: bool = False
    walking: bool = False
    observers: tuple[Callable[..., None], ...] = ()
    tracer: Tracer | None = None

    def __init__(self) -> None:
        self.scopes: list[tuple[Any, Any]] = []
        self.waiting: list[Any] = []


switches = _Switches()


class _Setting:
    """Sets one switch inside a `with` block or, as a decorator, inside a function; restores it after."""

    switch: ClassVar[str]

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self._before = getattr(switches, self.switch)
        setattr(switches, self.switch, self.mode)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        setattr(switches, self.switch, self._before)

    def __call__(self, function: F) -> F:
        if inspect.isclass(function):
            warnings.warn(
                f"{type(self).__name__} above a class holds while an instance is made only, and the class's name then "
                "stands for a function. Decorate its methods instead, or __init__ alone.",
                FutureWarning,
                stacklevel=2,
            )
        if inspect.isgeneratorfunction(function):
            return cast(F, _generating(self._again, function))

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return cast(F, wrapper if inspect.isclass(function) else functools.wraps(function)(wrapper))

    def _again(self) -> _Setting:
        """A fresh setting with the same mode, so that decorated functions may call themselves."""
        other = object.__new__(type(self))
        other.mode = self.mode
        return other


def _generating(setting: Callable[[], _Setting], function: Callable[..., Any]) -> Callable[..., Any]:
    """A generator function whose body runs inside the setting; its caller, between two values, does not."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume, value = generator.send, None
        while True:
            try:
                with setting():
                    result = resume(value)
            except StopIteration as end:
                return end.value
            finally:
                value = None  # an error thrown in knows this frame: it must not know the error
            try:
                resume, value = generator.send, (yield result)
            except GeneratorExit:
                with setting():
                    generator.close()
                raise
            except BaseException as error:
                resume, value = generator.throw, error

    return wrapper


class _Switch(_Setting):
    """A setting that holds as soon as it is made, with or without a `with` block."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._before = getattr(switches, self.switch)
        setattr(switches, self.switch, self.mode)

    def __enter__(self) -> None:
        setattr(switches, self.switch, self.mode)  # __init__ has kept what was set before

    def __call__(self, function: F) -> F:
        setattr(switches, self.switch, self._before)  # a decorator: only inside the function
        return super().__call__(function)

    def _again(self) -> _Setting:
        return type(self)(self.mode)


class _BareDecorator(_Setting):
    """A setting without arguments: `@no_grad` decorates as `@no_grad()` does."""

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)


class no_grad(_BareDecorator):
    """Stops recording: results inside have `requires_grad=False`. Works as `with` block and as decorator.

    Source: torch.no_grad.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.ones(2, requires_grad=True)
        >>> with lenet.no_grad():
        ...     y = w * 2
        >>> y.requires_grad
        False
    """

    switch = "grad"

    def __init__(self) -> None:
        super().__init__(False)


class inference_mode(_Setting):
    """As `no_grad`, which it is here: tensors made inside may be used outside in any way.

    Args:
        mode: False does nothing.

    Source: torch.inference_mode.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.ones(2, requires_grad=True)
        >>> with lenet.inference_mode():
        ...     y = w * 2
        >>> y.requires_grad
        False
    """

    switch = "grad"

    def __new__(cls, mode: Any = True) -> Any:
        return super().__new__(cls) if isinstance(mode, bool) else cls()(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)

    def __enter__(self) -> None:
        recorded = self.mode
        self.mode = recorded and switches.grad  # mode=False changes nothing
        super().__enter__()
        self.mode = recorded


class enable_grad(_BareDecorator):
    """Records again inside a `no_grad` block.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.ones(2, requires_grad=True)
        >>> with lenet.no_grad(), lenet.enable_grad():
        ...     y = w * 2
        >>> y.requires_grad
        True
    """

    switch = "grad"

    def __init__(self) -> None:
        super().__init__(True)


class set_grad_enabled(_Switch):
    """Turns recording on or off, at once and for good, or only inside a `with` block or a decorated function.

    Args:
        mode: True records, False does not.

    Example:
        >>> import lenetcli as lenet
        >>> with lenet.set_grad_enabled(False):
        ...     lenet.is_grad_enabled()
        False
    """

    switch = "grad"


class set_detect_anomaly(_Switch):
    """Turns anomaly detection on or off; see `detect_anomaly`."""

    switch = "anomaly"


class detect_anomaly(_Setting):
    """Raises at the first op whose result, forward or backward, holds NaN or infinity, naming op and module.

    torch checks the backward pass for NaN only; here both passes are checked, for NaN and infinity.

    Example:
        >>> import lenetcli as lenet
        >>> with lenet.autograd.detect_anomaly():
        ...     lenet.zeros(1).log()
        Traceback (most recent call last):
            ...
        lenetcli.errors.AnomalyError: Log returned inf or NaN in its forward pass: 1 of 1 values, first at index (0,)
    """

    switch = "anomaly"

    def __init__(self) -> None:
        super().__init__(True)


class fusion(_Setting):
    """Allows (default) or forbids to run several ops as one inside a `with` block, forward and backward.

    Forward comes to the bits of single ops, backward equals theirs to rounding.
    """

    switch = "fusion"


@contextmanager
def watch(observer: Callable[..., None]) -> Iterator[None]:
    """Calls `observer(node, operands, parameters, results)` after every op inside the block, recorded or not.

    Args:
        observer: takes the op's node, its operands (tensors, numbers or None), its parameters by name and the list of
            its results.

    Example:
        >>> import lenetcli as lenet
        >>> with lenet.autograd.watch(lambda node, operands, parameters, results: print(node.name(), results[0].shape)):
        ...     y = lenet.ones(2).exp()
        ExpBackward torch.Size([2])
    """
    before = switches.observers
    switches.observers = (*before, observer)
    try:
        yield
    finally:
        switches.observers = before


def whole(function: F) -> F:
    """Marks a function whose call a trace takes as one step.

    Such are those that read values which none of their ops takes as an operand, an index or a mask, and those whose ops
    say less than their arguments.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.autograd.modes import whole
        >>> @whole
        ... def double(x):
        ...     return x + x
        >>> double(lenet.ones(1))
        tensor([2.])
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        tracer = switches.tracer
        return function(*args, **kwargs) if tracer is None else tracer.call(function, args, kwargs)

    return cast(F, call)


def is_grad_enabled() -> bool:
    """True while operations on tensors that require gradients are recorded.

    Source: torch.is_grad_enabled.

    Example:
        >>> import lenetcli as lenet
        >>> with lenet.no_grad():
        ...     lenet.is_grad_enabled()
        False
    """
    return switches.grad
