"""Nodes of the graph: what `grad_fn` is. A node knows where gradients go next and how to compute them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.variable import Array, Variable, wrap

_sequence = itertools.count()
_hook_ids = itertools.count()

Edge = tuple["Node | None", int]
NO_EDGE: Edge = (None, 0)  # no gradient flows there


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away again."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self._hooks = hooks
        self.id = next(_hook_ids)

    def remove(self) -> None:
        """Takes the hook away; a second call does nothing."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class Node:
    """One operation in the graph, as seen from the backward pass."""

    next_functions: tuple[Edge, ...] = ()
    sequence: int = 0  # creation order: a node's inputs were made before it
    outputs: tuple[tuple[tuple[int, ...], np.dtype[Any]], ...] = ()  # shape and type of each output
    result_class: type[Variable] = Variable
    scope: tuple[Any, Any] | None = None
    hooks: dict[int, Callable[..., Any]] | None = None
    prehooks: dict[int, Callable[..., Any]] | None = None
    # merge([node, nodes below it], *grads) runs backward of the first few at once and gives how many those are, and the
    # gradients of the last one's inputs; None where it cannot.
    merge: ClassVar[Callable[..., tuple[int, Sequence[Array | None]] | None] | None] = None
    variable_hooks: dict[int, list[Variable]] | None = None  # results with hooks or retained gradient, by output number

    def name(self) -> str:
        """torch's name without the trailing digit, such as `AddmmBackward`."""
        return type(self).__name__ + "Backward"

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    @property
    def metadata(self) -> dict[str, Any]:
        """`{"module": path}` of the module that made this node; empty outside any module."""
        if self.scope is None:
            return {}
        root, module = self.scope
        return {"module": next((path for path, m in root.named_modules() if m is module), "")}

    def run(self, grads: Sequence[Array | None]) -> Sequence[Array | None]:
        """Gradients of the outputs in, gradients of the inputs out (one per edge)."""
        raise NotImplementedError

    def release(self) -> None:
        """Frees what backward needed; running again then raises."""

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(grad_inputs, grad_outputs)` after this node has run; a returned tuple replaces `grad_inputs`."""
        if self.hooks is None:
            self.hooks = {}
        handle = RemovableHandle(self.hooks)
        self.hooks[handle.id] = hook
        return handle

    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(grad_outputs)` before this node runs; a returned tuple replaces them."""
        if self.prehooks is None:
            self.prehooks = {}
        handle = RemovableHandle(self.prehooks)
        self.prehooks[handle.id] = hook
        return handle

    def record(self, edges: list[Edge], results: Sequence[Variable]) -> None:
        """Puts the node on the tape: its edges, what it made, when and inside which module."""
        self.next_functions = tuple(edges)
        self.sequence = next(_sequence)
        scopes = switches.scopes
        if scopes:
            self.scope = scopes[-1]
        outputs: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
        for result in results:
            array = result.array
            kind = array.dtype
            if kind.kind == "f":
                result._requires_grad = True
                result.grad_fn = self
                if outputs:
                    result.output_nr = len(outputs)
            outputs.append((array.shape, kind))
        self.outputs = tuple(outputs)


class AccumulateGrad(Node):
    """Where gradients arrive: adds them to the leaf's `.grad`."""

    sequence = -1  # before every recorded operation

    def __init__(self, variable: Variable) -> None:
        self.variable = variable
        self.outputs = ((variable.array.shape, variable.array.dtype),)
        self.result_class = variable.result_class

    def name(self) -> str:
        return "AccumulateGrad"

    @property
    def metadata(self) -> dict[str, Any]:
        return {}

    def run(self, grads: Sequence[Array | None]) -> Sequence[Array | None]:
        (grad,) = grads
        variable = self.variable
        if grad is not None:
            if variable._grad is None:
                variable._grad = wrap(variable.result_class, grad)
            else:
                variable._grad.array += grad  # in place, as torch does: whoever holds the gradient sees the sum
        return ()


Variable.accumulator_class = AccumulateGrad
