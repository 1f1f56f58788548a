"""Another set of parameters and state in an optimizer's place, for a while."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lenetcli.optim.optimizer import Optimizer
from lenetcli.tensors.tensor import Tensor

_NAME = "swap_in_optimizer_params_and_state"


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: Mapping[str, Tensor], swapin_optim_state: Mapping[str, Any]
) -> Iterator[None]:
    """Lets an optimizer change other tensors, with their own state and options; afterwards it is as before.

    Args:
        optimizer: has made a step.
        swapin_parameters: what it changes in the block, in the order of its groups.
        swapin_optim_state: what `state_dict` gives. Its tensors are changed in place; entries that a step adds are not
            kept.

    Raises:
        RuntimeError: another number of groups or parameters, other options, or an optimizer without state.

    Source: torch.optim.swap_in_optimizer_params_and_state.

    Example:
        >>> import lenetcli as lenet
        >>> w, other = lenet.nn.Parameter(lenet.ones(1)), lenet.nn.Parameter(lenet.ones(1))
        >>> optimizer = lenet.optim.SGD([w], lr=0.5, momentum=0.5)
        >>> w.grad, other.grad = lenet.ones(1), lenet.ones(1)
        >>> optimizer.step()
        >>> with lenet.optim.swap_in_optimizer_params_and_state(optimizer, {"w": other}, optimizer.state_dict()):
        ...     optimizer.step()
        >>> w.tolist(), other.tolist()
        ([0.5], [0.25])
    """
    state, groups = _checked(optimizer, swapin_parameters, swapin_optim_state)
    before = optimizer.state, [dict(group) for group in optimizer.param_groups]
    swapped: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
    left = iter(swapin_parameters.values())
    try:
        for own, given in zip(optimizer.param_groups, groups):
            params = [next(left) for _ in given["params"]]
            own.update(given | {"params": params})
            for param, number in zip(params, given["params"]):
                swapped[param] = dict(state.get(number, {}))
        optimizer.state = swapped
        yield
    finally:
        optimizer.state = before[0]
        for own, kept in zip(optimizer.param_groups, before[1]):
            own.clear()
            own.update(kept)


def _checked(
    optimizer: Optimizer, parameters: Mapping[str, Tensor], given: Mapping[str, Any]
) -> tuple[Mapping[Any, dict[str, Any]], list[dict[str, Any]]]:
    """State and groups of what `state_dict` gave, if they fit the optimizer."""
    if not optimizer.state:
        raise RuntimeError(f"{_NAME} requires initialized optimizer state; make a step first")
    if not isinstance(given, Mapping) or not isinstance(given.get("state"), Mapping):
        raise RuntimeError(f"{_NAME} requires what optimizer.state_dict() gives, got {type(given).__name__}")
    state, groups = given["state"], given.get("param_groups")
    if not isinstance(groups, list) or len(groups) != len(optimizer.param_groups):
        raise RuntimeError("swapin_optim_state has a different number of parameter groups than the live optimizer.")
    for i, (own, new) in enumerate(zip(optimizer.param_groups, groups)):
        if len(own["params"]) != len(new["params"]):
            raise RuntimeError(
                f"swapin_optim_state param group {i} has a different number of params than the live optimizer param "
                f"group: {len(new['params'])}, not {len(own['params'])}"
            )
        if own.keys() != new.keys():
            other = ", ".join(sorted(own.keys() ^ new.keys()))
            raise RuntimeError(
                f"{_NAME} requires the options of group {i} to be the optimizer's; these differ: {other}"
            )
    numbers = [number for group in groups for number in group["params"]]
    if len(parameters) < len(numbers):
        raise RuntimeError(f"{_NAME} requires {len(numbers)} parameters, got {len(parameters)}")
    extra = sorted(set(state) - set(numbers), key=str)
    if extra:
        raise RuntimeError(f"{_NAME}: swapin_optim_state has state for {extra}, which no group names")
    return state, groups
