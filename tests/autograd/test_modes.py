"""Recording switched on and off: as block, call and decorator of functions and generators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lenetcli as lenet

# (name, decorator of a package, what recording is inside)
DECORATORS: list[tuple[str, Callable[[Any], Any], bool]] = [
    ("no_grad()", lambda package: package.no_grad(), False),
    ("no_grad", lambda package: package.no_grad, False),
    ("enable_grad()", lambda package: package.enable_grad(), True),
    ("enable_grad", lambda package: package.enable_grad, True),
    ("set_grad_enabled(False)", lambda package: package.set_grad_enabled(False), False),
    ("set_grad_enabled(True)", lambda package: package.set_grad_enabled(True), True),
]
each_decorator = pytest.mark.parametrize(
    ("decorator", "inside"), [d[1:] for d in DECORATORS], ids=[d[0] for d in DECORATORS]
)
each_mode = pytest.mark.parametrize("outside", [True, False], ids=["recording", "not recording"])


def story(package: Any, decorator: Callable[[Any], Any], outside: bool) -> list[Any]:
    """What recording is, and what a generator is told, at every turn of a decorated generator's life."""
    seen: list[Any] = []
    on = package.is_grad_enabled

    def body(count: int) -> Iterator[Any]:
        seen.append(("started", on()))
        try:
            for i in range(count):
                try:
                    got = yield i
                    seen.append(("sent", got, on()))
                except KeyError as error:
                    seen.append(("thrown", repr(error), on()))
                    yield "caught"
        finally:
            seen.append(("ended", on()))
        return "returned"

    with package.set_grad_enabled(outside):
        make = decorator(package)(body)
        seen.append(("decorated", on(), make.__name__))
        generator = make(3)
        seen += [next(generator), on(), generator.send("hello"), on(), generator.throw(KeyError("k")), on()]
        try:
            while True:
                seen += [next(generator), on()]
        except StopIteration as end:
            seen += [end.value, on()]
        closed = make(3)
        seen += [next(closed), closed.close(), on()]
        make(1).close()  # which never started
        failing = make(2)
        next(failing)
        try:
            failing.throw(ValueError("v"))
        except ValueError as error:
            seen += [repr(error), on()]
        changing = make(2)
        next(changing)
        with package.set_grad_enabled(not outside):
            seen += [next(changing), on()]
        seen += list(decorator(package)(lambda: (yield from make(2)))())
        seen.append(on())
    return seen


@each_decorator
@each_mode
def test_a_decorated_generator_runs_inside_and_its_caller_outside(
    decorator: Callable[[Any], Any], inside: bool, outside: bool
) -> None:
    seen = story(lenet, decorator, outside)
    assert seen[0] == ("decorated", outside, "body")
    assert {entry[-1] for entry in seen[1:] if isinstance(entry, tuple)} == {inside}
    assert [entry[1:2] for entry in seen if isinstance(entry, tuple) and entry[0] == "thrown"] == [("KeyError('k')",)]
    assert "returned" in seen
    assert {entry for entry in seen if isinstance(entry, bool)} == {outside, not outside}  # one in the other block
    assert [entry for entry in seen if isinstance(entry, bool)].count(not outside) == 1
    assert lenet.is_grad_enabled()


@each_decorator
@each_mode
def test_a_decorated_generator_does_what_it_does_in_torch(
    torch: Any, decorator: Callable[[Any], Any], inside: bool, outside: bool
) -> None:
    assert story(lenet, decorator, outside) == story(torch, decorator, outside)


@each_decorator
@each_mode
def test_a_decorated_function_runs_inside_and_leaves_the_mode_as_it_was(
    decorator: Callable[[Any], Any], inside: bool, outside: bool
) -> None:
    with lenet.set_grad_enabled(outside):

        @decorator(lenet)
        def function(depth: int, fail: bool = False) -> list[bool]:
            if fail:
                raise ValueError("inside")
            return [lenet.is_grad_enabled(), *(function(depth - 1) if depth else ())]

        assert lenet.is_grad_enabled() == outside
        assert function(2) == [inside] * 3
        assert lenet.is_grad_enabled() == outside
        with pytest.raises(ValueError, match="inside"):
            function(0, fail=True)
        assert lenet.is_grad_enabled() == outside
    assert lenet.is_grad_enabled()


@each_decorator
def test_above_a_class_it_warns_and_holds_while_an_instance_is_made(
    decorator: Callable[[Any], Any], inside: bool
) -> None:
    class Thing:
        def __init__(self) -> None:
            self.made = lenet.is_grad_enabled()

    with pytest.warns(FutureWarning, match="Decorate its methods"):
        make = decorator(lenet)(Thing)
    assert make().made == inside
