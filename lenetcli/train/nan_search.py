"""`--debug-nan`: the first place where a number goes NaN or infinite - a batch, an operation, a gradient, a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lenetcli.autograd.anomaly import describe
from lenetcli.autograd.modes import detect_anomaly, fusion
from lenetcli.errors import AnomalyError, DivergedError
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.divergence import place
from lenetcli.train.run import Run


@contextmanager
def hunting(run: Run) -> Iterator[None]:
    """Within the block everything that training computes is checked, and the run ends at the first bad number.

    Layers run one by one, never fused, so that the operation named is the one that did it.

    Raises:
        DivergedError: names the operation, the module and the index of the first bad value, forward or backward; or the
            batch or the optimizer's step that brought it in.
    """

    def check_step(*_: Any) -> None:
        for name, parameter in run.model.named_parameters():
            found = describe(parameter.array)
            if found is not None:
                raise AnomalyError(f"the optimizer's step made {name} NaN or infinite: {found}")

    handles = [run.model.register_forward_pre_hook(_check_inputs), run.optimizer.register_step_post_hook(check_step)]
    try:
        with detect_anomaly(), fusion(False):
            yield
    except AnomalyError as error:
        raise DivergedError(f"{error}; {place(run)}") from error
    finally:
        for handle in handles:
            handle.remove()


def _check_inputs(module: Any, args: tuple[Any, ...]) -> None:
    for value in args:
        found = describe(value.array) if isinstance(value, Tensor) else None
        if found is not None:
            raise AnomalyError(f"the batch holds NaN or infinity before any operation: {found}")
