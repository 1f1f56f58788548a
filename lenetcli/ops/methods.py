"""How an op's function becomes a Tensor method: `@method` above it, `@method(in_place=True)` for the `name_` form too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from lenetcli.autograd.inplace import assign

F = TypeVar("F", bound=Callable[..., Any])

METHODS: dict[str, Callable[..., Any]] = {}


@overload
def method(function: F) -> F: ...
@overload
def method(*, in_place: bool = False, aliases: tuple[str, ...] = ()) -> Callable[[F], F]: ...
def method(function: F | None = None, *, in_place: bool = False, aliases: tuple[str, ...] = ()) -> Any:
    """Marks a function whose first argument is a tensor as Tensor method of the same name (and `aliases`)."""

    def register(f: F) -> F:
        for name in (f.__name__, *aliases):
            METHODS[name] = f
            if in_place:
                METHODS[name + "_"] = _in_place(f, name)
        return f

    return register if function is None else register(function)


def _in_place(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def change(self: Any, *args: Any, **kwargs: Any) -> Any:
        return assign(self, function, *args, **kwargs)

    change.__name__ = change.__qualname__ = name + "_"
    change.__doc__ = f"In-place version of `{name}`: the tensor's memory takes the result."
    return change
