"""The tape: variables, and the nodes of the graph behind them, which know each other.

A variable is an array with a gradient and a place in the graph; `Tensor` adds operators and methods to it. A node is
what `grad_fn` is: it knows where gradients go next and how to compute them.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.modes import switches
from lenetcli.kernels.device import as_array, on_device

Array = npt.NDArray[Any]

next_sequence = itertools.count().__next__
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


def hooked(hooks: dict[int, Any], hook: Any, prepend: bool = False) -> RemovableHandle:
    """Puts a hook after those that are there already, or before them."""
    later = list(hooks) if prepend else []
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    for other in later:  # to the end of the order
        hooks[other] = hooks.pop(other)
    return handle


class Variable:
    """An array on the tape.

    Attributes live on the class until they are set, so that making a result costs one allocation and two stores.

    Args:
        array: the values; kept, not copied.
        requires_grad: record operations on this leaf.
    """

    result_class: ClassVar[type[Variable]]  # what operations on this class return (Parameter -> Tensor)
    retake_view: ClassVar[Callable[[Variable], None]]  # set in inplace.py, which is made of operations

    array: Array
    pending: Any = None  # what `array` is yet to be computed by (autograd.pending)
    _grad: Any = None
    grad_fn: Node | None = None
    _requires_grad: bool = False
    output_nr: int = 0  # which output of grad_fn this is
    hooks: dict[int, Any] | None = None
    retains_grad: bool = False
    base: Variable | None = None  # the variable whose memory a view shows
    base_fn: Node | None = None  # the base's grad_fn when the view was taken
    taken_unrecorded: bool = False  # a view made in no_grad mode: how it came from its base is not in the graph
    copied: Callable[[], Any] | None = None  # the memory that a view could not share, and was copied from
    _counter: list[int] | None = None  # version counter, shared by a base and its views
    _accumulate: weakref.ref[AccumulateGrad] | None = None

    def __init__(self, array: Array, requires_grad: bool = False) -> None:
        self.array = array if type(array) is np.ndarray else as_array(array)
        if requires_grad:
            self.requires_grad = True

    def _set_grad(self, value: Variable | None) -> None:
        if value is not None:
            if not isinstance(value, Variable):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {_kind(value)}")
            if value is self:
                raise RuntimeError("can't assign Variable as its own grad")
            own, given = self.array, value.array
            if given.dtype != own.dtype:
                raise RuntimeError(
                    f"attempting to assign a gradient with dtype '{given.dtype}' to a tensor with dtype '{own.dtype}'"
                )
            if given.shape != own.shape:
                raise RuntimeError(
                    f"attempting to assign a gradient of size '{list(given.shape)}' to a tensor of size "
                    f"'{list(own.shape)}'. Please ensure that the gradient and the tensor are the same size"
                )
            if on_device(given) != on_device(own):
                raise RuntimeError("attempting to assign a gradient that lives on another device than the tensor")
        self._grad = value

    def _set_requires_grad(self, value: bool) -> None:
        if value is not True and value is not False:
            raise RuntimeError(f"requires_grad must be a bool, got {_kind(value)}")
        if value and self.array.dtype.kind != "f":
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients, and this one is of dtype "
                f"{self.array.dtype}"
            )
        if self.grad_fn is not None:
            hint = " To use a computed variable where no gradient is wanted, take var_no_grad = var.detach()."
            raise RuntimeError(f"you can only change requires_grad flags of leaf variables.{'' if value else hint}")
        self._requires_grad = value

    def _forget_grad(self) -> None:
        self._grad = None

    # attrgetter: a function of Python would make every look twice as dear
    grad = property(
        attrgetter("_grad"), _set_grad, _forget_grad, "The gradient: a tensor of this one's shape, or None."
    )
    requires_grad = property(attrgetter("_requires_grad"), _set_requires_grad, None, "Whether operations are recorded.")

    @property
    def is_leaf(self) -> bool:
        """True where gradients end: made by the user, not by a recorded operation."""
        return self.grad_fn is None

    @property
    def is_stale(self) -> bool:
        """True for a view whose base was changed in place, with a record, after it was taken."""
        return self.base is not None and self.base.grad_fn is not self.base_fn

    @property
    def counter(self) -> list[int]:
        """The version counter: one number that every in-place change raises."""
        if self._counter is None:
            self._counter = [0]
        return self._counter

    @property
    def _version(self) -> int:
        return 0 if self._counter is None else self._counter[0]

    def gradient_edge(self) -> tuple[Node, int]:
        """The node (and its output number) that takes this variable's gradient."""
        if self.base is not None and self.is_stale:
            self.catch_up()
        node: Node | None = self.grad_fn
        if node is None:
            known = self._accumulate
            return (None if known is None else known()) or self.accumulator(), 0
        return node, self.output_nr

    def catch_up(self) -> None:
        """Gives a view whose base was changed since its place in the graph of now."""
        if self.is_stale:
            type(self).retake_view(self)

    def watch(self) -> None:
        """Lets the node that made this variable know that it has hooks or retains its gradient."""
        node = self.grad_fn
        if node is not None:
            if node.variable_hooks is None:
                node.variable_hooks = {}
            watched = node.variable_hooks.setdefault(self.output_nr, [])
            if not any(v is self for v in watched):
                watched.append(self)

    def accumulator(self) -> AccumulateGrad:
        """The one AccumulateGrad node of a leaf, made on first use and shared while a graph holds it."""
        known = self._accumulate
        node = None if known is None else known()
        if node is None:
            node = AccumulateGrad(self)
            self._accumulate = weakref.ref(node)
        return node

    def become_view_of(self, source: Variable) -> None:
        """Ties a result that shows `source`'s memory to it; one that had to copy is marked."""
        own, array = self.array, source.array
        of_it = own.base is not None and (own.base is array or own.base is array.base)  # most are: quicker to see
        if of_it or np.may_share_memory(own, array) or own.size == 0:
            base = source if source.base is None else source.base
            self.base = base
            self.base_fn = base.grad_fn
            if not switches.grad:
                self.taken_unrecorded = True
            self._counter = source.counter
            self.copied = source.copied
        else:
            self.become_copy_of(source)

    def become_copy_of(self, source: Variable) -> None:
        """Marks a view that had to copy."""
        array = source.array
        while isinstance(array.base, type(array)):
            array = array.base
        self.copied = weakref.ref(array) if isinstance(array, np.ndarray) else lambda: array

    @property
    def is_copy_of_view(self) -> bool:
        """Whether somebody has the memory that this view was copied from: in-place change would go unnoticed."""
        return self.copied is not None and self.copied() is not None


