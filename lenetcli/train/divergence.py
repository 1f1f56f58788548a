"""Divergence: a loss, a gradient or a weight that is no finite number ends the run before it is kept.

The checks cost next to nothing: the loss is a number that the loop has anyway, gradients are looked through once, and
weights only before they are saved. `--debug-nan` checks all that
is computed, for the first place where a number went NaN or infinite: a batch, an operation, a gradient, a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lenetcli.autograd.anomaly import describe
from lenetcli.autograd.modes import detect_anomaly, fusion
from lenetcli.errors import AnomalyError, DataError, DivergedError
from lenetcli.kernels import dispatch as kernels
from lenetcli.tensors.tensor import Tensor
from lenetcli.train import bad_inputs
from lenetcli.train.evaluate import Evaluation
from lenetcli.train.run import Run


def check_loss(run: Run, value: float, ago: int = 0) -> None:
    """Raises DivergedError where the loss of the coming step, or of one some steps ago, is no finite number.

    Of several processes that train one run, none ends alone: all do when they have added up their losses.
    """
    if not math.isfinite(value) and run.reducer is None:
        raise diverged(run, f"the loss became {value}", ago=ago)


def check_gradients(run: Run) -> None:
    """Raises DivergedError where a gradient of the coming step is not finite, and names the parameter.

    Not on a device, which it would have to wait for: there a loss that is not finite tells, some steps later.
    """
    if run.device != "cpu":
        return
    arrays = [p._grad.array for group in run.optimizer.param_groups for p in group["params"] if p._grad is not None]
    if not kernels.all_finite(arrays):
        for name, parameter in run.model.named_parameters():
            found = describe(parameter.grad.array) if parameter.grad is not None else None
            if found is not None:
                raise diverged(run, f"the gradient of {name} became NaN or infinite ({found})")


def check_weights(run: Run) -> None:
    """Raises DivergedError where a weight or a buffer is not finite: such a model is not worth keeping."""
    state = run.model.state_dict()
    if not kernels.all_finite([tensor.array for tensor in state.values() if tensor.array.dtype.kind == "f"]):
        for name, tensor in state.items():
            found = describe(tensor.array)
            if found is not None:
                raise diverged(run, f"{name} became NaN or infinite ({found})", after=True)


def check_evaluation(run: Run, split: str, found: Evaluation) -> None:
    """Raises DivergedError where the loss on a split is no finite number, DataError where it is the mean of nothing."""
    if found.count and not found.weight:
        why = "its samples are of classes that loss.ignore_index names or that weigh 0"
        raise DataError(f"nothing counts in the {split} split ({found.count} samples): {why}")
    if not math.isfinite(found.loss):
        loader = run.validation_loader if split == "validation" else run.test_loader
        inputs = bad_inputs.of_split(loader.dataset, split, loader.seed) if loader is not None else ""
        raise diverged(run, f"the loss on the {split} split became {found.loss}", after=True, inputs=inputs)


def diverged(run: Run, what: str, after: bool = False, ago: int = 0, inputs: str = "") -> DivergedError:
    """The error that says what happened where, and what to try.

    Args:
        what: the beginning of the message.
        after: it was seen after the last step; else in the one to come.
        ago: or in the one so many steps before that.
        inputs: what is wrong with the inputs, where they are not those of that step.
    """
    where = f"after step {run.progress.step} with lr {run.lr:g}" if after else place(run, ago)
    kept = "; the last checkpoint is kept" if run.checkpoints is not None and run.checkpoints.exist() else ""
    inputs = inputs or bad_inputs.of_step(run, 1 if after else ago)
    if inputs:
        return DivergedError(
            f"{what} {where}{kept}. It came in with the data: {inputs}; `lenet data check CONFIG` looks at every sample"
        )
    return DivergedError(
        f"{what} {where}{kept}. "
        "Try a smaller optimizer.lr or train.clip_grad_norm; --debug-nan names the first operation that went wrong"
    )


def place(run: Run, ago: int = 0) -> str:
    """Where the coming step is, or one some steps ago: "at step 12 (epoch 1, batch 12) with lr 0.1"."""
    p = run.progress
    batch = p.batch + 1 - ago * run.accumulate
    return f"at step {p.step + 1 - ago} (epoch {p.epoch + 1}, batch {batch}) with lr {run.lr:g}"


@contextmanager
def detect_nan(run: Run) -> Iterator[None]:
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
        inputs = bad_inputs.of_step(run)
        raise DivergedError(f"{error}; {place(run)}{f': {inputs}' if inputs else ''}") from error
    finally:
        for handle in handles:
            handle.remove()


def _check_inputs(module: Any, args: tuple[Any, ...]) -> None:
    for value in args:
        found = describe(value.array) if isinstance(value, Tensor) else None
        if found is not None:
            raise AnomalyError(f"the batch holds NaN or infinity before any operation: {found}")
