"""torch's optimizer database: `python -m tests.torch_databases.optimizers [NAME ...]` prints the counts.

Every sample of arguments: 25 steps on the same parameters and gradients, then parameters and state compared.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Container, Iterator
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli import optim
from tests.torch_databases.operators import converted, detached
from tests.torch_databases.outcome import TOLERANCE, Measure, Row, show

STEPS = 25
SHAPES = ((3, 4), (5,), ())


def shapes(name: str) -> tuple[tuple[int, ...], ...]:
    """Of the parameters; Muon takes matrices."""
    return ((3, 4), (5, 2), (1, 1)) if name == "Muon" else SHAPES


def offered_optimizers() -> list[Any]:
    """Entries of the database that optim exports."""
    from torch.testing._internal.common_optimizers import optim_db

    return [o for o in optim_db if o.optim_cls.__name__ in optim.__all__]


def outcome(info: Any, options: dict[str, Any], kind: str, values: Measure) -> str:
    """The outcome of 25 steps with these options."""
    import torch

    random = np.random.default_rng(0)
    starts = [random.standard_normal(shape).astype(kind) for shape in shapes(info.optim_cls.__name__)]
    ours = [lenet.tensor(s, requires_grad=True) for s in starts]
    theirs = [torch.tensor(s, requires_grad=True) for s in starts]
    expected = info.optim_cls(theirs, **detached(options))
    try:
        optimizer = getattr(optim, info.optim_cls.__name__)(ours, **converted(detached(options), []))
    except (NotImplementedError, TypeError) as error:
        return f"refused: {error}"
    if info.step_requires_closure:
        return _by_closures(optimizer, expected, ours, theirs, values)
    for _ in range(STEPS):
        for o, t in zip(ours, theirs):
            gradient = random.standard_normal(tuple(t.shape)).astype(kind)
            o.grad, t.grad = lenet.tensor(gradient), torch.tensor(gradient)
        optimizer.step()
        expected.step()
    pairs = [(f"parameter {i}", o, t) for i, (o, t) in enumerate(zip(ours, theirs))]
    state, wanted = optimizer.state_dict()["state"], expected.state_dict()["state"]
    if state.keys() != wanted.keys():
        return f"wrong: state of {list(state)}, wanted {list(wanted)}"
    for index, entries in wanted.items():
        if entries.keys() != state[index].keys():
            return f"wrong: state {index} has {list(state[index])}, wanted {list(entries)}"
        pairs += [(f"state {index}.{key}", state[index][key], value) for key, value in entries.items()]
    for what, got, target in pairs:
        problem = values.problem(got, target)
        if problem:
            return f"wrong: {what}: {problem}"
    return "equal"


def _by_closures(optimizer: Any, expected: Any, ours: list[Any], theirs: list[Any], values: Measure) -> str:
    """The outcome of steps that compute a loss again: powers of the distance from 1."""

    def closure(one: Any, params: list[Any]) -> Any:
        one.zero_grad()
        loss = sum(((p - 1) ** 4 + (p - 1) ** 2).sum() for p in params)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(lambda: closure(optimizer, ours))
        expected.step(lambda: closure(expected, theirs))
    for i, (o, t) in enumerate(zip(ours, theirs)):
        problem = values.problem(o, t)
        if problem:
            return f"wrong: parameter {i}: {problem}"
    return "equal"


def row(info: Any) -> Row:
    """All samples of one optimizer."""
    found = Row(info.optim_cls.__name__)
    for kind, tolerance in TOLERANCE.items():
        values = Measure(tolerance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for sample in info.optim_inputs_func("cpu"):
                found.add(outcome(info, sample.kwargs, kind, values), f"{kind}: {sample.desc} {sample.kwargs}")
        if kind == "float32":
            found.measured(values, Measure(0))
    return found


def rows(names: Container[str] = ()) -> Iterator[Row]:
    """A row for each optimizer that optim exports, or for those of `names`."""
    return (row(o) for o in offered_optimizers() if not names or o.optim_cls.__name__ in names)


if __name__ == "__main__":
    show(rows(sys.argv[1:]), everything=len(sys.argv) > 1)
