"""Layers in a row, called one after the other; ops of theirs that can be done as one are (`ops.fusion`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lenetcli.autograd.modes import switches
from lenetcli.kernels import device
from lenetcli.kernels import dispatch as kernels
from lenetcli.nn.module import Module


def allowed() -> bool:
    """Whether many ops may become one now."""
    made = kernels.twin == "native" or device.library is not None
    return made and switches.fusion and not switches.anomaly and not switches.observers


def chain(modules: Sequence[Any], input: Any) -> Any:
    """Calls modules one after the other."""
    for module in modules:
        input = module(input)
    return input


def on_tape(module: Module, input: Any) -> Any:
    """The layers as they are, none of them recorded for itself."""
    before, switches.whole = switches.whole, True
    try:
        return module._layer_by_layer(input)
    finally:
        switches.whole = before
