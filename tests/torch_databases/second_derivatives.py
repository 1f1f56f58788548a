"""Second derivatives over torch's operator database: `python -m tests.torch_databases.second_derivatives [NAME ...]`.

Every sample of every op that `supports_gradgrad` there and is here, in float64: with fixed gradients of the results and
fixed gradients of their gradients, what comes back to the leaves and to the first. None stands for zeros. What torch
refuses is left out.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Container, Iterator
from typing import Any

import numpy as np

import lenetcli as lenet
from tests.torch_databases import operators
from tests.torch_databases.outcome import TOLERANCE, Measure, Row, show

MOST = 20  # samples of one op
KIND = "float64"
IN_PLACE = re.compile(r"[a-z].*_")


def seconds(library: Any, make: Any, roots: list[Any], leaves: list[Any]) -> list[Any]:
    """Second derivatives, by leaf and by gradient of a result."""
    seeds = [make(np.random.default_rng(i).standard_normal(tuple(root.shape))) for i, root in enumerate(roots)]
    for seed in seeds:
        seed.requires_grad_()
    first = library.autograd.grad(roots, leaves, seeds, create_graph=True, allow_unused=True)
    made = [(i, g) for i, g in enumerate(first) if g is not None and g.requires_grad]
    sources = [*leaves, *seeds]
    if not made:
        return [None] * len(sources)
    directions = [make(np.random.default_rng(90 + i).standard_normal(tuple(g.shape))) for i, g in made]
    return list(library.autograd.grad([g for _, g in made], sources, directions, allow_unused=True))


def outcome(op: Any, sample: Any, measure: Measure) -> str | None:
    """The outcome of one sample; None where torch has no second derivative."""
    import torch

    leaves: list[tuple[Any, Any]] = []
    input, args, kwargs = (operators.detached(v) for v in (sample.input, sample.args, sample.kwargs))
    try:
        expected = operators.tensors(op.op(input, *args, **kwargs))
        roots = [(i, e) for i, e in enumerate(expected) if isinstance(e, torch.Tensor) and e.requires_grad]
        if not roots or any(e.is_complex() or e.is_sparse for e in expected if isinstance(e, torch.Tensor)):
            return None
        input, args, kwargs = (operators.converted(v, leaves) for v in (input, args, kwargs))
        wanted = seconds(torch, torch.from_numpy, [e for _, e in roots], [t for _, t in leaves])
    except Exception:
        return None
    try:
        got = operators.tensors(operators.offered(op.name)(input, *args, **kwargs))  # type: ignore[misc]  # it is here
        found = seconds(lenet, lenet.from_numpy, [got[i] for i, _ in roots], [ours for ours, _ in leaves])
    except (NotImplementedError, TypeError) as error:
        return f"refused: {error}"
    except Exception as error:
        return f"wrong: raised {type(error).__name__}: {error}"
    for number, (ours, theirs) in enumerate(zip(found, wanted)):
        if ours is None or theirs is None:
            if any(g is not None and (abs(g.numpy()) > measure.tolerance).any() for g in (ours, theirs)):
                return f"wrong: second derivative {number}: got {ours}, wanted {theirs}"
            continue
        problem = measure.problem(ours, theirs)
        if problem:
            return f"wrong: second derivative {number}: {problem}"
    return "equal"


def row(op: Any) -> Row:
    """All samples of one op."""
    import torch

    found, measure = Row(f"{op.name} {op.variant_test_name}".strip()), Measure(100 * TOLERANCE[KIND])
    random = op.name.rpartition(".")[2] in operators.RANDOM
    if (
        not op.supports_gradgrad
        or random
        or IN_PLACE.fullmatch(op.name)
        or torch.float64 not in op.supported_dtypes("cpu")
    ):
        return found
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, sample in enumerate(operators.samples(op, torch.float64, False)):
            if number == MOST:
                break
            result = None if sample.kwargs.get("dropout_p") else outcome(op, sample, measure)
            if result is not None:
                found.add(result, sample.summary())
    return found


def rows(names: Container[str] = ()) -> Iterator[Row]:
    """A row for each op that is here, or for those of `names`."""
    return (row(op) for op in operators.offered_ops() if not names or op.name in names)


if __name__ == "__main__":
    show(rows(sys.argv[1:]), everything=len(sys.argv) > 1)
