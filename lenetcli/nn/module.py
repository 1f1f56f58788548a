"""Module: a named tree of parameters, buffers and modules with a forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from lenetcli.autograd.modes import no_grad, switches
from lenetcli.autograd.pending import settle
from lenetcli.nn.hooks import Hooked
from lenetcli.nn.parameter import Buffer, Parameter
from lenetcli.nn.state import Stateful
from lenetcli.nn.tables import Table, changes
from lenetcli.nn.tree import Tree
from lenetcli.tensors.tensor import Tensor, wanted_of

M = TypeVar("M", bound="Module")
_NONE: Any = {}  # the tables of a module whose __init__ has not run


class Module(Tree, Hooked, Stateful):
    """Base of all layers and nets: assign parameters and modules as attributes, write `forward`.

    Source: torch.nn.Module.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.fc = nn.Linear(2, 1)
        ...     def forward(self, x):
        ...         return self.fc(x)
        >>> [name for name, _ in Net().named_parameters()]
        ['fc.weight', 'fc.bias']
    """

    # constructor arguments that a config may leave out, because they follow from the input: name -> index (or slice)
    # into the shape of one input sample
    from_input: ClassVar[dict[str, int | slice]] = {}

    # constructor arguments whose value a config must give, because samples come first in all that it makes
    in_config: ClassVar[dict[str, Any]] = {}

    # Said by a class itself, not by what inherits from it: what `forward` computes follows from arguments, attributes
    # and shapes alone, so that its native calls can be recorded (nn.recorded, which looks whether they are all)
    native_calls: ClassVar[bool] = False

    training: bool

    def __init__(self) -> None:
        put = super().__setattr__
        put("training", True)
        put("_parameters", Table())
        put("_buffers", Table())
        put("_non_persistent_buffers_set", set())
        put("_modules", Table())
        put("_forward_pre_hooks", Table())
        put("_forward_hooks", Table())
        put("_backward_hooks", Table())
        put("_backward_pre_hooks", Table())

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters: dict[str, Any] = own.get("_parameters", _NONE)
        if isinstance(value, Parameter):
            if parameters is _NONE:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, besides=parameters)  # what is replaced keeps its place in the order
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if parameters is _NONE:
                raise AttributeError("cannot assign module before Module.__init__() call")
            if name in parameters:
                raise TypeError(_mismatch(value, "as parameter", name, "nn.Parameter or None expected"))
            self._forget(name, besides=self._modules)
            self._modules[name] = value
        elif name in parameters:
            if value is not None:
                raise TypeError(_mismatch(value, "as parameter", name, "nn.Parameter or None expected"))
            self.register_parameter(name, None)
        elif name in own.get("_modules", _NONE):
            if value is not None:
                raise TypeError(_mismatch(value, "as child module", name, "nn.Module or None expected"))
            self._modules[name] = None
        elif isinstance(value, Buffer) or name in own.get("_buffers", _NONE):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(_mismatch(value, "as buffer", name, "Tensor or None expected"))
            left_out = self._non_persistent_buffers_set if parameters is not _NONE else ()
            persistent = value.persistent if isinstance(value, Buffer) else name not in left_out
            self.register_buffer(name, value, *() if persistent else (False,))
        else:
            if "_remembered" in own:
                changes.count += 1
            super().__setattr__(name, value)

    if not TYPE_CHECKING:  # type checkers see attributes as their classes declare them

        def __getattr__(self, name: str) -> Any:
            for table in ("_parameters", "_buffers", "_modules"):
                found = self.__dict__.get(table)
                if found is not None and name in found:
                    return found[name]
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{self._without_init()}")

        def _without_init(self) -> str:
            known = "_modules" in self.__dict__
            return "" if known else "; its __init__ must call super().__init__() before anything else"

    def __delattr__(self, name: str) -> None:
        if any(name in table for table in (self._parameters, self._buffers, self._modules)):
            self._forget(name)
        else:
            changes.count += 1
            super().__delattr__(name)

    def _forget(self, name: str, besides: Any = None) -> None:
        changes.count += 1
        self.__dict__.pop(name, None)
        self._non_persistent_buffers_set.discard(name)
        for table in (self._parameters, self._buffers, self._modules):
            if table is not besides:
                table.pop(name, None)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter, or a place for one.

        Raises:
            AttributeError: `super().__init__()` was not called.
            KeyError: the name is empty, has a dot, or is another attribute's.
            TypeError: the name is no text, or `param` no Parameter.
            ValueError: the parameter was computed from other tensors.
        """
        self._check_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(_mismatch(param, "object to parameter", name, "nn.Parameter or None required"))
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that is state but no parameter, such as a running mean.

        Args:
            persistent: whether `state_dict` holds it.

        Raises:
            AttributeError: `super().__init__()` was not called.
            KeyError: the name is empty, has a dot, or is another attribute's.
            TypeError: the name is no text, or `tensor` no Tensor.
        """
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(_mismatch(tensor, "object to buffer", name, "Tensor or None required"))
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child module.

        Raises:
            AttributeError: `super().__init__()` was not called.
            KeyError: the name is empty, has a dot, or is another attribute's.
            TypeError: the name is no text, or `module` no Module.
        """
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name("module", name, "_modules")
        self._modules[name] = module

    def _check_name(self, kind: str, name: Any, table: str) -> None:
        """Refuses a name for a new parameter, buffer or module that cannot be one, or is taken by something else."""
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name not in self.__dict__[table] and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    register_module = add_module

    # Calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Computes the outputs; every subclass has its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        scopes = switches.scopes
        if not scopes:
            result = self._at_once(args, kwargs)
            if result is not None:
                return result
            with np.errstate(all="ignore"):  # infinities and NaN are values here, as in torch
                result = self._call_in_scope(scopes, self, args, kwargs)
            if switches.waiting:
                settle()
            return result
        return self._call_in_scope(scopes, scopes[0][0], args, kwargs)

    def _at_once(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a call that no other module makes, where there is a shorter way to it; else None."""
        return None

    def _layer_by_layer(self, input: Any) -> Any:
        """What `forward` computes, where the call as a whole is not recorded (`nn.recorded`)."""
        return self.forward(input)

    def _call_in_scope(
        self, scopes: list[tuple[Any, Any]], root: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        scopes.append((root, self))
        try:
            hooks = self.__dict__
            if not (
                hooks["_forward_pre_hooks"]
                or hooks["_forward_hooks"]
                or hooks["_backward_hooks"]
                or hooks["_backward_pre_hooks"]
            ):
                return self.forward(*args, **kwargs)
            return self._call_with_hooks(args, kwargs)
        except KeyError:
            if "_modules" in self.__dict__:
                raise
            self._modules  # noqa: B018  # an AttributeError that says what is missing
        finally:
            scopes.pop()

    # Modes and types

    def train(self: M, mode: bool = True) -> M:
        """Switches the tree to training mode (dropout drops, batch-norm uses the batch)."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        if self.training is not mode:
            self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: M) -> M:
        """Switches the tree to evaluation mode."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Starts or stops gradients for all parameters."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients: to None, or to zeros with `set_to_none=False`."""
        for p in self.parameters():
            if p.grad is not None:
                if set_to_none:
                    p.grad = None
                else:
                    p.grad.array[...] = 0

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Calls `fn` on every module, children first."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self: M, fn: Callable[[Any], Any], recurse: bool = True) -> M:
        """Puts `fn(tensor)` in the place of every parameter, its gradient and every buffer: what `to` is made of."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        for p in self._parameters.values():
            if p is not None:
                with no_grad():
                    p.data = fn(p)
                    if p.grad is not None:
                        p.grad.data = fn(p.grad)
        for name, b in self._buffers.items():
            if b is not None:
                self._buffers[name] = fn(b)
        return self

    def to(self: M, *args: Any, dtype: Any = None, device: Any = None) -> M:
        """Moves all parameters and buffers to a device, and converts the floating-point ones to a type, in place.

        Raises:
            TypeError: a type of integers.
            RuntimeError: no such device, or it is not there.
        """
        dtype, device = wanted_of(args, dtype, device)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}")
        return self._apply(lambda t: t.to(dtype=dtype if t.is_floating_point() else None, device=device))

    def float(self: M) -> M:
        """All floating-point parameters and buffers as float32."""
        from lenetcli.autograd.dtypes import float32

        return self.to(dtype=float32)

    def double(self: M) -> M:
        """All floating-point parameters and buffers as float64."""
        from lenetcli.autograd.dtypes import float64

        return self.to(dtype=float64)

    def half(self: M) -> M:
        """All floating-point parameters and buffers as float16."""
        from lenetcli.autograd.dtypes import float16

        return self.to(dtype=float16)

    def cpu(self: M) -> M:
        """Moves all parameters and buffers to the machine's memory, in place."""
        return self.to(device="cpu")

    def cuda(self: M, device: Any = None) -> M:
        """Moves all parameters and buffers to the GPU, in place; make the optimizer after that.

        Raises:
            RuntimeError: there is no GPU, or no CuPy.
        """
        return self.to("cuda" if device is None else device)

    # Printing

    def extra_repr(self) -> str:
        """What stands between the parentheses when a layer prints."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for name, child in self._modules.items():
            text = repr(child).replace("\n", "\n  ")
            lines.append(f"({name}): {text}")
        extra = self.extra_repr().splitlines()
        if not lines and len(extra) < 2:
            return f"{type(self).__name__}({''.join(extra)})"
        body = "\n  ".join(extra + lines)
        return f"{type(self).__name__}(\n  {body}\n)"

    def _repr_html_(self) -> str:
        from lenetcli.nn.shown import html  # of use in notebooks only

        return html(self)


def _mismatch(value: Any, what: str, name: str, wanted: str) -> str:
    return f"cannot assign '{type(value).__name__}' {what} '{name}' ({wanted})"


class ForPython(Module):
    """Base of what a config cannot use: a chain of layers has one input of floats to give, and this takes more.

    `takes` says what, for the message.
    """

    takes: ClassVar[str]
