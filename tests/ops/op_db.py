"""torch's own operator database run against this package: `python -m tests.ops.op_db [NAME ...]` prints the counts.

Every sample of every op whose name the package offers (as function or method) is run forward, backward and in place.
An outcome is "equal", "refused" (NotImplementedError or TypeError) or says what is wrong.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import lenetcli as lenet

MOST_SAMPLES = 60  # of one op and type
RANDOM = {
    "bernoulli", "dropout", "empty", "empty_like", "new_empty", "normal", "rand", "rand_like", "randn", "randn_like",
    "randint",
    "randint_like", "randperm", "uniform", "exponential", "multinomial", "rrelu", "alpha_dropout",
    "feature_alpha_dropout", "dropout2d", "dropout3d", "dropout1d",
}  # fmt: skip
ADAPTED = {  # functions that the database calls in its own way
    "einsum": lambda tensors, equation: lenet.einsum(equation, *tensors),
    "T": lambda x: x.T,
    "H": lambda x: x.H,
    "mT": lambda x: x.mT,
    "mH": lambda x: x.mH,
    "nn.functional.embedding": lambda weight, index, **rest: lenet.nn.functional.embedding(index, weight, **rest),
}
PYTHON_NAMES = {"getitem": "__getitem__", "where": "where"}  # methods, where the database has other arguments


def offered(name: str) -> Callable[..., Any] | None:
    """The package's function or method behind a name of the database."""
    if name in ADAPTED:
        return ADAPTED[name]
    found: Any = lenet
    try:
        for part in name.split("."):
            found = getattr(found, part) if part not in PYTHON_NAMES else getattr(lenet.Tensor, PYTHON_NAMES[part])
    except (AttributeError, ImportError):
        found = getattr(lenet.Tensor, name, None)
    return found if callable(found) and not isinstance(found, type) else None


def offered_ops() -> list[Any]:
    """Entries of the database that the package offers."""
    from torch.testing._internal.common_methods_invocations import op_db

    return [op for op in op_db if offered(op.name) is not None and op.variant_test_name != "in_place"]


def converted(value: Any, leaves: list[tuple[Any, Any]]) -> Any:
    """torch's arguments as ours; leaves that require gradients are noted as (ours, torch's)."""
    import torch

    if isinstance(value, torch.Tensor):
        ours = lenet.from_numpy(value.detach().resolve_neg().numpy().copy(order="K"))
        if value.requires_grad:
            ours.requires_grad_()
            leaves.append((ours, value))
        return ours
    if isinstance(value, torch.dtype):
        return getattr(lenet, str(value).removeprefix("torch."))
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, (list, tuple)):
        return type(value)(converted(v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: converted(v, leaves) for k, v in value.items()}
    return value


def tensors(result: Any) -> list[Any]:
    """The tensors (and numbers) in a result."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def difference(got: Any, wanted: Any, tolerance: float) -> str | None:
    """What differs between our tensor (or number) and torch's."""
    import torch

    if not isinstance(wanted, torch.Tensor):
        return None if got == wanted else f"got {got!r}, wanted {wanted!r}"
    if not isinstance(got, lenet.Tensor):
        return f"got {type(got).__name__}, wanted a tensor"
    if tuple(got.shape) != tuple(wanted.shape):
        return f"shape {tuple(got.shape)}, wanted {tuple(wanted.shape)}"
    if str(got.dtype) != str(wanted.dtype):
        return f"dtype {got.dtype}, wanted {wanted.dtype}"
    ours, theirs = got.detach().numpy(), wanted.numpy(force=True)
    if np.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True):
        return None
    where = ~np.isclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True)
    return f"values {ours[where][:3]}, wanted {theirs[where][:3]}"


def outcome(op: Any, sample: Any, tolerance: float, in_place: bool = False) -> str | None:
    """The outcome of one sample; None where torch itself refuses it."""
    import torch

    leaves: list[tuple[Any, Any]] = []
    input, args, kwargs = (detached(v) for v in (sample.input, sample.args, sample.kwargs))
    random = op.name.rpartition(".")[2] in RANDOM
    try:
        function: Any = op.get_inplace() if in_place else op.op
        expected = tensors(function(input.clone() if in_place else input, *args, **kwargs))
    except Exception:
        return None
    if any(isinstance(e, torch.Tensor) and (e.is_complex() or e.is_sparse) for e in expected):
        return None
    try:
        input, args, kwargs = (converted(v, leaves) for v in (input, args, kwargs))
    except (TypeError, AttributeError):
        return "refused: an argument of a type that tensors here cannot have"
    try:
        ours: Any = getattr(lenet.Tensor, op.name + "_") if in_place else offered(op.name)
        fresh = in_place or op.name.endswith("_")
        got = tensors(ours(input.clone() if fresh else input, *args, **kwargs))
    except (NotImplementedError, TypeError) as error:
        return f"refused: {error}"
    except Exception as error:
        return f"wrong: raised {type(error).__name__}: {error}"
    if len(got) != len(expected):
        return f"wrong: {len(got)} results, wanted {len(expected)}"
    if random:
        return "equal" if all(tuple(g.shape) == tuple(e.shape) for g, e in zip(got, expected)) else "wrong: shapes"
    for number, (g, e) in enumerate(zip(got, expected)):
        problem = difference(g, e, tolerance)
        if problem:
            return f"wrong: result {number}: {problem}"
    return gradients(op, got, expected, leaves, 10 * tolerance)


