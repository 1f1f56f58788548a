"""Operations on arrays, and `apply`, which runs one and puts it on the tape.

An op is a class with two methods over arrays:

    class Exp(Op):
        def forward(ctx, x):        # arrays in, array (or tuple of arrays) out
            y = np.exp(x)
            ctx.save(y)             # what backward needs
            return y

        def backward(ctx, grad):    # gradient of the output in, of each positional input out
            (y,) = ctx.saved
            return grad * y

Positional arguments of `apply` are operands (tensors, numbers, None) and each has an edge in the graph; keyword
arguments are parameters. `ctx` is the op itself, which is the graph's node: attributes set in forward are there in
backward. The tape, not the op, sums gradients over broadcast dimensions and casts them to their input's type.

What is shown of an op are members of it, too, beginning with its rule:

        formula = "y = a + {alpha:g} b"                  # operands as forward names them, parameters in braces
        gradient = ("d_a = grad", "d_b = {alpha:g} grad")  # a line for each operand that can take one

How the gradient is differentiated in its turn is stated in the op, too, mostly in a word: `backward_graph = linear`
(or `arithmetic`, `bilinear`, `restated`, all of `autograd.rules`). An op without it cannot be differentiated twice, and
says so.

Then `multiply_adds` and `factors`, for ops that add up products, `can_die`, and worked examples. Nothing of this is
looked at before it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from lenetcli.autograd.anomaly import check_forward
from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import NO_EDGE, Array, Edge, Node, Variable, wrap
from lenetcli.kernels import device


class Op(Node):
    """Base of all differentiable operations; see the module's text."""

    is_view: ClassVar[bool] = False  # the result shows its first operand's memory
    backward_name: ClassVar[str | None] = None  # where torch's node has another name than the class

    # None: as "Formula:" and "Gradient:" in the docstring of the public function say, which speaks of x and of dy/dx
    formula: ClassVar[str | None] = None
    gradient: ClassVar[tuple[str, ...] | None] = None  # `*arrays` share the line of d_arrays

    # multiply_adds(y, *operands) -> int: products of operands that are added up to the result, from arrays; those of
    # elementwise work are not counted, as in torch.utils.flop_counter, which counts each multiply-add as two
    multiply_adds: ClassVar[Any] = staticmethod(lambda y, *operands: 0)
    factors: ClassVar[tuple[int, ...]] = ()  # the operands multiplied: the gradient of each takes as many again

    can_die: ClassVar[bool] = False  # gives zero for a whole range of inputs, so that a unit can be dead

    # example(seen, at) -> a formula for y[at], the same with numbers in it, and its value in float64; None where the
    # arguments are unusual. `example_d_x(seen, at)` does so for an element of the gradient of operand x. `seen` has
    # operands by name (seen["x"]), parameters, y and grad, and writes numbers and sums in few digits
    example: ClassVar[Any] = staticmethod(lambda seen, at: None)

    saved: tuple[Any, ...] | None = ()
    # names of what saved arrays are: operands as forward calls them, "result", None for what has no gradient of its own
    saves: ClassVar[tuple[str | None, ...] | None] = None  # None: the operands, in their order
    parameters: dict[str, Any]  # of a recorded op, as apply got them
    pending: Any = None  # the work, where it is not done yet (autograd.pending)
    needs_input_grad: tuple[bool, ...] = ()

    forward: ClassVar[Any]
    backward: ClassVar[Any]

    def operand_shapes(self) -> Sequence[tuple[int, ...] | None] | None:
        """Of a linear op of several operands: their shapes, None or () for a number; None where there is but one."""
        return None

    def name(self) -> str:
        return (self.backward_name or type(self).__name__) + "Backward"

    def save(self, *arrays: Any) -> None:
        """Keeps arrays (or None) for backward, where a change in place of what they show is noticed.

        That is an operand, a result, or memory of one in another shape. `needs_input_grad` is set before forward: what
        only the gradient of a constant would need is not to be kept.
        """
        self.saved = arrays

    def run(self, grads: Sequence[Array | None]) -> Sequence[Array | None]:
        self.check_saved()
        result = type(self).backward(self, *grads)
        return result if type(result) is tuple else (result,)

    def check_saved(self) -> None:
        """Refuses to go on where saved values were freed or changed."""
        if self.saved is None:
            if self.pending is None:
                raise self.freed()
            self.pending.compute()
        for counter, version in self.versions:
            if counter[0] != version:
                raise self.changed(self.name(), version, counter[0])

    def release(self) -> None:
        """Frees the saved values; a node that saved none can run again."""
        if self.saved is None:
            self.pending = None
        for array in self.saved or ():
            if array is not None:
                self.saved, self.versions = None, ()
                return

    @classmethod
    def apply(cls, *operands: Any, **parameters: Any) -> Any:
        """Runs the op on variables and records it where a gradient may be asked for.

        Returns:
            A tensor, or a tuple of tensors where `forward` gives a tuple.
        """
        node = cls()
        first: Variable | None = None
        arrays: list[Any] = list(operands)
        edges: list[Edge] = [NO_EDGE] * len(arrays)
        recording, records = switches.grad, False
        for at, operand in enumerate(operands):
            if isinstance(operand, Variable):
                if first is None:
                    first = operand
                if recording and (operand._requires_grad or (operand.base is not None and operand.is_stale)):
                    edges[at], records = operand.gradient_edge(), True
                arrays[at] = operand.array
        if first is None:
            raise TypeError(f"{cls.__name__}: wanted a tensor, got {', '.join(type(o).__name__ for o in operands)}")
        node.needs_input_grad = tuple([edge is not NO_EDGE for edge in edges])
        try:
            out = cls.forward(node, *arrays, **parameters)
        except (AttributeError, IndexError, NotImplementedError, TypeError, ValueError) as error:
            reason = device.mixed(cls.forward, arrays, parameters, error)
            if reason is error:
                raise
            raise reason from None
        anomaly, observers = switches.anomaly, switches.observers
        if type(out) is np.ndarray and not (records or cls.is_view or anomaly or observers):
            return wrap(first.result_class, out)  # the short way, as inference takes it
        kind, several = first.result_class, type(out) is tuple
        results = [wrap(kind, a) for a in out] if several else [wrap(kind, out)]
        if anomaly:
            check_forward(node, results)
        if records:
            node.result_class, node.parameters = kind, parameters
            if node.saved:
                node._bind_versions(node.saved, operands, arrays, results)
            node.record(edges, results)
        if cls.is_view:
            for variable in results:
                variable.become_view_of(first)
        for observer in observers:
            observer(node, operands, parameters, results)
        return tuple(results) if several else results[0]

    def _bind_versions(
        self, saved: Sequence[Any], operands: Sequence[Any], arrays: Sequence[Any], results: Sequence[Variable]
    ) -> None:
        """Notes the version of every operand and result whose memory the saved arrays are."""
        versions = []
        for array in saved:
            if array is None:
                continue
            for variable, operand in zip(operands, arrays):
                if operand is array and variable is not array:
                    break
            else:
                for variable in results:
                    if variable.array is array:
                        break
                else:
                    owner = _owner(array, operands, results)
                    if owner is None:
                        continue
                    variable = owner
            counter = variable.counter
            versions.append((counter, counter[0]))
        self.versions = tuple(versions)


def _owner(array: Any, operands: Sequence[Any], results: Sequence[Variable]) -> Variable | None:
    """The operand or result whose memory an array is, too."""
    if type(array) is np.ndarray and array.base is None:  # new memory: a result may be a view of it, an operand is not
        for variable in results:
            if variable.array.base is array:
                return variable
        return None
    for variable in (*results, *operands):
        own = variable.array if isinstance(variable, Variable) else None
        if type(own) is type(array) and np.may_share_memory(own, array):
            return variable
    return None
