"""Hooks of modules: called before and after forward, and, by pass-through nodes around it, with the gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lenetcli.autograd.hooks import replaced_all, replacements
from lenetcli.autograd.modes import switches
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import RemovableHandle, hooked, wrap
from lenetcli.tensors.tensor import Tensor, of_array

Function = Callable[..., Any]


class ForwardHook(NamedTuple):
    """A hook before or after forward, and how it is called."""

    function: Function
    with_kwargs: bool
    always_call: bool = False

    def before(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """The arguments as the hook leaves them."""
        if self.with_kwargs:
            changed = self.function(module, args, kwargs)
            if changed is None:
                return args, kwargs
            if not isinstance(changed, tuple) or len(changed) != 2:
                raise RuntimeError(
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                )
            return changed
        changed = self.function(module, args)
        if changed is None:
            return args, kwargs
        return changed if isinstance(changed, tuple) else (changed,), kwargs

    def after(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        """The result as the hook leaves it."""
        changed = self.function(module, args, *[kwargs] if self.with_kwargs else [], result)
        return result if changed is None else changed


class Hooked:
    """The part of Module that calls hooks."""

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tables, result, called = self.__dict__, None, set()
        try:
            for hook in list(tables["_forward_pre_hooks"].values()):
                args, kwargs = hook.before(self, args, kwargs)
            hooks, prehooks = (list(tables[name].values()) for name in ("_backward_hooks", "_backward_pre_hooks"))
            finish = None
            if hooks or prehooks:
                args, finish = watch_backward(self, args, hooks, prehooks)
            result = self.forward(*args, **kwargs)  # type: ignore[attr-defined]
            for number, hook in list(tables["_forward_hooks"].items()):
                called.add(number)
                result = hook.after(self, args, kwargs, result)
            return finish(result) if finish is not None else result
        except Exception:
            for number, hook in list(tables["_forward_hooks"].items()):
                if hook.always_call and number not in called:
                    try:
                        result = hook.after(self, args, kwargs, result)
                    except Exception as error:
                        warnings.warn(
                            "module forward hook with ``always_call=True`` raised an exception that was silenced as "
                            f"another error was raised in forward: {error}",
                            stacklevel=2,
                        )
            raise

    def register_forward_pre_hook(
        self, hook: Function, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before forward; what it returns replaces the arguments.

        Args:
            prepend: before the hooks that are there already.
            with_kwargs: call `hook(module, args, kwargs)`, which returns None or `(args, kwargs)`.
        """
        return self._register("_forward_pre_hooks", ForwardHook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Function, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args, output)` after forward; what it returns replaces the output.

        Args:
            prepend: before the hooks that are there already.
            with_kwargs: call `hook(module, args, kwargs, output)`.
            always_call: also where forward or another hook raises an error; the output is None where there is none yet.
        """
        return self._register("_forward_hooks", ForwardHook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Function, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_output)` when the gradients of the module's outputs are known.

        What it returns, a tuple of as many, replaces `grad_output`.
        """
        return self._register("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Function, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)` when the gradients of the module's inputs are known.

        What it returns replaces `grad_input`. In both, what is no tensor has None in its place.
        """
        return self._register("_backward_hooks", hook, prepend)

    def _register(self, table: str, hook: Any, prepend: bool) -> RemovableHandle:
        self._modules  # type: ignore[attr-defined]  # noqa: B018  # an AttributeError where Module.__init__ has not run
        return hooked(self.__dict__[table], hook, prepend)

    @property
    def has_hooks(self) -> bool:
        """True where a hook would miss something if this module's call were skipped."""
        tables = self.__dict__
        return bool(
            tables["_forward_pre_hooks"]
            or tables["_forward_hooks"]
            or tables["_backward_hooks"]
            or tables["_backward_pre_hooks"]
        )


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


class Watched:
    """The tensors among some values, handed through a node that calls `seen` with the gradients of all values.

    Only those that require gradients pass it; the others have None for a gradient.
    """

    def __init__(self, values: tuple[Any, ...], seen: Callable[[tuple[Any, ...]], Any]) -> None:
        self.at = [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]
        self.given, self.seen, self.values = len(values), seen, values
        self.wanted = switches.grad and bool(self.at)
        if self.wanted:
            passed = dict(zip(self.at, BackwardHook.apply(*(values[i] for i in self.at), seen=self._called)))
            self.values = tuple(passed.get(i, value) for i, value in enumerate(values))

    def _called(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        placed = dict(zip(self.at, grads))
        returned = self.seen(tuple(placed.get(i) for i in range(self.given)))
        return tuple(returned[i] for i in self.at)


def watch_backward(
    module: Any, args: tuple[Any, ...], hooks: Sequence[Function], prehooks: Sequence[Function]
) -> tuple[Any, Any]:
    """Wraps the arguments of a call and returns what wraps its result.

    The hooks run when the gradients of the inputs are known, or, where no input needs one, of the outputs; the prehooks
    when those of the outputs are.
    """
    grad_output: list[tuple[Any, ...]] = []

    def inputs_seen(grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        if not grad_output:  # they came to the inputs past the outputs
            return grad_input
        if inputs.wanted:
            grad_input = tuple(
                of_array(np.zeros_like(arg.array)) if isinstance(arg, Tensor) and not arg.requires_grad else grad
                for arg, grad in zip(args, grad_input)
            )
        for hook in hooks:
            changed = hook(module, grad_input, grad_output[0])
            if changed is None:
                continue
            if not inputs.wanted:
                if isinstance(changed, tuple) and all(grad is None for grad in changed):
                    continue
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )
            grad_input = _as_many(changed, grad_input, "Backward hook", "grad_input")
        grad_output.clear()
        return grad_input

    def outputs_seen(grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in prehooks:
            changed = hook(module, grads)
            if changed is not None:
                grads = _as_many(changed, grads, "Backward pre hook", "grad_output")
        grad_output[:] = [grads]
        if not inputs.wanted:
            inputs_seen((None,) * inputs.given)
        return grads

    def finish(result: Any) -> Any:
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=2,
            )
        several = isinstance(result, tuple)
        passed = Watched(result if several else (result,), outputs_seen).values
        return passed if several else passed[0]

    inputs = Watched(args, inputs_seen)
    return inputs.values, finish


def _as_many(changed: Any, given: tuple[Any, ...], hook: str, what: str) -> tuple[Any, ...]:
    """What a hook returned in place of gradients, if it is as many."""
    if not isinstance(changed, (tuple, list)):
        kind = RuntimeError if isinstance(changed, Tensor) else TypeError
        raise kind(f"{hook} must return None or a tuple of gradients, got {type(changed).__name__}")
    if len(changed) != len(given):
        raise RuntimeError(
            f"{hook} returned an invalid number of {what}, got {len(changed)}, but expected {len(given)}"
        )
    return tuple(changed)
