"""A clock around the work of every op, fused ones too: what a step spends where, while it runs as it always does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lenetcli.autograd.function import Function
from lenetcli.autograd.op import Op
from lenetcli.autograd.pending import Pending
from lenetcli.autograd.tape import Node
from lenetcli.ops.fusion import PATTERNS

Note = Callable[[Node, str, bool, float], None]


@contextmanager
def clocked(note: Note) -> Iterator[None]:
    """Calls `note(node, name, forward, seconds)` after the forward and after the backward of every op inside the block.

    An observer would switch fusion off, and hooks see modules only; so the static methods of each op's class are
    replaced for the time of the block. Ops that others call inside are part of those; ops of families that are imported
    only inside the block are not seen.

    Args:
        note: takes the op's node and name, whether this was its forward, and the time in seconds. Where several ops
            run as one (`ops.fusion`), it is told the node of the first of them, and the name of all.
    """
    replaced = [(cls, name, vars(cls)[name]) for cls in _ops(Op, Function) for name in _METHODS if name in vars(cls)]
    rows: set[type[Any]] = {pattern for pattern in PATTERNS.values() if "forward" in vars(pattern)}
    replaced += [(pattern, "forward", vars(pattern)["forward"]) for pattern in rows]
    inside = False

    def timed(method: Callable[..., Any], forward: bool) -> Callable[..., Any]:
        def work(node: Any, *arguments: Any, **parameters: Any) -> Any:
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
                if type(node) is Pending:  # of the first of several
                    note(node.node, f"{method.__qualname__.partition('.')[0]}Backward", forward, seconds)
                else:
                    note(node, node.name(), forward, seconds)

        return work

    def timed_merge(method: Callable[..., Any]) -> Callable[..., Any]:
        def work(run: Sequence[Node], *grads: Any) -> Any:
            began = time.perf_counter()
            merged = method(run, *grads)
            if merged is not None:
                last = run[merged[0] - 1]
                note(last, last.name(), False, time.perf_counter() - began)
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
