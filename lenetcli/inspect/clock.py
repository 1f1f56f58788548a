"""A clock around the work of every op, fused ones too: what a step spends where, while it runs as it always does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lenetcli.autograd.function import Function
from lenetcli.autograd.node import Node
from lenetcli.autograd.op import Op

Note = Callable[[Node, bool, float], None]


@contextmanager
def clocked(note: Note) -> Iterator[None]:
    """Calls `note(node, forward, seconds)` after the forward and after the backward of every op inside the block.

    Those are the ops whose modules are imported when it begins: a step before it sees to that.

    An observer would switch fusion off, and hooks see modules only; so the two static methods of each op's class are
    replaced for the time of the block. Ops that others call inside are part of those. Nodes whose backward would run
    together (`Node.merge`) run one by one meanwhile, so that each has its time.

    Args:
        note: takes the op's node, whether this was its forward, and the time in seconds.
    """
    classes = list(_ops(Op, Function))
    replaced = [(cls, name, vars(cls)[name]) for cls in classes for name in (*_METHODS, "merge") if name in vars(cls)]
    inside = False

    def timed(method: Callable[..., Any], forward: bool) -> Callable[..., Any]:
        def work(node: Node, *arguments: Any, **parameters: Any) -> Any:
            nonlocal inside
            if inside:
                return method(node, *arguments, **parameters)
            inside = True
            began = time.perf_counter()
            try:
                return method(node, *arguments, **parameters)
            finally:
                seconds = time.perf_counter() - began
                inside = False
                note(node, forward, seconds)

        return work

    try:
        for cls, name, _ in replaced:
            method = getattr(cls, name)
            setattr(cls, name, None if name == "merge" else staticmethod(timed(method, name == "forward")))
        yield
    finally:
        for cls, name, method in replaced:
            setattr(cls, name, method)


_METHODS = ("forward", "backward")


def _ops(*classes: type[Node]) -> Iterator[type[Node]]:
    """The classes below, each once."""
    seen: set[type[Node]] = set()
    stack = list(classes)
    while stack:
        for cls in stack.pop().__subclasses__():
            if cls not in seen:
                seen.add(cls)
                stack.append(cls)
                yield cls
