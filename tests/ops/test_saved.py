"""What ops keep for backward: a change of it in place is noticed, nothing is kept that no gradient needs.

Every sample runs with all of its operands requiring gradients and with each one alone; then each operand and each
result in turn is changed between forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from tests.cases import each_by_name
from tests.ops.sample import Sample, all_samples, resolve
from tests.ops.test_sweep import outputs, seeds

SAMPLES = [s for s in all_samples() if s.grad]
each_sample = each_by_name(SAMPLES)
each_number = each_by_name(range(len(SAMPLES)), "number", lambda number: SAMPLES[number].name)
Gradients = list["np.ndarray | None"]
KEPT_FOR_MORE = {
    **dict.fromkeys(
        ("norm", "linalg.norm", "linalg.matrix_norm", "linalg.svdvals"), "the second derivative has the matrix"
    ),
    "ldexp": "is a product, which keeps its factors",
    **dict.fromkeys(("deg2rad", "rad2deg"), "are a product, which is freed by backward"),
}
torchs_slips = {
    "kron",  # torch gives gradients of the changed values where its kron makes a view that it does not track
    "nn.functional.scaled_dot_product_attention",  # which of its ways torch takes, and what that keeps, goes by shapes
}


def arrays_of(values: Any) -> list[np.ndarray]:
    """The arrays in a sample's arguments, in order."""
    if isinstance(values, np.ndarray):
        return [values]
    return [a for v in values for a in arrays_of(v)] if isinstance(values, (list, tuple)) else []


class Run:
    """A sample's forward pass in one library, by copies of its leaves, of which some require gradients."""

    def __init__(self, m: Any, sample: Sample, needs: tuple[int, ...], order: str = "C") -> None:
        self.m, self.leaves, self.operands = m, [], []

        def take(value: Any) -> Any:
            if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
                return type(value)(take(v) for v in value)
            if not isinstance(value, np.ndarray):
                return getattr(m, value.name) if isinstance(value, lenet.dtype) else value
            array = value.copy()
            if order == "batch-last" and array.ndim:
                array = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)
            leaf = m.from_numpy(array)
            if len(self.leaves) in needs:
                leaf.requires_grad_()
            self.leaves.append(leaf)
            self.operands.append(leaf.clone())
            return self.operands[-1]

        args = [take(a) for a in sample.args]
        kwargs = {k: take(v) for k, v in sample.kwargs.items()}
        name = sample.name if m is lenet else sample.twin or sample.name
        function = resolve(m, name) if isinstance(name, str) else name
        self.results = outputs(function(*args, **kwargs))
        self.roots = [r + 0 if r.requires_grad else None for r in self.results]  # adding saves nothing

    def change(self, places: str, i: int) -> bool:
        """Changes an operand or result in place; False where that is not possible or changes nothing."""
        changed = getattr(self, places)[i]
        if not changed.numel():
            return False
        try:
            if changed.dtype == self.m.bool:
                changed.logical_not_()
            elif changed.is_floating_point():
                changed.mul_(0.5)
            else:
                changed.zero_()
        except (NotImplementedError, RuntimeError):
            return False
        return True

    def backward(self, retain_graph: bool = True) -> Gradients | None:
        """Gradients of the leaves; None where a change, or a second backward, is refused."""
        try:
            for root, seed in zip(self.roots, seeds(self.results)):
                if root is not None:
                    root.backward(self.m.tensor(seed, dtype=root.dtype), retain_graph=retain_graph)
        except RuntimeError as error:
            if not any(words in str(error) for words in ("modified by an in", "a second time")):
                raise
            return None
        grads = [leaf.grad for leaf in self.leaves]
        return [None if g is None else np.array(g.numpy() if self.m is lenet else g.numpy(force=True)) for g in grads]


