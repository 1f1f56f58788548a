"""A clock around the work of every op, fused ones too: what a step spends where, while it runs as it always does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lenetcli.autograd.function import Function
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import Node

Note = Callable[[Node, bool, float], None]


@contextmanager
def clocked(note: Note) -> Iterator[None]:
    """Calls `note(node, forward, seconds)` after the forward and after the backward of every op inside the block.

    An observer would switch fusion off, and hooks see modules only; so the static methods of each op's class are
    replaced for the time of the block. Ops that others call inside are part of those; ops of families that are imported
    only inside the block are not seen.

    Args:
        note: takes the op's node, whether this was its forward, and the time in seconds. Where several nodes run
            backward as one (`Node.merge`), it is told the last of them.
    """
    replaced = [(cls, name, vars(cls)[name]) for cls in _ops(Op, Function) for name in _METHODS if name in vars(cls)]
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

    def timed_merge(method: Callable[..., Any]) -> Callable[..., Any]:
        def work(run: Sequence[Node], *grads: Any) -> Any:
            began = time.perf_counter()
            merged = method(run, *grads)
            if merged is not None:
                note(run[merged[0] - 1], False, time.perf_counter() - began)
            return merged

        return work

    try:
        for cls, name, _ in replaced:
            method = getattr(cls, name)
            work = timed_merge(method) if name == "merge" else timed(method, name == "forward")
            setattr(cls, name, staticmethod(work))
        yield
    finally:
        for cls, name, method in replaced:
            setattr(cls, name, method)


_METHODS = ("forward", "backward", "merge")


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
