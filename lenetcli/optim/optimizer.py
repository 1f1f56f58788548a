"""Optimizer: parameters in groups with options, a state for each parameter, and the step that changes them."""

from __future__ import annotations

import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from operator import attrgetter, itemgetter
from typing import Any, ClassVar, TypeVar

import numpy as np

from lenetcli.autograd.dtypes import float64, get_default_dtype
from lenetcli.autograd.modes import enable_grad
from lenetcli.autograd.pending import settle
from lenetcli.autograd.tape import RemovableHandle, hooked
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.device import beside, to_host, write
from lenetcli.kernels.update import Objective, Rule
from lenetcli.tensors.tensor import Tensor, of_array

Hook = Callable[..., Any]
F = TypeVar("F", bound=Callable[..., Any])
_array, _grad = attrgetter("array"), attrgetter("_grad.array")


def _with_hooks(step: F) -> F:
    """A step that calls the hooks around it and lets schedulers know that it ran."""

    @functools.wraps(step)
    def call(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if self._opt_called is False:
            self._opt_called = True
        for hook in list(self._pre_hooks.values()):
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(f"a step pre-hook must return None or (args, kwargs), got {changed!r}")
                args, kwargs = changed
        result = step(self, *args, **kwargs)
        for hook in list(self._post_hooks.values()):
            hook(self, args, kwargs)
        return result

    return call  # type: ignore[return-value]  # wraps keeps the signature


class Optimizer:
    """Base of all optimizers. A subclass has a rule with its state and constants (see SGD), or a `step` of its own.

    Args:
        params: tensors, (name, tensor) pairs, or dictionaries `{"params": ..., option: value}`, one for each group.
        defaults: options of groups that do not set them.

    Raises:
        TypeError: something else than tensors.
        ValueError: no parameters, the same one twice, or one that is no leaf.

    Source: torch.optim.Optimizer.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.ones(1, requires_grad=True)
        >>> optimizer = lenet.optim.SGD([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.0]
    """

    _rule: Rule | None = None  # of kernels/update.py; its twin runs where there is one
    _counts: bool = True  # steps, in the state of each parameter
    _fixed: ClassVar[dict[str, Any]] = {}  # options that no loaded state changes
    _opt_called: bool | None = None  # None until a scheduler is attached, then whether step has run since

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]  # the same step, hooked

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {type(params).__name__}; put it in a list"
            )
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._without_hooks()
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def _without_hooks(self) -> None:
        self._pre_hooks: dict[int, Hook] = {}
        self._post_hooks: dict[int, Hook] = {}
        self._state_dict_hooks: dict[str, dict[int, Hook]] = defaultdict(dict)  # by moment: "before saving" ...

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, or what a file held: without hooks, which are functions of this process."""
        self._without_hooks()
        self.__dict__.update(state)

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            text += "".join(f"    {option}: {group[option]}\n" for option in sorted(group) if option != "params")
        return text + ")"

    # Parameters

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters with options of their own, such as layers that are unfrozen later.

        Args:
            param_group: `{"params": tensors, option: value, ...}`; other options take the defaults.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        members = [params] if isinstance(params, Tensor) else list(params)
        names = [member[0] for member in members if isinstance(member, tuple)]
        if names and len(names) != len(members):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        members = [member[1] if isinstance(member, tuple) else member for member in members]
        for param in members:
            if not isinstance(param, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
            if not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        self._check_against_others(members, bool(names))
        param_group["params"] = members
        if names:
            param_group["param_names"] = names
        for option, value in self.defaults.items():
            param_group.setdefault(option, value)
        self.param_groups.append(param_group)

    def _check_against_others(self, members: list[Tensor], named: bool) -> None:
        own = {id(p) for p in members}
        if len(own) != len(members):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; each is changed once for every entry",
                stacklevel=4,
            )
        for group in self.param_groups:
            if named != ("param_names" in group):
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param group "
                    f"{'with' if named else 'without'} names to the optimizer"
                )
            if any(id(p) in own for p in group["params"]):
                raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients: to None, or to zeros with `set_to_none=False`."""
        for group in self.param_groups:
            for p in group["params"]:
                if p._grad is None or set_to_none:
                    p._grad = None
                    continue
                if p.grad.grad_fn is not None:
                    p.grad = p.grad.detach()
                p.grad.requires_grad = False
                p.grad.array[...] = 0
                p.grad.counter[0] += 1

    # The step

    @_with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients anew; called first.

        Returns:
            What the closure returned.
        """
        if self._rule is None:
            raise NotImplementedError(f"{type(self).__name__} has neither a rule nor a step of its own")
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        settle()
        rule = getattr(kernels, self._rule.__name__)
        for group in self.param_groups:
            params = group["params"]
            try:
                grads = list(map(_grad, params))
            except AttributeError:  # some have none
                params = [p for p in params if p._grad is not None]
                grads = list(map(_grad, params))
            if grads:
                self._update(rule, params, grads, group)
            for p in params:
                (p._counter or p.counter)[0] += 1
        return loss

    def _update(self, rule: Rule, params: list[Tensor], grads: list[Any], group: dict[str, Any]) -> None:
        """Changes parameters of a group and their state by the rule; `map` is quick, and this is run in every step."""
        names = self._entries(group)
        counted = "step" if self._counts else None
        mark = counted or names[0] or ""  # none where SGD keeps no state
        states = list(map(self.state.__getitem__, params)) if mark else []
        steps: list[Any] = [False] * len(states)
        try:
            counts, *entries = _gathered(states, counted, *names)
        except (AttributeError, KeyError):  # a first step
            for i, (param, state) in enumerate(zip(params, states)):
                steps[i] = state.get(mark) is None  # False where a parameter is here twice
                if steps[i] and not (self._counts and state):  # a state without its count is damaged: a KeyError, below
                    state.update(self._begin(param, group))
            counts, *entries = _gathered(states, counted, *names)
        for i, t in enumerate(counts or ()):
            t += 1
            steps[i] = float(t)
        rule(list(map(_array, params)), grads, self._objective(group), self._constants(group), steps or None, *entries)

    def _entries(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        """The state that the rule takes, by name; None where the group's options do without."""
        raise NotImplementedError

    def _constants(self, group: dict[str, Any]) -> tuple[Any, ...]:
        """The rule's constants."""
        raise NotImplementedError

    def _objective(self, group: dict[str, Any]) -> Objective:
        """Sign and weight decay, as far as the optimizer has it; decoupled decay is a share of the parameter."""
        decay = float(group["weight_decay"]) if "weight_decay" in self.defaults else 0.0
        if decay and "decoupled_weight_decay" in self.defaults and group["decoupled_weight_decay"]:
            return Objective(bool(group["maximize"]), 0.0, 1 - float(group["lr"]) * decay)
        return Objective(bool(group["maximize"]), decay, 1.0)

    def _begin(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        """The state of a parameter before its first step."""
        step = {"step": scalar(0.0)} if self._counts else {}
        return step | {name: filled(param) for name in self._entries(group) if name}

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` before each step; a returned (args, kwargs) replaces them."""
        return hooked(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` after each step."""
        return hooked(self._post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` before each `state_dict`; with `prepend`, before the other hooks."""
        return hooked(self._state_dict_hooks["before saving"], hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` after each `state_dict`; what it returns, unless None, replaces it."""
        return hooked(self._state_dict_hooks["after saving"], hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` with a copy before it is loaded; a returned one replaces it."""
        return hooked(self._state_dict_hooks["before loading"], hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(optimizer)` after each `load_state_dict`."""
        return hooked(self._state_dict_hooks["after loading"], hook, prepend)

    # Saving and loading

    def state_dict(self) -> dict[str, Any]:
        """`{"state": {number: {...}}, "param_groups": [{..., "params": [numbers]}]}`; parameters are numbered in order.

        The tensors share memory with the optimizer.
        """
        for hook in list(self._state_dict_hooks["before saving"].values()):
            hook(self)
        numbers: dict[int, int] = {}
        groups = []
        count = 0
        for group in self.param_groups:
            for i, p in enumerate(group["params"], count):
                numbers.setdefault(id(p), i)
            count += len(group["params"])
            packed = {option: value for option, value in group.items() if option != "params"}
            groups.append(packed | {"params": [numbers[id(p)] for p in group["params"]]})
        state = {numbers[id(k)] if isinstance(k, Tensor) else k: v for k, v in self.state.items()}
        return self._changed("after saving", {"state": state, "param_groups": groups})

    def _changed(self, moment: str, state_dict: dict[str, Any]) -> dict[str, Any]:
        """A state dict after the hooks of the moment."""
        for hook in list(self._state_dict_hooks[moment].values()):
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        return state_dict

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over state and group options from what `state_dict` gave (torch's, too).

        Tensors are copied, in the parameter's type; NumPy arrays and torch tensors will do.

        Raises:
            ValueError: other groups, or state of another shape than its parameter; nothing is changed then.
        """
        state_dict = self._changed("before loading", dict(state_dict))
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved)}, the optimizer has {len(self.param_groups)}"
            )
        by_number: dict[Any, Tensor] = {}
        groups = []
        for i, (own, new) in enumerate(zip(self.param_groups, saved)):
            if len(own["params"]) != len(new["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group: "
                    f"group {i} has {len(new['params'])} parameters, the optimizer's has {len(own['params'])}"
                )
            by_number.update(zip(new["params"], own["params"]))
            options = {option: deepcopy(value) for option, value in new.items() if option != "params"}
            kept = {"param_names": own["param_names"]} if "param_names" in own else {}
            groups.append(self.defaults | kept | options | self._fixed | {"params": own["params"]})
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            param = by_number.get(number)
            if param is None:
                state[number] = values
            else:
                state[param] = {key: self._loaded(number, param, key, value) for key, value in values.items()}
        self.state, self.param_groups = state, groups
        for hook in list(self._state_dict_hooks["after loading"].values()):
            hook(self)

    def _loaded(self, number: Any, param: Tensor, key: str, value: Any) -> Any:
        if isinstance(value, Tensor):
            value = to_host(value.array)
        elementwise = self._rule is not None
        if key in ("step", "mu_product", "eta", "mu"):
            return of_array(np.asarray(value).astype(_counter_type()))
        if not hasattr(value, "__array__"):
            return deepcopy(value)
        value = np.asarray(value)
        if value.shape != param.array.shape:
            if elementwise and value.ndim:
                raise ValueError(
                    f"loaded state dict: {key} of parameter {number} has shape {list(value.shape)}, "
                    f"the parameter has {list(param.shape)}; was it saved for another model?"
                )
            return of_array(beside(param.array, value.astype(param.array.dtype)))
        loaded = np.empty_like(param.array)
        write(loaded, value)
        return of_array(loaded)


# What update rules need


def _gathered(states: list[dict[str, Any]], *names: str | None) -> Iterator[list[Any] | None]:
    """The arrays of each entry of the states; None for one without a name."""
    return (list(map(_array, map(itemgetter(name), states))) if name else None for name in names)


def scalar(value: float) -> Tensor:
    """A number of the state, such as the step count: a 0-d tensor, float32 unless the default is float64."""
    return of_array(np.array(value, _counter_type()))


def _counter_type() -> Any:
    return np.float64 if get_default_dtype() is float64 else np.float32


def filled(param: Tensor, value: float = 0.0) -> Tensor:
    """State of the parameter's shape, type and memory order."""
    return of_array(np.full_like(param.array, value))
