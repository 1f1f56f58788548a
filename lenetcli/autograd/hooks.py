"""What a hook gives back in place of gradients: as many tensors, of the same shapes and types.

A gradient of another shape or type would go on to be added, broadcast or cast into a wrong number somewhere below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lenetcli.autograd.tape import Array, Variable

Hook = Callable[..., Any]


def replacement(hook: Hook, given: Array | None, returned: Any) -> Array | None:
    """The array of what a hook returned in place of one gradient; see `replaced`."""
    result = _checked(hook, given, returned)
    return None if result is None else result.array


def replacements(hook: Hook, given: Sequence[Array | None], returned: Any) -> list[Array | None]:
    """The arrays of what a hook returned in place of several gradients; see `replaced_all`."""
    _counted(hook, given, returned)
    return [replacement(hook, g, r) for g, r in zip(given, returned)]


def replaced(hook: Hook, given: Variable | None, returned: Any) -> Variable | None:
    """What a hook returned in place of one gradient.

    Raises:
        TypeError: it is no tensor.
        RuntimeError: it has another shape or type than the gradient, or there was none.
    """
    return _checked(hook, None if given is None else given.array, returned)


def replaced_all(hook: Hook, given: Sequence[Variable | None], returned: Any) -> list[Variable | None]:
    """What a hook returned in place of several gradients.

    Raises:
        TypeError: it is no tuple of tensors.
        RuntimeError: another number of them, or other shapes or types.
    """
    _counted(hook, given, returned)
    return [replaced(hook, g, r) for g, r in zip(given, returned)]


def _checked(hook: Hook, given: Array | None, returned: Any) -> Variable | None:
    if returned is None:
        return None
    name = getattr(hook, "__name__", type(hook).__name__)
    if not isinstance(returned, Variable):
        raise TypeError(f"expected Variable, but hook returned {type(returned).__name__!r}")
    array = returned.array
    if given is None:
        raise RuntimeError(f"hook {name!r} has replaced a gradient that is None, with shape {list(array.shape)}")
    if array.dtype != given.dtype:
        raise RuntimeError(f"hook {name!r} has changed the type of value (was {given.dtype} got {array.dtype})")
    if array.shape != given.shape:
        raise RuntimeError(
            f"hook {name!r} has changed the size of value (was {list(given.shape)} got {list(array.shape)})"
        )
    return returned


def _counted(hook: Hook, given: Sequence[Any], returned: Any) -> None:
    if not isinstance(returned, tuple):
        raise TypeError(f"expected tuple, but hook returned {type(returned).__name__!r}")
    if len(returned) != len(given):
        name = getattr(hook, "__name__", type(hook).__name__)
        raise RuntimeError(
            f"hook {name!r} has returned an incorrect number of values (got {len(returned)}, but expected {len(given)})"
        )
