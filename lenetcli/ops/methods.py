"""How an op's function becomes a Tensor method: `@method` above it; `@method(in_place=True)` adds the `name_` form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from lenetcli.autograd.inplace import assign, rearrange

F = TypeVar("F", bound=Callable[..., Any])

METHODS: dict[str, Callable[..., Any]] = {}


@overload
def method(function: F) -> F: ...
@overload
def method(*, in_place: bool = False, rearranges: bool = False, aliases: tuple[str, ...] = ()) -> Callable[[F], F]: ...
def method(
    function: F | None = None, *, in_place: bool = False, rearranges: bool = False, aliases: tuple[str, ...] = ()
) -> Any:
    """Marks a function whose first argument is a tensor as Tensor method of the same name (and `aliases`).

    Args:
        in_place: there is a `name_` form, which writes the result into the tensor's memory.
        rearranges: there is a `name_` form, which gives the tensor another shape over the same memory (`t_`).
    """

    def register(f: F) -> F:
        for name in (f.__name__, *aliases):
            METHODS[name] = f
            if in_place:
                METHODS[name + "_"] = _in_place(f, name)
            elif rearranges:
                METHODS[name + "_"] = _rearranging(f, name)
        return f

    return register if function is None else register(function)


def _in_place(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        return assign(self, function, *args, **kwargs)

    change.__name__ = change.__qualname__ = name + "_"
    change.__module__ = function.__module__
    change.__doc__ = f"In-place version of `{name}`: the tensor's memory takes the result."
    return change


def _rearranging(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        return rearrange(self, function, *args, **kwargs)

    change.__name__ = change.__qualname__ = name + "_"
    change.__module__ = function.__module__
    change.__doc__ = f"In-place version of `{name}`: the tensor itself takes the new shape over the same memory."
    return change
