"""A model as it is in evaluation, whatever its mode and its calls say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.nn import functional as F
from lenetcli.nn.module import Module

# functions that draw numbers in training: here they are as in evaluation, whatever the call says
RANDOM = {
    inspect.unwrap(f) for f in (F.dropout, F.dropout1d, F.dropout2d, F.alpha_dropout, F.feature_alpha_dropout, F.rrelu)
}

signature = cache(inspect.signature)


class Evaluated:
    """Nothing is drawn, even where a call says so."""

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function that is marked `whole` is called."""
        if function not in RANDOM:
            return function(*args, **kwargs)
        bound = signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        if bound.arguments["training"] and bound.arguments.get("p", 1):
            self.silences(function.__name__)
        bound.arguments["training"] = False
        return function(*bound.args, **bound.kwargs)

    def silences(self, name: str) -> None:
        """A call that would draw, in evaluation mode, too, does not."""

    def assigns(self, target: Any, result: Any) -> None:
        """A tensor is to be changed in place."""


@contextmanager
def evaluated() -> Iterator[None]:
    """Within the block functions that draw numbers in training are as in evaluation."""
    switches.tracer, before = Evaluated(), switches.tracer
    try:
        yield
    finally:
        switches.tracer = before


@contextmanager
def evaluation_mode(model: Module) -> Iterator[None]:
    """Evaluation mode; modes and buffers are put back."""
    was_training = [module for module in model.modules() if module.training]
    buffers = [(buffer, buffer.array, buffer.array.copy(order="K")) for buffer in model.buffers()]
    model.eval()
    try:
        yield
    finally:
        for module in was_training:
            module.training = True
        for buffer, array, values in buffers:
            if not np.array_equal(array, values, equal_nan=array.dtype.kind == "f"):
                array[...] = values
            buffer.array = array
