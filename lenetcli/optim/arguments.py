"""Checks of optimizer arguments, written once: each option has a range wherever it appears."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lenetcli.tensors.tensor import Tensor

# option -> (torch's word for it, lower bound, upper bound)
_RANGES = {
    "lr": ("learning rate", 0.0, math.inf),
    "eps": ("epsilon value", 0.0, math.inf),
    "weight_decay": ("weight_decay value", 0.0, math.inf),
    "momentum": ("momentum value", 0.0, math.inf),
    "momentum_decay": ("momentum_decay value", 0.0, math.inf),
    "lr_decay": ("lr_decay value", 0.0, math.inf),
    "initial_accumulator_value": ("initial_accumulator_value value", 0.0, math.inf),
    "alpha": ("alpha value", 0.0, math.inf),
    "rho": ("rho value", 0.0, 1.0),
}

# torch's choices of implementation: there is one here, so only these values are accepted
_SWITCHES: dict[str, bool | None] = {"foreach": None, "fused": None, "capturable": False, "differentiable": False}
_NO_OPTIONS = ("self", "params", "switches", "__class__")  # what else is local to a constructor


def checked(optimizer: Any, arguments: Mapping[str, Any], known: str) -> dict[str, Any]:
    """The defaults of an optimizer, after all checks: its options and torch's implementation switches.

    Args:
        optimizer: whose class names it in messages.
        arguments: the constructor's `locals()`: options by name, and further keyword arguments as `switches`.
        known: the switches that torch's constructor has, separated by spaces.

    Raises:
        ValueError: a value out of its range, or a Tensor of several elements.
        TypeError: a value that is no number, or an unknown argument.
        NotImplementedError: a switch that is turned on.
    """
    name, switches = type(optimizer).__name__, arguments["switches"]
    options = {option: arguments[option] for option in arguments if option not in _NO_OPTIONS}
    for option, value in options.items():
        if option in _RANGES:
            word, low, high = _RANGES[option]
            if not low <= _number(name, option, value) <= high:
                raise ValueError(f"Invalid {word}: {value}")
        elif option == "betas":
            _check_betas(name, value)
    for switch, value in switches.items():
        if switch not in known.split():
            have = ", ".join((*options, *known.split()))
            raise TypeError(f"{name}.__init__() got an unexpected keyword argument {switch!r}; it takes params, {have}")
        if value:
            _refuse(name, switch, options)
    return options | {switch: switches.get(switch, _SWITCHES[switch]) for switch in known.split()}


def _refuse(name: str, switch: str, options: Mapping[str, Any]) -> None:
    betas = [(f"betas[{i}]", beta) for i, beta in enumerate(options.get("betas", ()))]
    for option, value in (("lr", options["lr"]), *betas):
        if switch == "foreach" and name in ("Adam", "AdamW") and isinstance(value, Tensor):
            raise ValueError(f"{option} as a Tensor is not supported for capturable=False and foreach=True")
    raise NotImplementedError(f"{name}: {switch}=True is not supported; leave {switch} out")


def _number(name: str, option: str, value: Any) -> float:
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(f"Tensor {option} must be 1-element, got shape {tuple(value.shape)}")
        return float(value.item())
    try:
        return float(value + 0)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: {option} must be a number, got {type(value).__name__}: {value!r}") from None


def pair(name: str, option: str, value: Any) -> tuple[float, float]:
    """The two numbers of an option such as `betas`.

    Raises:
        TypeError: not a sequence of two numbers.
    """
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{name}: {option} must be two numbers such as (0.9, 0.999), got {value!r}")
    first, second = (_number(name, f"{option}[{i}]", v) for i, v in enumerate(value))
    return first, second


def _check_betas(name: str, betas: Any) -> None:
    for i, beta in enumerate(pair(name, "betas", betas)):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")
    if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
