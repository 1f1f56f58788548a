"""Full backward hooks of modules: pass-through nodes around the inputs and the outputs catch the gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lenetcli.autograd.hooks import replaced_all, replacements
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import wrap
from lenetcli.tensors.tensor import Tensor


class BackwardHook(Op):
    """Hands tensors through; `seen` is called with their gradients and may replace them."""

    formula = "y = the tensors as they are"
    gradient = ("d_arrays = grad, or what the hooks make of it",)

    @staticmethod
    def forward(ctx: Any, *arrays: Any, seen: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Any:
        ctx.seen = seen
        return tuple(a.view() for a in arrays)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        returned = ctx.seen(tuple(None if g is None else wrap(ctx.result_class, g) for g in grads))
        return tuple(replacements(ctx.seen, grads, returned))

    def backward_graph(ctx: Any, *grads: Any) -> Any:
        return tuple(replaced_all(ctx.seen, grads, ctx.seen(grads)))


def watch_backward(module: Any, args: tuple[Any, ...], hooks: list[Callable[..., Any]]) -> tuple[Any, Any]:
    """Wraps the arguments of a call and returns what wraps its result.

    The hooks run when the gradients of the inputs are known, or, where no input needs one, of the outputs.
    """
    grad_output: list[tuple[Any, ...]] = []

    def inputs_seen(grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in hooks:
            changed = hook(module, grad_input, grad_output[0])
            if changed is None:
                continue
            if not wanted:
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )
            if not isinstance(changed, (tuple, list)):
                kind = RuntimeError if isinstance(changed, Tensor) else TypeError
                raise kind(f"Backward hook must return None or a tuple of gradients, got {type(changed).__name__}")
            if len(changed) != len(grad_input):
                raise RuntimeError(
                    f"Backward hook returned an invalid number of grad_input, got {len(changed)}, but expected "
                    f"{len(grad_input)}"
                )
            grad_input = tuple(changed)
        return grad_input

    at = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    wanted = any(args[i].requires_grad for i in at)
    if wanted:
        wrapped = BackwardHook.apply(*(args[i] for i in at), seen=inputs_seen)
        replaced = dict(zip(at, wrapped))
        args = tuple(replaced.get(i, a) for i, a in enumerate(args))

    def outputs_seen(grads: tuple[Any, ...]) -> tuple[Any, ...]:
        grad_output[:] = [grads]
        if not wanted:
            inputs_seen(tuple(None for _ in at))
        return grads

    def finish(result: Any) -> Any:
        outs = result if isinstance(result, tuple) else (result,)
        wrapped = BackwardHook.apply(*outs, seen=outputs_seen)
        return wrapped if isinstance(result, tuple) else wrapped[0]

    return args, finish
