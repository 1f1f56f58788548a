"""torch's operator database: `python -m tests.torch_databases.operators [--reference] [NAME ...]` prints the counts.

Every sample of every op whose name the package offers (as function or method) is run forward, backward and in place.
An outcome is "equal", "refused" (NotImplementedError or TypeError) or says what is wrong.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import warnings
from collections.abc import Callable, Container, Iterator
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.nn.utils.rnn import PackedSequence
from tests.torch_databases.outcome import TOLERANCE, Beside, Measure, Row, show

MOST_SAMPLES = 60  # of one op and type
RANDOM = {
    "bernoulli", "dropout", "empty", "empty_like", "new_empty", "normal", "rand", "rand_like", "randn", "randn_like",
    "randint",
    "randint_like", "randperm", "uniform", "exponential", "multinomial", "rrelu", "alpha_dropout",
    "feature_alpha_dropout", "multi_head_attention_forward", "dropout2d", "dropout3d", "dropout1d",
    "fractional_max_pool2d", "fractional_max_pool3d",
}  # fmt: skip
ADAPTED = {  # functions that the database calls in its own way
    "einsum": lambda tensors, equation: lenet.einsum(equation, *tensors),
    "T": lambda x: x.T,
    "H": lambda x: x.H,
    "mT": lambda x: x.mT,
    "mH": lambda x: x.mH,
    "nn.functional.embedding": lambda weight, index, **rest: lenet.nn.functional.embedding(index, weight, **rest),
    "nn.functional.embedding_bag": lambda weight, index, **rest: lenet.nn.functional.embedding_bag(
        index, weight, **rest
    ),
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
    if value in (torch.nn.functional.relu, torch.nn.functional.gelu):
        return getattr(lenet.nn.functional, value.__name__)
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return encoder_layer(value)
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return PackedSequence(*(converted(v, leaves) for v in value))
    if isinstance(value, (list, tuple)):
        return type(value)(converted(v, leaves) for v in value)
    if isinstance(value, dict):
        return {k: converted(v, leaves) for k, v in value.items()}
    return value


def encoder_layer(theirs: Any) -> Any:
    """A layer of ours with torch's arguments and weights."""
    attention = theirs.self_attn
    ours = lenet.nn.TransformerEncoderLayer(
        attention.embed_dim, attention.num_heads, theirs.linear1.out_features, theirs.dropout.p,
        theirs.activation.__name__, theirs.norm1.eps, attention.batch_first, theirs.norm_first,
        attention.in_proj_bias is not None,
    )  # fmt: skip
    ours.load_state_dict({name: lenet.from_numpy(x.numpy().copy()) for name, x in theirs.state_dict().items()})
    return ours


def tensors(result: Any) -> list[Any]:
    """The tensors (and numbers) in a result."""
    if not isinstance(result, (tuple, list)):
        return [result]
    if hasattr(result, "batch_sizes"):  # of a packed sequence
        return [result.data, result.batch_sizes]
    return [t for part in result for t in (tensors(part) if isinstance(part, tuple) else [part])]


def outcome(op: Any, sample: Any, values: Measure, slopes: Measure, in_place: bool = False) -> str | None:
    """The outcome of one sample; None where torch itself refuses it. Differences are noted in the two measures."""
    import torch

    leaves: list[tuple[Any, Any]] = []
    input, args, kwargs = (detached(v) for v in (sample.input, sample.args, sample.kwargs))
    random = op.name.rpartition(".")[2] in RANDOM or bool(sample.kwargs.get("dropout_p"))
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
        problem = values.problem(g, e)
        if problem:
            return f"wrong: result {number}: {problem}"
    return gradients(op, got, expected, leaves, slopes)


def gradients(op: Any, got: list[Any], expected: list[Any], leaves: list[tuple[Any, Any]], slopes: Measure) -> str:
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
        problem = slopes.problem(ours.grad, grad)
        if problem:
            return f"wrong: gradient {number}: {problem}"
    return "equal"


def exact(op: Any, sample: Any) -> list[list[Any]]:
    """torch's values and gradients in float64, of float32 arguments."""
    import torch

    input, args, kwargs = (doubled(v) for v in (sample.input, sample.args, sample.kwargs))
    leaves = [t for t in (input, *tensors(args), *kwargs.values()) if isinstance(t, torch.Tensor) and t.requires_grad]
    results = tensors(op.op(input, *args, **kwargs))
    roots = [r for r in results if isinstance(r, torch.Tensor) and r.requires_grad]
    seeds = [np.random.default_rng(i).standard_normal(tuple(r.shape)).astype(np.float32) for i, r in enumerate(roots)]
    ends = roots, leaves, [torch.from_numpy(np.asarray(seed)).to(r.dtype) for seed, r in zip(seeds, roots)]
    slopes = torch.autograd.grad(*ends, allow_unused=True) if roots and leaves else ()
    return [results, [g for g in slopes if g is not None]]


def doubled(value: Any) -> Any:
    """torch's float32 arguments in float64, as leaves."""
    import torch

    if isinstance(value, torch.Tensor):
        value = value.detach()
        exact = value.double() if value.dtype == torch.float32 else value
        return exact.requires_grad_(exact.is_floating_point())
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(doubled(v) for v in value)
    return {k: doubled(v) for k, v in value.items()} if isinstance(value, dict) else value


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
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return torch.nn.utils.rnn.PackedSequence(*(detached(v) for v in value))
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(detached(v) for v in value)
    return {k: detached(v) for k, v in value.items()} if isinstance(value, dict) else value


def row(op: Any, reference: bool = False) -> Row:
    """All samples of one op, in float32 and float64."""
    import torch

    found = Row(f"{op.name} {op.variant_test_name}".strip())
    for kind, tolerance in TOLERANCE.items():
        dtype = getattr(torch, kind)
        if dtype not in op.supported_dtypes("cpu"):
            continue
        torch.manual_seed(0)
        values, slopes = Measure(tolerance), Measure(10 * tolerance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for sample in samples(op, dtype, reference):
                result = outcome(op, sample, values, slopes)
                if kind == "float32" and str(result).startswith(("wrong: result", "wrong: gradient")):
                    result = outcome(
                        op,
                        sample,
                        *(Beside(m.tolerance, known) for m, known in zip((values, slopes), exact(op, sample))),
                    )
                if result is not None:
                    found.add(result, f"{kind}: {sample.summary()}")
                in_place = op.get_inplace() is not None and hasattr(lenet.Tensor, op.name + "_")
                if in_place and not sample.broadcasts_input:
                    result = outcome(op, sample, values, slopes, in_place=True)
                    if result is not None:
                        found.add(result, f"in place, {kind}: {sample.summary()}")
        if kind == "float32":
            found.measured(values, slopes)
    return found


def rows(names: Container[str] = (), reference: bool = False) -> Iterator[Row]:
    """A row for each op that the package offers, or for those of `names`."""
    return (row(op, reference) for op in offered_ops() if not names or op.name in names)


if __name__ == "__main__":
    wanted = [word for word in sys.argv[1:] if word != "--reference"]
    show(rows(wanted, "--reference" in sys.argv), everything=bool(wanted))
