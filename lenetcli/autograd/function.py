"""User-defined differentiable functions, over tensors, as in torch.autograd.Function and torch.autograd.function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from lenetcli.autograd.modes import no_grad, switches
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import Array, Node, Variable, wrap


class Function(Node):
    """Base of your own operations: static `forward(ctx, ...)` and `backward(ctx, *grads)` over tensors.

    With a static `setup_context(ctx, inputs, output)` of its own, `forward(...)` takes no `ctx`; what backward needs is
    then saved from forward's arguments and result.

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

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Saves what backward needs; where a class has its own, its forward takes no `ctx`."""
        raise NotImplementedError("setup_context is not implemented.")

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
            if cls.setup_context is Function.setup_context:
                out = cls.forward(node, *args)
            else:
                out = cls.forward(*args)
                cls.setup_context(node, args, out)
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


class OnceDifferentiable(Op):
    """Hands gradients through that a user's backward made without a graph, and refuses to differentiate them.

    Behind the `count` gradients come the tensors that they are taken to depend on.
    """

    formula = "y = the gradients as they are"
    gradient = ("d_arrays = none: it is refused",)

    @staticmethod
    def forward(ctx: Any, *arrays: Any, count: int) -> Any:
        return tuple(a.view() for a in arrays[:count])

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

    backward_graph = backward


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Marks the backward of a `Function` that is computed by other means than differentiable ops, such as NumPy.

    It runs without a graph. Differentiating what it gives is refused where that depends, as far as can be known, on
    something that requires gradients: its arguments or the saved tensors (torch looks at the arguments alone, and takes
    the derivative by the saved tensors as zero).

    Source: torch.autograd.function.once_differentiable.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.autograd.function import once_differentiable
        >>> class Double(lenet.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @once_differentiable
        ...     def backward(ctx, grad):
        ...         return lenet.from_numpy(grad.numpy() * 2)
        >>> x = lenet.tensor([1.0, 2.0], requires_grad=True)
        >>> Double.apply(x).sum().backward()
        >>> x.grad
        tensor([2., 2.])
    """

    @functools.wraps(fn)
    def backward(ctx: Any, *grads: Any) -> Any:
        with no_grad():
            result = fn(ctx, *(wrap(g.result_class, g.array) if isinstance(g, Variable) else g for g in grads))
        known = (*grads, *(ctx.saved_tensors if switches.grad else ()))
        reasons = [t for t in known if isinstance(t, Variable) and t.requires_grad]
        if not switches.grad or not reasons:
            return result
        results = list(result) if isinstance(result, tuple) else [result]
        at = [i for i, r in enumerate(results) if r is not None]
        made = OnceDifferentiable.apply(*(results[i] for i in at), *reasons, count=len(at))
        for i, marked in zip(at, made):
            results[i] = marked
        return tuple(results) if isinstance(result, tuple) else results[0]

    return backward
