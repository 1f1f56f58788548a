"""torch's module database: `python -m tests.torch_databases.modules [NAME ...]` prints the counts.

Every sample of every layer and loss that nn exports: same text, same state, same output and gradients (of inputs and
parameters) with torch's weights, in training and evaluation, in float32 and float64.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Container, Iterator
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli import nn
from tests.torch_databases.operators import converted, detached, tensors
from tests.torch_databases.outcome import TOLERANCE, Measure, Row, show

RANDOM = {
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "AlphaDropout",
    "FeatureAlphaDropout",
    "RReLU",
}  # in training


def offered_modules() -> list[Any]:
    """Entries of the database that nn exports; but lazy layers, whose state comes later: they have their own test."""
    from torch.testing._internal.common_modules import module_db

    names = {name for name in nn.__all__ if not name.startswith("Lazy")}
    return [m for m in module_db if m.name.removeprefix("nn.") in names]


def outcome(info: Any, sample: Any, training: bool, values: Measure, slopes: Measure) -> str | None:
    """The outcome of one sample; None where torch itself refuses it."""
    name = info.name.removeprefix("nn.")
    made, call = sample.constructor_input, sample.forward_input
    try:
        theirs = info.module_cls(*detached(made.args), **detached(made.kwargs))
    except Exception:
        return None
    theirs.train(training)
    leaves: list[tuple[Any, Any]] = []
    t_args, t_kwargs = detached(call.args), detached(call.kwargs)
    try:
        args, kwargs = converted(t_args, leaves), converted(t_kwargs, leaves)
        c_args, c_kwargs = converted(detached(made.args), []), converted(detached(made.kwargs), [])
    except (TypeError, AttributeError):
        return "refused: an argument of a type that tensors here cannot have"
    try:
        ours = getattr(nn, name)(*c_args, **c_kwargs)
    except (NotImplementedError, TypeError) as error:
        return f"refused: {error}"
    if list(ours.state_dict()) != list(theirs.state_dict()):
        return f"wrong: state {list(ours.state_dict())}, wanted {list(theirs.state_dict())}"
    if repr(ours) != repr(theirs):
        return f"wrong: prints {ours!r}, wanted {theirs!r}"
    ours.load_state_dict({k: lenet.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    ours.train(training)
    try:
        expected = tensors(theirs(*t_args, **t_kwargs))
    except Exception:
        return None
    try:
        got = tensors(ours(*args, **kwargs))
    except (NotImplementedError, TypeError) as error:
        return f"refused: {error}"
    except Exception as error:
        return f"wrong: raised {type(error).__name__}: {error}"
    if training and name in RANDOM:
        return "equal" if [tuple(g.shape) for g in got] == [tuple(e.shape) for e in expected] else "wrong: shapes"
    for number, (g, e) in enumerate(zip(got, expected)):
        problem = values.problem(g, e)
        if problem:
            return f"wrong: result {number}: {problem}"
    leaves += list(zip(ours.parameters(), theirs.parameters()))
    problem = _state(ours, theirs, values) or _gradients(got, expected, leaves, slopes)
    return f"wrong: {problem}" if problem else "equal"


def _state(ours: Any, theirs: Any, values: Measure) -> str | None:
    """What differs between the buffers after the call."""
    for (name, g), (_, e) in zip(ours.named_buffers(), theirs.named_buffers()):
        problem = values.problem(g, e)
        if problem:
            return f"buffer {name}: {problem}"
    return None


def _gradients(got: list[Any], expected: list[Any], leaves: list[tuple[Any, Any]], slopes: Measure) -> str | None:
    """What differs after backward with fixed gradients."""
    import torch

    roots = [(g, e) for g, e in zip(got, expected) if isinstance(e, torch.Tensor) and e.requires_grad]
    if not roots:
        return None
    seeds = [np.random.default_rng(i).standard_normal(tuple(e.shape)) for i, (_, e) in enumerate(roots)]
    torch.autograd.backward([e for _, e in roots], [torch.tensor(s, dtype=e.dtype) for s, (_, e) in zip(seeds, roots)])
    lenet.autograd.backward([g for g, _ in roots], [lenet.tensor(s, dtype=g.dtype) for s, (g, _) in zip(seeds, roots)])
    for number, (g, e) in enumerate(leaves):
        if e.grad is None or g.grad is None:
            if (e.grad is None or not e.grad.any()) and (g.grad is None or not g.grad.numpy().any()):
                continue
            return f"gradient {number}: got {g.grad}, wanted {e.grad}"
        problem = slopes.problem(g.grad, e.grad)
        if problem:
            return f"gradient {number}: {problem}"
    return None


def row(info: Any) -> Row:
    """All samples of one module."""
    import torch

    found = Row(info.name.removeprefix("nn."))
    for kind, tolerance in TOLERANCE.items():
        dtype = getattr(torch, kind)
        if dtype not in info.dtypes:
            continue
        values, slopes = Measure(tolerance), Measure(10 * tolerance)
        for training in (True, False):
            torch.manual_seed(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
                torch.set_default_dtype(dtype)
                lenet.set_default_dtype(getattr(lenet, kind))
                try:
                    for sample in made:
                        result = outcome(info, sample, training, values, slopes)
                        if result is not None:
                            found.add(result, f"{kind}, training={training}: {sample.desc} {sample.constructor_input}")
                finally:
                    torch.set_default_dtype(torch.float32)
                    lenet.set_default_dtype(lenet.float32)
        if kind == "float32":
            found.measured(values, slopes)
    return found


def rows(names: Container[str] = ()) -> Iterator[Row]:
    """A row for each module that nn exports, or for those of `names`."""
    return (row(m) for m in offered_modules() if not names or m.name.removeprefix("nn.") in names)


if __name__ == "__main__":
    show(rows(sys.argv[1:]), everything=len(sys.argv) > 1)