def gradients(op: Any, got: list[Any], expected: list[Any], leaves: list[tuple[Any, Any]], tolerance: float) -> str:
    """The outcome of backward with fixed gradients."""
    import torch

    roots = [(g, e) for g, e in zip(got, expected) if isinstance(e, torch.Tensor) and e.requires_grad]
    if not roots or not op.supports_autograd or not leaves:
        return "equal"
    seeds = [
        np.random.default_rng(i).standard_normal(tuple(e.shape)).astype(str(e.dtype)[6:])
        for i, (_, e) in enumerate(roots)
    ]
    ends = [e for _, e in roots], [t for _, t in leaves], [torch.from_numpy(np.asarray(s)) for s in seeds]
    try:
        wanted = torch.autograd.grad(*ends, allow_unused=True)
    except (NotImplementedError, RuntimeError):
        return "equal"  # no gradient in torch either
    try:
        lenet.autograd.backward([g for g, _ in roots], [lenet.from_numpy(np.asarray(s)) for s in seeds])
    except NotImplementedError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"wrong: backward raised {type(error).__name__}: {error}"
    for number, ((ours, _), grad) in enumerate(zip(leaves, wanted)):
        if grad is None or ours.grad is None:
            if (grad is None or not grad.any()) and (ours.grad is None or not ours.grad.numpy().any()):
                continue
            return f"wrong: gradient {number}: got {ours.grad}, wanted {grad}"
        problem = difference(ours.grad, grad, tolerance)
        if problem:
            return f"wrong: gradient {number}: {problem}"
    return "equal"


def samples(op: Any, dtype: Any, reference: bool) -> Iterator[Any]:
    """Samples of one op, those of its larger reference set (extremes, strides) where asked for."""
    make = op.reference_inputs if reference else op.sample_inputs
    with contextlib.suppress(ValueError):  # torch asks for gradients of integers in some of its own sets
        yield from itertools.islice(
            make("cpu", dtype, requires_grad=op.supports_autograd), 5 * MOST_SAMPLES if reference else MOST_SAMPLES
        )


def detached(value: Any) -> Any:
    """torch's arguments as leaves: some are made as views."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().requires_grad_(value.requires_grad)
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(detached(v) for v in value)
    return {k: detached(v) for k, v in value.items()} if isinstance(value, dict) else value


def outcomes(op: Any, kind: str, reference: bool = False) -> Iterator[tuple[str, str]]:
    """(outcome, the sample in words) for samples of one op in "float32" or "float64"."""
    import torch

    dtype = getattr(torch, kind)
    if dtype not in op.supported_dtypes("cpu"):
        return
    tolerance = 2e-5 if kind == "float32" else 1e-9
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in samples(op, dtype, reference):
            words = f"{op.name} {op.variant_test_name} {kind}: {sample.summary()}"
            found = outcome(op, sample, tolerance)
            if found is not None:
                yield found, words
            if op.get_inplace() is not None and hasattr(lenet.Tensor, op.name + "_") and not sample.broadcasts_input:
                found = outcome(op, sample, tolerance, in_place=True)
                if found is not None:
                    yield found, "in place: " + words


def main(names: list[str]) -> None:
    reference = "--reference" in names
    names = [n for n in names if n != "--reference"]
    total: Counter[str] = Counter()
    for op in offered_ops():
        if names and op.name not in names:
            continue
        counts: Counter[str] = Counter()
        shown: set[str] = set()
        for kind in ("float32", "float64"):
            for found, words in outcomes(op, kind, reference):
                word = found.partition(":")[0]
                counts[word] += 1
                if word != "equal" and found not in shown and len(shown) < 4:
                    shown.add(found)
                    print(f"  {found[:230]}\n      {words[:300]}")
        total += counts
        if names or counts["equal"] != counts.total():
            print(f"{op.name} {op.variant_test_name}", dict(counts), flush=True)
    print("total", dict(total))


if __name__ == "__main__":
    main(sys.argv[1:])
