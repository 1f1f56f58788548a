"""The bare variable: an array with a gradient and a place in the graph. `Tensor` adds operators and methods to it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lenetcli.autograd.node import AccumulateGrad, Node

Array = npt.NDArray[Any]


class Variable:
    """An array on the tape.

    Attributes live on the class until they are set, so that making a result costs one allocation and two stores.

    Args:
        array: the values; kept, not copied.
        requires_grad: record operations on this leaf.
    """

    result_class: ClassVar[type[Variable]]  # what operations on this class return (Parameter -> Tensor)
    accumulator_class: ClassVar[type[AccumulateGrad]]  # set in node.py: the two classes know each other

    array: Array
    grad: Any = None  # a Variable of the same class family, or None
    grad_fn: Node | None = None
    requires_grad: bool = False
    output_nr: int = 0  # which output of grad_fn this is
    hooks: dict[int, Any] | None = None
    retains_grad: bool = False
    base: Variable | None = None  # the variable whose memory a view shows
    base_fn: Node | None = None  # the base's grad_fn when the view was taken
    is_copy_of_view: bool = False  # a view that could not share memory: in-place change would go unnoticed
    _counter: list[int] | None = None  # version counter, shared by a base and its views
    _accumulate: weakref.ref[AccumulateGrad] | None = None

    def __init__(self, array: Array, requires_grad: bool = False) -> None:
        self.array = array
        if requires_grad:
            if array.dtype.kind != "f":
                raise RuntimeError(f"only floating-point tensors can require gradients, this one is {array.dtype}")
            self.requires_grad = True

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
        node = self.grad_fn
        return (self.accumulator(), 0) if node is None else (node, self.output_nr)

    def catch_up(self) -> None:
        """Gives a view whose base was changed since its place in the graph of now."""
        if self.is_stale:
            from lenetcli.autograd.inplace import retake_view  # which is made of operations on variables

            retake_view(self)

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
            node = self.accumulator_class(self)
            self._accumulate = weakref.ref(node)
        return node

    def become_view_of(self, source: Variable) -> None:
        """Ties a result that shows `source`'s memory to it; one that had to copy is marked."""
        if np.may_share_memory(self.array, source.array) or self.array.size == 0:
            base = source.base if source.base is not None else source
            self.base = base
            self.base_fn = base.grad_fn
            self._counter = source.counter
            self.is_copy_of_view = source.is_copy_of_view
        else:
            self.is_copy_of_view = True


Variable.result_class = Variable


def like(example: Variable, array: Array) -> Any:
    """A new variable of the class that operations on `example` return, holding `array`."""
    result = object.__new__(example.result_class)
    result.array = array
    return result
