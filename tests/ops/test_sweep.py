"""Every op, walked once: against torch, against numeric gradients, in several memory orders and types."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd import gradcheck
from tests.cases import each_by_name
from tests.ops.sample import Sample, all_samples, assert_arrays, resolve

SAMPLES = all_samples()
each_sample = each_by_name(SAMPLES)
each_differentiable = each_by_name(s for s in SAMPLES if s.grad)


def call(sample: Sample, kind: type = np.float32, order: str = "C") -> tuple[list[Any], list[Any]]:
    """Runs the sample; gives its floating leaves and its tensor outputs."""
    leaves: list[Any] = []

    def take(value: Any) -> Any:
        if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
            return type(value)(take(v) for v in value)
        if not isinstance(value, np.ndarray):
            return value
        floating = value.dtype.kind == "f"
        array = np.array(value, kind if floating else value.dtype, order="F" if order == "F" else "C")
        if order == "batch-last" and array.ndim:
            array = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)
        leaf = lenet.from_numpy(array)
        if floating and sample.grad:
            leaf.requires_grad_()
            leaves.append(leaf)
        return leaf

    args = [take(a) for a in sample.args]
    kwargs = {k: take(v) for k, v in sample.kwargs.items()}
    return leaves, outputs(resolve(lenet, sample.name)(*args, **kwargs))


def outputs(result: Any) -> list[Any]:
    """The tensors in a result: one, or those of a tuple."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def torch_call(torch: Any, sample: Sample, kind: type = np.float32) -> tuple[list[Any], list[Any]]:
    leaves: list[Any] = []

    def take(value: Any) -> Any:
        if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
            return type(value)(take(v) for v in value)
        if not isinstance(value, np.ndarray):
            return getattr(torch, value.name) if isinstance(value, lenet.dtype) else value
        floating = value.dtype.kind == "f"
        leaf = torch.tensor(value.astype(kind) if floating else value)
        if floating and sample.grad:
            leaf.requires_grad_()
            leaves.append(leaf)
        return leaf

    args = [take(a) for a in sample.args]
    kwargs = {k: take(v) for k, v in sample.kwargs.items()}
    twin = sample.twin or sample.name
    function = resolve(torch, twin) if isinstance(twin, str) else twin
    return leaves, outputs(function(*args, **kwargs))


def seeds(outs: list[Any]) -> list[np.ndarray]:
    """A fixed gradient for each output."""
    random = np.random.default_rng(1)
    return [random.standard_normal(tuple(o.shape)) for o in outs]


def backward(outs: list[Any], make: Any) -> None:
    """Sends fixed gradients through the differentiable outputs."""
    for out, seed in zip(outs, seeds(outs)):
        if out.requires_grad:
            out.backward(make(seed, out), retain_graph=True)


