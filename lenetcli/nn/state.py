"""A module's state by path: `state_dict`, `load_state_dict`, what a module may override of them, and their hooks."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from lenetcli.autograd.pending import settle
from lenetcli.autograd.tape import RemovableHandle, hooked
from lenetcli.kernels.device import write
from lenetcli.nn.parameter import Parameter
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor, of_array

if TYPE_CHECKING:
    from lenetcli.nn.module import Module

EXTRA_STATE = "_extra_state"  # the key under which a module's `get_extra_state` is kept
NO_HOOKS: Mapping[int, Any] = MappingProxyType({})  # until the first is registered


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class StateDict(OrderedDict[str, Any]):
    """Tensors by path, and in `_metadata` the version of each module that they come from."""

    _metadata: OrderedDict[str, dict[str, Any]]


class Stateful:
    """The part of Module that saves and loads. Each module of a tree is asked by its own methods.

    A module with state beside its tensors has `get_extra_state` and `set_extra_state`; one that stores its tensors in
    another way has `_save_to_state_dict` and `_load_from_state_dict`.
    """

    _version: ClassVar[int] = 1  # of the format; `_load_from_state_dict` finds it in its metadata
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]
    _state_dict_pre_hooks = NO_HOOKS
    _state_dict_hooks = NO_HOOKS
    _load_state_dict_pre_hooks = NO_HOOKS
    _load_state_dict_post_hooks = NO_HOOKS

    def _own_tensors(self) -> dict[str, Tensor]:
        """Parameters and persistent buffers of this module, without its children's."""
        left_out = self._non_persistent_buffers_set
        persistent = {name: b for name, b in self._buffers.items() if name not in left_out}
        return {name: value for name, value in {**self._parameters, **persistent}.items() if value is not None}

    # Saving

    def get_extra_state(self) -> Any:
        """What `state_dict` is to hold beside the tensors; a module that has such state overrides this."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: override get_extra_state and set_extra_state")

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Puts this module's own state, without its children's, into `destination`."""
        for name, value in self._own_tensors().items():
            destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """All parameters and persistent buffers by path; the tensors share memory with the module.

        Args:
            destination: a dictionary to put them into; a new one unless given.
            prefix: before every path, with its dot.
            keep_vars: give the parameters themselves, not detached.
        """
        if args:
            warnings.warn(
                "state_dict: positional arguments are deprecated, use destination=, prefix= and keep_vars=",
                FutureWarning,
                stacklevel=2,
            )
            given: tuple[Any, ...] = (destination, prefix, keep_vars)
            destination, prefix, keep_vars = args + given[len(args) :]
        if destination is None:
            destination = StateDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in list(self._state_dict_hooks.values()):
            changed = hook(self, destination, prefix, metadata)
            if changed is not None:
                destination = changed
        return destination

    # Loading

    def set_extra_state(self, state: Any) -> None:
        """Takes over what `get_extra_state` gave; a module that has such state overrides this."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: override get_extra_state and set_extra_state")

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Takes this module's own state, without its children's, from `state_dict`, which it may change.

        Args:
            prefix: of this module's paths.
            local_metadata: this module's, such as its `version`; empty for a plain dictionary.
            missing_keys, unexpected_keys, error_msgs: what is found wrong is added to these.
        """
        for hook, with_module in list(self._load_state_dict_pre_hooks.values()):
            owner = (self,) if with_module else ()
            hook(*owner, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = self._own_tensors()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, value in own.items():
            key = prefix + name
            if key in state_dict:
                problem = self._take(name, value, key, state_dict[key], assign)
                if problem:
                    error_msgs.append(problem)
            elif strict:
                missing_keys.append(key)
        extra = prefix + EXTRA_STATE
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                name, dot, _ = key.removeprefix(prefix).partition(".")
                if key.startswith(prefix) and key != extra and name not in (self._modules if dot else own):
                    unexpected_keys.append(key)

    def _take(self, name: str, own: Tensor, key: str, given: Any, assign: bool) -> str | None:
        """Copies (or, with `assign`, puts in its place) one value; gives what is wrong with it."""
        if not hasattr(given, "shape") or not hasattr(given, "__array__"):
            return (
                f'While copying the parameter named "{key}", expected a Tensor or an array from checkpoint but '
                f"received {type(given)}"
            )
        if not own.array.ndim and tuple(given.shape) == (1,):
            given = given[0]
        if tuple(given.shape) != own.array.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {Size(given.shape)} from checkpoint, "
                f"the shape in current model is {own.shape}."
            )
        if assign:
            tensor = given if isinstance(given, Tensor) else of_array(given)
            if not isinstance(own, Parameter):
                setattr(self, name, tensor)
            elif isinstance(tensor, Parameter):
                setattr(self, name, tensor.requires_grad_(own.requires_grad))
            else:
                setattr(self, name, Parameter(tensor, own.requires_grad))
        else:
            settle()
            write(own.array, given.array if isinstance(given, Tensor) else given)
            own.counter[0] += 1
        return None

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copies values into the parameters and buffers of the same paths.

        Args:
            strict: refuse missing and unexpected keys.
            assign: put the given tensors themselves in place of the module's.

        Returns:
            The missing and the unexpected keys; prints as `<All keys matched successfully>` where there are none.

        Raises:
            TypeError: `state_dict` is no mapping.
            RuntimeError: keys (with `strict`) or shapes differ; all differences are listed. What fits is copied before.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        state = StateDict(state_dict)  # a copy, which a module's own method may change
        if metadata is not None:
            state._metadata = metadata
        missing: list[str] = []
        unexpected: list[str] = []
        problems: list[str] = []
        keys = IncompatibleKeys(missing, unexpected)

        def load(module: Stateful, state: dict[str, Any], prefix: str) -> None:
            local: dict[str, Any] = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(state, prefix, local, True, missing, unexpected, problems)
            for name, child in module._modules.items():
                if child is not None:
                    path = f"{prefix}{name}."
                    load(child, {k: v for k, v in state.items() if k.startswith(path)}, path)
            for hook in list(module._load_state_dict_post_hooks.values()):
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "Hooks registered with register_load_state_dict_post_hook are not expected to return new "
                        "values; change incompatible_keys in place instead."
                    )

        load(self, state, "")
        if strict:
            for what, found in (("Unexpected", unexpected), ("Missing", missing)):
                if found:
                    problems.insert(0, f"{what} key(s) in state_dict: " + ", ".join(f'"{k}"' for k in found) + ". ")
        if problems:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(problems))
        return keys

    # Hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, prefix, keep_vars)` before this module's state is saved."""
        return self._add_hook("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)` after this module and its children are saved.

        It may change the dictionary in place, and must return None.
        """

        def checked(*args: Any) -> None:
            if hook(*args) is not None:
                raise RuntimeError("state_dict post-hook must return None")

        return self._add_hook("_state_dict_hooks", checked)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As `register_state_dict_post_hook`; at the root, a returned dictionary replaces the state."""
        return self._add_hook("_state_dict_hooks", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, ...)` with the arguments of `_load_from_state_dict` before this module is loaded."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        """As `register_load_state_dict_pre_hook`; without the module unless `with_module`."""
        return self._add_hook("_load_state_dict_pre_hooks", (hook, with_module))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls `hook(module, incompatible_keys)` after this module and its children are loaded."""
        return self._add_hook("_load_state_dict_post_hooks", hook)

    def _add_hook(self, table: str, hook: Any) -> RemovableHandle:
        self._modules  # noqa: B018  # an AttributeError where Module.__init__ has not run
        return hooked(self.__dict__.setdefault(table, {}), hook)