Variable.result_class = Variable


def _kind(value: Any) -> str:
    return type(value).__name__


def wrap(result_class: type[Variable], array: Array) -> Any:
    """A variable of the given class around an array; a NumPy scalar becomes an array of no dimension."""
    result = object.__new__(result_class)
    result.array = array if type(array) is np.ndarray else as_array(array)
    return result


def like(example: Variable, array: Array) -> Any:
    """A new variable of the class that operations on `example` return, holding `array`."""
    return wrap(example.result_class, array)


class Node:
    """One operation in the graph, as seen from the backward pass."""

    edges: tuple[Edge, ...] = ()  # where gradients go
    sequence: float = 0  # creation order: a node's inputs were made before it
    outputs: tuple[tuple[tuple[int, ...], np.dtype[Any]], ...] = ()  # shape and type of each output
    versions: tuple[tuple[list[int], int], ...] = ()  # counters of what was saved of operands, results; their values
    result_class: type[Variable] = Variable
    scope: tuple[Any, Any] | None = None
    hooks: dict[int, Callable[..., Any]] | None = None
    prehooks: dict[int, Callable[..., Any]] | None = None
    # merge([node, nodes below it], *grads) runs backward of the first few at once and gives how many those are, and the
    # gradients of the last one's inputs; None where it cannot.
    merge: ClassVar[Callable[..., tuple[int, Sequence[Array | None]] | None] | None] = None
    # the same of tensors, as `backward_graph` is of `run`
    merge_graph: ClassVar[Callable[..., tuple[int, Sequence[Any]] | None] | None] = None
    at_once: bool = False  # it stands for many; what it gives is memory that nothing else sees
    variable_hooks: dict[int, list[Variable]] | None = None  # results with hooks or retained gradient, by output number

    @property
    def next_functions(self) -> tuple[Edge, ...]:
        """The edges, under torch's name."""
        return self.edges

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

    def backward_graph(self, *grads: Any) -> Any:
        """`run` over tensors, with a record: what `create_graph=True` asks for (`autograd.rules`)."""
        name = self.name().removesuffix("Backward")
        raise NotImplementedError(
            f"{name} has no second derivative here, as create_graph=True would need it: build what comes before and "
            "after it with a graph and detach() its input, or write it with other ops"
        )

    def release(self) -> None:
        """Frees what backward needed; running again then raises."""

    def freed(self) -> RuntimeError:
        """The error of running again."""
        return RuntimeError(
            "Trying to backward through the graph a second time: the saved values of "
            f"{self.name()} have been freed. Use backward(retain_graph=True) the first time."
        )

    def changed(self, name: str, version: int, now: int) -> RuntimeError:
        """The error of running after a saved value was changed in place."""
        return RuntimeError(
            "one of the variables needed for gradient computation has been modified by an in-place operation: "
            f"{name} saved version {version}, it is now at version {now}. "
            "Use an out-of-place operation, or clone() before the change."
        )

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(grad_inputs, grad_outputs)` after this node has run; a returned tuple replaces `grad_inputs`."""
        if self.hooks is None:
            self.hooks = {}
        return hooked(self.hooks, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(grad_outputs)` before this node runs; a returned tuple replaces them."""
        if self.prehooks is None:
            self.prehooks = {}
        return hooked(self.prehooks, hook)

    def record(self, edges: list[Edge], results: Sequence[Variable]) -> None:
        """Puts the node on the tape: its edges, what it made, when and inside which module."""
        self.edges = tuple(edges)
        self.sequence = next_sequence()
        scopes = switches.scopes
        if scopes:
            self.scope = scopes[-1]
        for number, result in enumerate(results):
            if result.array.dtype.kind == "f":
                result._requires_grad = True
                result.grad_fn = self
                if number:
                    result.output_nr = number
        self.outputs = tuple([(result.array.shape, result.array.dtype) for result in results])


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
                if variable._grad._requires_grad:
                    variable._grad.counter[0] += 1  # it has a graph, which may have saved it
        return ()