def assert_close(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    """Equal shapes and types, equal values up to rounding."""
    assert (ours is None) == (theirs is None), what
    if ours is not None:
        assert tuple(ours.shape) == tuple(theirs.shape), what
        assert str(ours.dtype) == str(theirs.dtype), what
        a, b = ours.detach().numpy(), theirs.detach().numpy(force=True)  # torch may keep zeros as a symbol
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


@each_sample
@pytest.mark.parametrize("order", ["C", "F", "batch-last"])
@pytest.mark.parametrize("kind", [np.float32, np.float64], ids=["float32", "float64"])
def test_values_types_and_gradients_equal_torch(torch: Any, sample: Sample, kind: type, order: str) -> None:
    leaves, outs = call(sample, kind, order)
    torch_leaves, torch_outs = torch_call(torch, sample, kind)
    assert len(outs) == len(torch_outs)
    scale = 1e-5 if kind is np.float64 else 1
    for out, expected in zip(outs, torch_outs):
        assert_arrays(out)
        assert out.requires_grad == expected.requires_grad
        assert_close(out, expected, sample.tolerance * (1e-5 if out.dtype is lenet.float64 else 1), "output")
    if not sample.grad:
        return
    backward(outs, lambda seed, out: lenet.tensor(seed, dtype=out.dtype))
    backward(torch_outs, lambda seed, out: torch.tensor(seed, dtype=out.dtype))
    for i, (leaf, expected) in enumerate(zip(leaves, torch_leaves)):
        assert_arrays(leaf.grad)
        assert leaf.grad is None or leaf.grad.dtype is leaf.dtype
        assert_close(leaf.grad, expected.grad, 10 * sample.tolerance * scale, f"gradient {i}")


@each_differentiable
def test_gradients_equal_differences(sample: Sample) -> None:
    leaves, _ = call(sample, np.float64)

    def rebuilt(*tensors: Any) -> Any:
        left = iter(tensors)

        def take(value: Any) -> Any:
            if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
                return type(value)(take(v) for v in value)
            if not isinstance(value, np.ndarray):
                return value
            return next(left) if value.dtype.kind == "f" else lenet.tensor(value)

        args = [take(a) for a in sample.args]
        kwargs = {k: take(v) for k, v in sample.kwargs.items()}
        return resolve(lenet, sample.name)(*args, **kwargs)

    assert gradcheck(rebuilt, leaves)


@each_sample
def test_inputs_stay_as_they_were(sample: Sample) -> None:
    before = [a.copy() for a in sample.args if isinstance(a, np.ndarray)]
    leaves, outs = call(sample)
    kept = [leaf.detach().numpy().copy() for leaf in leaves]
    backward(outs, lambda seed, out: lenet.tensor(seed, dtype=out.dtype))
    for leaf, copy in zip(leaves, kept):
        np.testing.assert_array_equal(leaf.detach().numpy(), copy)
    for array, copy in zip([a for a in sample.args if isinstance(a, np.ndarray)], before):
        np.testing.assert_array_equal(array, copy)


REFUSALS = (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError)


@each_sample
def test_tensors_without_dimensions_stay_tensors(sample: Sample) -> None:
    sample = sample.without_dimensions()
    try:
        leaves, outs = call(sample)
    except REFUSALS:
        return
    outs = [o for o in outs if isinstance(o, lenet.Tensor)]
    assert_arrays(*outs)
    seen: list[Any] = []
    inner = [o for o in outs if o.requires_grad]
    for x in inner:
        x.retain_grad()
    for x in (*inner, *leaves):
        x.register_hook(seen.append)
    for x in inner:
        assert x.grad_fn is None or x.grad_fn.register_hook(lambda given, got: seen.extend(given))
    for _ in range(2):  # twice: gradients are summed
        backward(outs, lambda seed, out: lenet.tensor(seed, dtype=out.dtype))
    assert_arrays(*seen, *(x.grad for x in (*inner, *leaves)))
    if inner and leaves:
        seeded = [lenet.tensor(s, dtype=o.dtype) for o, s in zip(inner, seeds(inner))]
        assert_arrays(*lenet.autograd.grad(inner, leaves, seeded, retain_graph=True, allow_unused=True))
    for leaf in leaves:
        if leaf.grad is not None:
            leaf.grad.zero_()
            assert leaf.grad.tolist() == 0


@each_sample
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of too few degrees of freedom
def test_tensors_without_dimensions_equal_torch(torch: Any, sample: Sample) -> None:
    sample = sample.without_dimensions()
    try:
        torch_leaves, torch_outs = torch_call(torch, sample)
    except REFUSALS:
        return
    leaves, outs = call(sample)
    backward(outs, lambda seed, out: lenet.tensor(seed, dtype=out.dtype))
    backward(torch_outs, lambda seed, out: torch.tensor(seed, dtype=out.dtype))
    for out, expected in zip(outs, torch_outs):
        assert_close(out, expected, sample.tolerance, "output")
    for i, (leaf, expected) in enumerate(zip(leaves, torch_leaves)):
        assert_close(leaf.grad, expected.grad, 10 * sample.tolerance, f"gradient {i}")
