"""A node that stands for many, whose work is done at once.

Nobody sees the difference: as soon as somebody looks below the node (`next_functions`, hooks, what an op saved), it
does the work on the tape, once, and is from then on the node that came out of that. LENET_RECORD=0 leaves all work to
the tape.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lenetcli.autograd.engine import Leaves, leaf_gradients
from lenetcli.autograd.modes import enable_grad, switches
from lenetcli.autograd.tape import NO_EDGE, AccumulateGrad, Array, Edge, Node, Variable, like, next_sequence, wrap

Saved = tuple[str, "list[int]", int]  # a node's name, the version counter of what it saved, the version


class _Use:
    """Whether work may be done at once."""

    on = os.environ.get("LENET_RECORD", "1") != "0"

    @contextmanager
    def off(self) -> Iterator[None]:
        """Leaves all work in the block to the tape."""
        before, self.on = self.on, False
        try:
            yield
        finally:
            self.on = before


use = _Use()


class Composite(Node):
    """Work on the tape, of one input and one output.

    Args:
        title: the name of the tape's last node.
        work: does the work on the tape, with its input.
        source: the input.
        backward: gives gradients, one an edge, of the output's; None where that is left to the tape.
        edges: of the input, and of the parameters that learn.
        saved: what a change in place must not touch before backward, in the order in which backward comes to it.
        result: the output.
        scope: the module that does it, where that is not being called.
        read: version counters of all that the work reads, with their values.
    """

    at_once = True

    def __init__(
        self,
        title: str,
        work: Callable[[Any], Any],
        source: Variable,
        backward: Callable[[Composite, Array], Sequence[Array | None] | None],
        edges: tuple[Edge, ...],
        saved: Sequence[Saved],
        result: Variable,
        scope: tuple[Any, Any] | None = None,
        read: Sequence[tuple[list[int], int]] = (),
    ) -> None:
        self.title, self.work, self.backward, self.edges, self.saved_versions = title, work, backward, edges, saved
        self.read = read
        self.source: Variable | None = _as_now(source, edges[0])
        self.layout = source.array.shape, source.array.strides, source.array.dtype
        self.array = result.array  # backward may read it
        self.sequence = next_sequence()
        self.outputs = ((result.array.shape, result.array.dtype),)
        self.result_class = type(result)
        self.tape: Node | None = None  # the node that this one has become
        self.ran = False  # `backward` may note so that it can run once
        self.scope = scope if scope is not None or not switches.scopes else switches.scopes[-1]
        result._requires_grad, result.grad_fn = True, self

    def name(self) -> str:
        return self.title

    def expand(self, fused: bool = True) -> Node:
        """The node that the tape makes of the work, made now; as backward leaves it, where that has been.

        Args:
            fused: ops in a row as one, as when the work was done; not where all that single ops save will be read.
        """
        if self.tape is not None:
            return self.tape
        freed, last = self.source is None, next_sequence()
        made = self._work(self._stand_in() if self.source is None else self.source, fused).grad_fn
        assert made is not None, "the work has a gradient"
        new = newer(made, last)
        if freed:
            for node in new:
                node.release()
        else:
            self._as_of_then(new)
        if not switches.walking:  # else backward knows its way already, and this is to be looked at only
            for i, node in enumerate(new, 1):  # as if they had been made just before this one
                node.sequence = self.sequence - 1 + i / (len(new) + 1)
            self.tape, self.edges, self.at_once = made, made.edges, False
        return made

    def _stand_in(self) -> Variable:
        """An input like the one that is gone."""
        shape, strides, kind = self.layout
        span = sum((size - 1) * stride for size, stride in zip(shape, strides)) + kind.itemsize
        x: Array = np.ndarray(shape, kind, np.zeros(max(span, 0), np.uint8), 0, strides)
        return _as_now(wrap(self.result_class, x), self.edges[0])

    def _as_of_then(self, new: Sequence[Node]) -> None:
        """Lets nodes that were made now refuse what has been changed in place since the work was done."""
        changed = [(counter, version) for counter, version in self.read if counter[0] != version]
        if not changed:
            return
        then = {id(counter): version for counter, version in changed}
        kept: set[int] = set()
        for node in new:
            pending = getattr(node, "pending", None)
            if pending is not None:
                pending.compute()  # what it saves tells what it has to refuse
            own = getattr(node, "versions", ())
            kept |= {id(counter) for counter, _ in own}
            node.versions = tuple((counter, then.get(id(counter), version)) for counter, version in own)
        # the tape has not kept the others, but what came of them is gone
        new[-1].versions += tuple((counter, version) for counter, version in changed if id(counter) not in kept)

    def _work(self, source: Variable, fused: bool = True) -> Variable:
        before = switches.scopes, switches.fusion, switches.anomaly, switches.observers
        switches.scopes = [] if self.scope is None else [self.scope]
        switches.fusion, switches.anomaly, switches.observers = fused, False, ()
        try:
            with enable_grad(), np.errstate(all="ignore"):
                return self.work(source)
        finally:
            switches.scopes, switches.fusion, switches.anomaly, switches.observers = before

    @property
    def next_functions(self) -> tuple[Edge, ...]:
        return self.expand().next_functions

    @property
    def metadata(self) -> dict[str, Any]:
        return self.expand().metadata

    def __getattr__(self, name: str) -> Any:
        """What the tape's node has and this one does not, such as `saved`."""
        if name.startswith("__") or "tape" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.expand(), name)

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        self.expand()
        return super().register_hook(hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        self.expand()
        return super().register_prehook(hook)

    def run(self, grads: Sequence[Array | None]) -> Sequence[Array | None]:
        if self.tape is not None:
            return self.tape.run(grads)
        source, (grad,) = self.source, grads
        if source is None or grad is None:
            raise self.freed()
        for name, counter, version in self.saved_versions:
            if counter[0] != version:
                raise self.changed(name, version, counter[0])
        found = self.backward(self, grad)
        return self._on_tape(source, grad) if found is None else found

    def _on_tape(self, source: Variable, grad: Array) -> Sequence[Array | None]:
        """The gradients by doing the work once more."""
        for counter, version in self.read:
            if counter[0] != version:
                raise self.changed(self.name(), version, counter[0])
        own = like(source, source.array)
        own._requires_grad = self.edges[0] is not NO_EDGE
        result = self._work(own)
        with np.errstate(all="ignore"):
            leaves: Leaves = leaf_gradients(result, grad, {})
        first = leaves.get(own.accumulator()) if own._requires_grad else None
        return [first, *(leaves.get(node) for node, _ in self.edges[1:] if isinstance(node, AccumulateGrad))]

    def backward_graph(self, *grads: Any) -> Any:
        return self.expand(fused=False).backward_graph(*grads)

    def release(self) -> None:
        if self.tape is not None:
            self.tape.release()
        self.source = None


def _as_now(source: Variable, edge: Edge) -> Variable:
    """The input as it is, whatever becomes of it: its array, its version counter, the way of its gradient."""
    own: Variable = like(source, source.array)
    own._counter = source.counter
    node, own.output_nr = edge
    if node is not None:
        own._requires_grad = True
        if isinstance(node, AccumulateGrad):
            own._accumulate = weakref.ref(node)
        else:
            own.grad_fn = node
    return own


def newer(top: Node | None, last: float) -> list[Node]:
    """The nodes from `top` down that are newer than `last`, oldest first."""
    new = set() if top is None else {top}
    stack = list(new)
    while stack:
        for node, _ in stack.pop().edges:
            if node is not None and node.sequence > last and node not in new:
                new.add(node)
                stack.append(node)
    return sorted(new, key=lambda node: node.sequence)
