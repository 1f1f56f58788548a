"""The moments after backward: gradients are limited, the optimizer changes the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lenetcli.inspection.statistics import norm
from lenetcli.inspection.step.optimizer_examples import numbers_at, update_by_hand
from lenetcli.inspection.step.rules import code, source
from lenetcli.inspection.step.story import Array, Change, Moment
from lenetcli.inspection.step.written_out import ByHand, Index
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.run import Run
from lenetcli.train.step import Phase

HEALTHY = "rule of thumb: relative changes of 0.001 to 0.01 a step; far more shakes the net, far less hardly trains it"


def gradients(run: Run) -> dict[str, Array | None]:
    """A copy of each parameter's gradient."""
    named = run.model.named_parameters()
    return {name: None if p.grad is None else p.grad.array.copy(order="K") for name, p in named}


def limit_moment(run: Run, limit: Phase, number: int) -> Iterator[Moment]:
    """Limits the gradients; no moment where the run's options set no limit."""
    if run.clip_norm is None and run.clip_value is None:
        limit()
        return
    before = gradients(run)
    together = norm(g for g in before.values() if g is not None)
    limit()
    after = gradients(run)
    rules = []
    if run.clip_value is not None:
        rules.append(f"p.grad ← p.grad limited to [−{run.clip_value:g}, {run.clip_value:g}]")
    if run.clip_norm is not None:
        rules.append(f"p.grad ← p.grad · min(1, {run.clip_norm:g} / norm of all gradients together)")
    changes = tuple(Change(f"{name}.grad", before[name], after[name]) for name in before)
    note = f"the norm of all gradients together was {together:.4g}"
    yield Moment(number, "clip", "gradients are limited", rules=tuple(rules), changes=changes, notes=(note,))


def update_moments(run: Run, update: Phase, name: str, index: Index, number: int) -> Iterator[Moment]:
    """Makes the update: the rule worked out for one number, then what happened to every parameter."""
    optimizer, followed, warm = run.optimizer, run.model.get_parameter(name), run.warm
    before = {key: p.array.copy(order="K") for key, p in run.model.named_parameters()}
    state = _arrays(optimizer.state.get(followed, {}))
    group = next(g for g in optimizer.param_groups if any(p is followed for p in g["params"]))
    options = {key: value for key, value in group.items() if key not in ("params", "param_names")}
    options["lr"] = group["lr"] * warm
    worked = _worked(run, options, followed, state, index)
    update()
    if worked:
        worked[-1] = replace(worked[-1], actual=float(followed.array[index]))
    notes = [f"with {', '.join(f'{key} {value}' for key, value in options.items() if value)}"]
    if warm != 1.0:
        notes.append(f"warm-up: the learning rate is {warm:.4g} of what the schedule says")
    changes = [Change(name, before[name], followed.array.copy(order="K"))]
    new = _arrays(optimizer.state.get(followed, {}))
    changes += [Change(f"its {key}", state.get(key), value) for key, value in new.items()]
    yield Moment(
        number,
        "update",
        f"{type(optimizer).__name__}, by one number: {name}" + (f"[{','.join(map(str, index))}]" if index else ""),
        by_hand=tuple(worked),
        changes=tuple(changes),
        notes=tuple(notes),
        source=source(type(optimizer)),
        code=code(type(optimizer), "_rule"),
    )
    notes = [HEALTHY]
    frozen = [key for key, p in run.model.named_parameters() if not p.requires_grad]
    if frozen:
        notes.append(f"frozen, so neither gradient nor step: {', '.join(frozen)}")
    notes += _rates(run)
    still = [key for key, p in run.model.named_parameters() if p.grad is None and p.requires_grad]
    if still:
        notes.append(f"no gradient, so no step: {', '.join(still)}")
    if run.average is not None:
        notes.append("the moving average of the weights (train.ema) has taken its step, too")
    moved = tuple(Change(key, before[key], p.array.copy(order="K")) for key, p in run.model.named_parameters())
    yield Moment(number + 1, "update", "every parameter", changes=moved, notes=tuple(notes))


def _rates(run: Run) -> Iterator[str]:
    """Which parameters take which rate, where they differ."""
    names = {id(p): key for key, p in run.model.named_parameters()}
    groups = [(g["lr"] * run.warm, [names[id(p)] for p in g["params"] if p.requires_grad and id(p) in names])
              for g in run.optimizer.param_groups]  # fmt: skip
    if len({lr for lr, _ in groups}) > 1:
        for lr, own in groups:
            if own:
                yield f"the learning rate of {', '.join(own)} is {lr:.4g}"


def _worked(run: Run, options: dict[str, Any], followed: Any, state: dict[str, Array], index: Index) -> list[ByHand]:
    """The rule by hand, for a parameter that has a gradient."""
    if followed.grad is None or not followed.array.size:
        return []
    numbers = numbers_at(state, followed.array.shape, index)
    p, gradient = float(followed.array[index]), float(followed.grad.array[index])
    return update_by_hand(run.optimizer, options, p, gradient, numbers)


def _arrays(state: dict[str, Any]) -> dict[str, Array]:
    return {key: np.array(value.array if isinstance(value, Tensor) else value) for key, value in state.items()}
