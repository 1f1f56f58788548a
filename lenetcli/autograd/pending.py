"""Values that wait: an op inside a module's call may leave its work to an op after it, which can do both at once.

A tensor that waits has no array yet. All else is there: its shape and type, and its node with its edges. Whoever looks
at the values (`array`) has them computed; what is not looked at, and is taken over by a later op (`ops.fusion`), is
never computed. So is a node that waits: what it saves for backward is computed when it has to run.

Nobody sees the difference. Before anything is changed in place, and when the outermost module returns, all tensors that
somebody holds are computed (`settle`). Only memory that is changed behind the tape's back, by NumPy between two ops of
one `forward`, would be seen as it is later.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import NO_EDGE, Array, Edge, Variable

if TYPE_CHECKING:
    from lenetcli.autograd.op import Op

MOST = 8  # tensors of a thread that may wait; before one more does, the first is computed
_LOCK = threading.RLock()  # a tensor may be looked at by several threads

Read = tuple["list[int]", int] | None  # an operand's version counter, with its value


class Pending:
    """The work of an op that has not been done.

    Args:
        node: the op.
        operands: arrays, numbers, None, or another op's work.
        read: of each operand, what tells that it has been changed since.
        parameters: of the op.
        shape, dtype: those of the result.
        result: which waits for it.
    """

    def __init__(
        self,
        node: Op,
        operands: list[Any],
        read: list[Read],
        parameters: dict[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        result: Variable,
    ) -> None:
        self.node, self.operands, self.read, self.parameters = node, operands, read, parameters
        self.shape, self.dtype, self.result = shape, dtype, weakref.ref(result)
        self.array: Array | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def check(self) -> None:
        """Refuses operands that were changed in place: what the op would have made of them is gone."""
        for read in self.read:
            if read is not None and read[0][0] != read[1]:
                raise self.node.changed(self.node.name(), read[1], read[0][0])

    def compute(self) -> Array:
        """Does the work, unless it is done."""
        with _LOCK:
            if self.array is None:
                self.check()
                arrays = [x.compute() if type(x) is Pending else x for x in self.operands]
                with np.errstate(all="ignore"):
                    self.array = type(self.node).forward(self.node, *arrays, **self.parameters)
                self.arrive(self.array)
            return self.array

    def arrive(self, array: Array) -> None:
        """Gives the result its values, where somebody holds it."""
        result = self.result()
        if result is not None and result.pending is self:
            result.array, result.pending = array, None
        self.bind()

    def bind(self) -> None:
        """Lets the node, once it has saved what it needs, know of changes of that."""
        node, result = self.node, self.result()
        if node.saved is None:
            return
        node.pending = None
        known = list(zip(self.operands, self.read))
        if result is not None and result.pending is None:
            known.append((result.array, (result.counter, result._version)))
        node.versions = tuple([read for kept in node.saved for x, read in known if kept is x and read is not None])


def may_wait() -> bool:
    """Whether an op that is called now may be left to a later one."""
    return bool(switches.scopes) and switches.fusion and not (switches.anomaly or switches.observers or switches.tracer)


def wait(op: type[Op], shape: tuple[int, ...], *operands: Any, **parameters: Any) -> Any:
    """The result of an op that is not run yet; its first operand is a tensor, and of the result's type.

    Args:
        op: of one result, which is no view.
        shape: of the result.
    """
    node, first = op(), operands[0]
    edges: list[Edge] = []
    given: list[Any] = []
    reads: list[Read] = []
    for operand in operands:
        edge, read = NO_EDGE, None
        if isinstance(operand, Variable):
            if switches.grad and (operand._requires_grad or (operand.base is not None and operand.is_stale)):
                edge = operand.gradient_edge()
            read = operand.counter, operand._version
            operand = operand.pending or operand.array
        edges.append(edge)
        given.append(operand)
        reads.append(read)
    node.needs_input_grad = tuple(edge is not NO_EDGE for edge in edges)
    node.saved = None
    result = object.__new__(first.result_class)
    dtype = (first.pending or first.array).dtype
    result.pending = node.pending = Pending(node, given, reads, parameters, shape, dtype, result)
    if True in node.needs_input_grad:
        node.result_class, node.parameters = first.result_class, parameters
        node.record(edges, ())
        node.outputs = ((shape, dtype),)
        result._requires_grad, result.grad_fn = True, node
    waiting = switches.waiting
    if len(waiting) >= MOST:
        _compute(waiting.pop(0))
    waiting.append(result.pending.result)
    return result


def can_become(target: Variable) -> bool:
    """Whether a tensor waits, so that a change in place needs no memory of its own."""
    leaf = target._requires_grad and target.grad_fn is None
    return target.pending is not None and target.hooks is None and not target.retains_grad and not leaf


def become(target: Variable, result: Variable) -> None:
    """Lets a tensor that waited be what an op has made of it: a change in place."""
    before = result.counter
    target.counter[0] += 1
    target.pending = pending = result.pending
    if pending is None:
        target.array = result.array
    else:
        pending.result, pending.read = (
            weakref.ref(target),
            [None],
        )  # its operand is the work, whatever becomes of target
    node = result.grad_fn
    if node is not None:
        target.grad_fn, target.output_nr, target._requires_grad = node, result.output_nr, True
        now = target.counter, target._version
        node.versions = tuple([now if counter is before else (counter, version) for counter, version in node.versions])


def settle() -> None:
    """Computes all that still waits in this thread and that somebody holds."""
    waiting = switches.waiting
    while waiting:
        _compute(waiting.pop(0))


def _compute(held: weakref.ref[Variable]) -> None:
    result = held()
    if result is not None and result.pending is not None:
        result.pending.compute()