def equal(one: Gradients, other: Gradients) -> bool:
    """Whether gradients agree; none counts as zero."""
    return all(
        np.allclose(0 if a is None else a, 0 if b is None else b, rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(one, other)
    )


def needed(sample: Sample) -> Iterator[tuple[int, ...]]:
    """All floating operands together, then each alone."""
    arrays = arrays_of([*sample.args, *sample.kwargs.values()])
    floating = tuple(i for i, a in enumerate(arrays) if a.dtype.kind == "f")
    yield floating
    if len(floating) > 1:
        yield from ((i,) for i in floating)


def runs(m: Any, sample: Sample, needs: tuple[int, ...], order: str = "C") -> Run | None:
    """None where the library refuses such operands: a target that requires gradients, for example."""
    try:
        run = Run(m, sample, needs, order)
    except (RuntimeError, NotImplementedError):
        if len(needs) > 1:
            raise
        return None
    return run if any(root is not None for root in run.roots) else None


@cache
def outcomes(number: int) -> tuple[list[str], list[tuple[tuple[int, ...], str, int]]]:
    """Of a sample the changes that backward neither refuses nor stays the same after, and those that it refuses."""
    sample = SAMPLES[number]
    wrong, refused = [], []
    for needs in needed(sample):
        for order in ("C", "batch-last"):
            plain = runs(lenet, sample, needs, order)
            expected = None if plain is None else plain.backward()
            places = [] if plain is None else [("operands", plain.operands), ("results", plain.results)]
            for place, i in [(name, i) for name, found in places for i in range(len(found))]:
                run = Run(lenet, sample, needs, order)
                if not run.change(place, i):
                    continue
                found = run.backward()
                if found is None:
                    refused.append((needs, place, i))
                elif expected is None or not equal(found, expected):
                    wrong.append(f"{needs} require gradients, {place}[{i}] changed, {order}")
            if needs != next(needed(sample)):
                break  # the memory order matters once
    return wrong, refused


@each_number
def test_a_change_in_place_is_refused_or_does_not_matter(number: int) -> None:
    wrong, _ = outcomes(number)
    assert not wrong, SAMPLES[number]


@each_number
def test_nothing_is_refused_that_torch_allows(torch: Any, number: int) -> None:
    sample = SAMPLES[number]
    for needs, place, i in dict.fromkeys(outcomes(number)[1]):
        theirs = Run(torch, sample, needs)
        if theirs.change(place, i) and sample.name not in {*torchs_slips, *KEPT_FOR_MORE}:
            assert theirs.backward() is None, f"{needs} require gradients, {place}[{i}] changed"


@each_sample
def test_a_second_backward_adds_the_same_or_is_refused(sample: Sample) -> None:
    run = Run(lenet, sample, next(needed(sample)))
    once = run.backward(retain_graph=False)
    again = run.backward(retain_graph=False)
    if once is None:  # one graph of several results, freed by the first
        return
    if again is not None:
        assert equal(again, [None if g is None else 2 * g for g in once])


def test_a_second_backward_is_refused_only_where_torch_refuses(torch: Any) -> None:
    def passes(library: Any, sample: Sample) -> list[bool]:
        run = Run(library, sample, next(needed(sample)))
        return [run.backward(retain_graph=False) is not None for _ in range(2)]

    refused = [
        s for s in SAMPLES if s.name not in {*torchs_slips, *KEPT_FOR_MORE} and passes(lenet, s) == [True, False]
    ]
    assert refused
    assert [sample for sample in refused if passes(torch, sample)[1]] == []


a, b = (np.random.default_rng(seed).uniform(0.2, 0.8, (3, 3)) for seed in range(2))

# functions of (x, constant), and which of the two may change before backward, as in torch
FREE: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "linear": (lambda x, k: F.linear(x, k), "x"),
    "linear with bias": (lambda x, k: F.linear(x, k, k[0]), "x"),
    "linear's weight": (lambda x, k: F.linear(k, x), "x"),
    "matmul": (lambda x, k: x @ k, "x"),
    "matmul of batches": (lambda x, k: x.expand(2, 3, 3) @ k.expand(2, 3, 3), "x"),
    "mul": (lambda x, k: x * k, "x"),
    "div": (lambda x, k: x / k, "x"),
    "remainder": (lambda x, k: x.remainder(k), "x k"),
    "fmod": (lambda x, k: x.fmod(k), "x k"),
    "einsum": (lambda x, k: lenet.einsum("ij,kj->ik", x, k), "x"),
    "tensordot": (lambda x, k: lenet.tensordot(k, x, 1), "x"),
    "lerp": (lambda x, k: lenet.lerp(x, k, 0.3), "x k"),
    "lerp with weights": (lambda x, k: lenet.lerp(k, x, k), "x"),
    "addmm": (lambda x, k: lenet.addmm(k, x, k.t()), "x"),
    "addmm's input": (lambda x, k: lenet.addmm(x, k, k), "x k"),
    "bmm": (lambda x, k: lenet.bmm(k[None], x[None]), "x"),
    "baddbmm": (lambda x, k: lenet.baddbmm(k[None], x[None], k[None]), "x"),
    "outer": (lambda x, k: lenet.outer(x[0], k[0]), "x"),
    "addr": (lambda x, k: lenet.addr(k, k[0], x[0]), "x"),
    "mv": (lambda x, k: lenet.mv(x, k[0]), "x"),
    "dot": (lambda x, k: lenet.dot(x[0], k[0]), "x"),
    "cross": (lambda x, k: lenet.linalg.cross(k, x), "x"),
    "addcmul": (lambda x, k: lenet.addcmul(k, x, k), "x"),
    "addcmul's input": (lambda x, k: lenet.addcmul(x, k, k), "x k"),
    "addcdiv": (lambda x, k: lenet.addcdiv(k, x, k), "x"),
    "addcdiv's input": (lambda x, k: lenet.addcdiv(x, k, k), "x k"),
    "where": (lambda x, k: lenet.where(k > 0.5, x, k), "x k"),
    "pow": (lambda x, k: x + k**2.0, "x k"),
    "mean": (lambda x, k: x.mean(0), "x"),
    "layer_norm's bias": (lambda x, k: F.layer_norm(k, (3,), None, x[0]), "x k"),
}


