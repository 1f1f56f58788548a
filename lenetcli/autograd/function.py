"""User-defined differentiable functions, over tensors, as in torch.autograd.Function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from lenetcli.autograd.modes import no_grad, switches
from lenetcli.autograd.tape import Array, Node, Variable, wrap


class Function(Node):
    """Base of your own operations: static `forward(ctx, ...)` and `backward(ctx, *grads)` over tensors.

    `ctx` is the graph's node. In forward, `ctx.save_for_backward(...)` keeps tensors and any attribute may be set; in
    backward, `ctx.saved_tensors` gives them back and `ctx.needs_input_grad` says which gradients are wanted.

    Raises:
        RuntimeError: backward returns another number of gradients than forward has arguments, or runs twice.

    Source: https://pytorch.org/docs/stable/autograd.html#function

    Example:
        >>> import lenetcli as lenet
        >>> class Double(lenet.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         return grad * 2
        >>> x = lenet.tensor([1.0, 2.0], requires_grad=True)
        >>> Double.apply(x).sum().backward()
        >>> x.grad
        tensor([2., 2.])
    """

    forward: ClassVar[Any]
    backward: ClassVar[Any]

    needs_input_grad: tuple[bool, ...] = ()
    _saved: tuple[Variable | None, ...] | None = ()
    _versions: tuple[int, ...] = ()
    _non_differentiable: tuple[Variable, ...] = ()
    _dirty: tuple[Variable, ...] = ()

    def save_for_backward(self, *tensors: Variable | None) -> None:
        """Keeps tensors for backward; changing one in place before then raises there."""
        self._saved = tensors
        self._versions = tuple(0 if t is None else t.counter[0] for t in tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept."""
        if self._saved is None:
            raise RuntimeError(
                f"Trying to backward through the graph a second time: the saved tensors of {self.name()} have been "
                "freed. Use backward(retain_graph=True) the first time."
            )
        for t, version in zip(self._saved, self._versions):
            if t is not None and t.counter[0] != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an in-place "
                    f"operation: {self.name()} saved version {version}, it is now at version {t.counter[0]}"
                )
        return self._saved

    def mark_non_differentiable(self, *outputs: Variable) -> None:
        """Outputs of forward that carry no gradient, such as indices."""
        self._non_differentiable = outputs

    def mark_dirty(self, *inputs: Variable) -> None:
        """Refused: forward must not change its arguments in place."""
        raise NotImplementedError("autograd.Function: mark_dirty is not supported; return a new tensor instead")

    def release(self) -> None:
        self._saved = None

    def run(self, grads: Sequence[Array | None]) -> Sequence[Array | None]:
        results = self.backward_graph(*(None if grad is None else wrap(self.result_class, grad) for grad in grads))
        # copies: the caller may hold on to what it returned
        return [None if r is None else r.array.copy(order="K") for r in results]

    def backward_graph(self, *grads: Variable | None) -> tuple[Any, ...]:
        """The user's backward, which runs on tensors either way; the tape is on where a graph is asked for."""
        given = []
        for grad, (shape, kind) in zip(grads, self.outputs):
            given.append(wrap(self.result_class, np.zeros(shape, kind)) if grad is None else grad)
        result = type(self).backward(self, *given)
        results = result if isinstance(result, tuple) else (result,)
        expected = len(self.next_functions)
        if len(results) > expected and all(r is None for r in results[expected:]):
            results = results[:expected]
        if len(results) != expected:
            raise RuntimeError(
                f"{type(self).__name__}.backward returned {len(results)} gradients, forward had {expected} arguments; "
                "return one per argument, None for those that need none"
            )
        return results

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Runs forward on the arguments and puts the function on the tape."""
        node = cls()
        node.needs_input_grad = tuple(isinstance(a, Variable) and a.requires_grad for a in args)
        with no_grad():
            out = cls.forward(node, *args)
        outputs = list(out) if isinstance(out, tuple) else [out]
        if not switches.grad or True not in node.needs_input_grad:
            return out
        for i, o in enumerate(outputs):
            if any(o is a for a in args):  # an argument handed back must not change its own history
                outputs[i] = wrap(o.result_class, o.array)
                outputs[i].become_view_of(o)
        node.result_class = outputs[0].result_class
        edges = [a.gradient_edge() if need else (None, 0) for a, need in zip(args, node.needs_input_grad)]
        node.record(edges, outputs)
        for o in node._non_differentiable:
            o.grad_fn, o.requires_grad = None, False
        for observer in switches.observers:
            observer(node, args, {}, outputs)
        return tuple(outputs) if isinstance(out, tuple) else outputs[0]