@pytest.mark.parametrize("name", FREE)
def test_what_only_a_constants_gradient_would_need_may_change(name: str) -> None:
    function, free = FREE[name]

    def gradient(changed: str) -> np.ndarray | None:
        leaf, k = lenet.tensor(a, requires_grad=True), lenet.tensor(b)
        x = leaf.clone()
        y = function(x, k)
        if changed:
            {"x": x, "k": k}[changed].mul_(3)
        y.sum().backward()
        assert leaf.grad is not None
        return leaf.grad.numpy()  # type: ignore[no-any-return]

    expected = gradient("")
    for which in free.split():
        np.testing.assert_array_equal(gradient(which), expected)


REDUCED: dict[str, Callable[[Any], Any]] = {
    "max": lambda x: x.max(),
    "min": lambda x: x.min(),
    "amax": lambda x: x.amax(0),
    "aminmax": lambda x: x.aminmax(dim=1)[1],
    "norm": lambda x: x.norm(),
    "norm over an axis": lambda x: x.norm(dim=1),
    "std": lambda x: x.std(0),
    "logsumexp": lambda x: x.logsumexp(1),
    "median": lambda x: x.median(),
    "softmax": lambda x: x.softmax(0),
    "exp": lambda x: x.exp(),
    "relu": lambda x: x.relu(),
    "indices of max": lambda x: x.max(1),
    "indices of sort": lambda x: x.sort(1),
    "indices of cummax": lambda x: x.cummax(1),
}


@pytest.mark.parametrize("how", ["itself", "a view of it", "outside the graph"])
@pytest.mark.parametrize("name", REDUCED)
def test_a_changed_result_that_backward_needs_is_refused(name: str, how: str) -> None:
    result = REDUCED[name](lenet.tensor(a, requires_grad=True))
    y, changed = result if isinstance(result, tuple) else (result, result)
    root = y + 0
    with lenet.no_grad():
        {"itself": changed, "a view of it": changed.view(-1)[:1], "outside the graph": changed.detach()}[how].add_(1)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        root.sum().backward()


@pytest.mark.parametrize("change", [lambda m: m.sub_(1), lambda m: m.view(1).mul_(2), lambda m: m.zero_()])
def test_a_changed_maximum_and_norm_are_refused_in_the_graph(change: Callable[[Any], Any]) -> None:
    for y in (lenet.tensor([1.0, 3.0, 2.0], requires_grad=True).max(), lenet.ones(2, requires_grad=True).norm()):
        change(y)
        with pytest.raises(RuntimeError, match="modified by an in-place operation"):
            y.backward()


def test_a_second_backward_is_refused_only_where_something_was_freed() -> None:
    x = lenet.tensor(a, requires_grad=True)
    for y in (x.sum(), (x + 1).mean(), x.t()[0].sum(), (x - 2).view(9).cumsum(0).sum(), lenet.cat([x, x]).sum()):
        x.grad = None
        y.backward()
        assert x.grad is not None
        once = x.grad.numpy().copy()
        y.backward()
        np.testing.assert_array_equal(x.grad.numpy(), 2 * once)
    for y in ((x * x).sum(), (x * 2).sum(), x.exp().sum(), x.max(), x.relu().sum()):
        y.backward()
        with pytest.raises(RuntimeError, match="a second time"):
            y.backward()


def test_a_constants_partner_is_not_kept() -> None:
    x, k = lenet.tensor(a, requires_grad=True), lenet.tensor(b)
    assert (x * k).grad_fn.saved[0] is None
    assert (x @ k).grad_fn.saved[0] is None
    assert F.linear(k, x, x[0]).grad_fn.saved[1] is None
    images, filters = lenet.randn(2, 3, 5, 5, requires_grad=True), lenet.randn(4, 3, 3, 3)
    assert F.conv2d(images, filters).grad_fn.saved[0] is None
    assert F.conv_transpose2d(images, lenet.randn(3, 4, 3, 3)).grad_fn.saved[0] is None


def test_an_argument_that_a_function_hands_back_is_known_as_a_view_of_it() -> None:
    class Same(lenet.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            return grad * 2

    leaf = lenet.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="view of a leaf"):
        Same.apply(leaf).mul_(3)
    h = leaf * 1
    z = h * h
    Same.apply(h).mul_(3)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        z.sum().backward()
