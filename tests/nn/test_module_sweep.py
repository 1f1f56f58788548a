"""Every layer, walked once: beside torch's of the same name, with the same weights and inputs."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.errors import ShapeError
from tests.cases import each_by_name
from tests.nn.sample import LayerSample, collected, layers, leaves, outputs

SAMPLES = collected("SAMPLES")
REFUSED = collected("REFUSED")
# what has no forward pass of its own, or no twin in torch; each is tested elsewhere
HOLD_OTHERS = {
    "Graph",
    "Module",
    "ModuleDict",
    "ModuleList",
    "ParameterDict",
    "ParameterList",
    "Residual",
    "Sequential",
}
LAZY = {name for name in layers() if name.startswith("Lazy")}  # test_lazy
WITHOUT_SAMPLES = {*HOLD_OTHERS, *LAZY, "Add", "Concat", "Multiply", "Positions", "Steps", "Tokens"}

each_sample = each_by_name(SAMPLES)
each_layer = pytest.mark.parametrize("name", sorted({s.name for s in SAMPLES}))


@pytest.fixture(autouse=True)
def _deprecations_aside() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # both packages warn about the same deprecated uses
        yield


def pair(torch: Any, sample: LayerSample) -> tuple[Any, Any]:
    """The layer of each package, with torch's weights in both."""
    ours, theirs = sample.make(lenet.nn, lenet.from_numpy), sample.make(torch.nn, torch.from_numpy)
    state = {k: lenet.from_numpy(v.detach().numpy().copy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    return ours, theirs


def assert_close(ours: Any, theirs: Any, tolerance: float, what: str) -> None:
    """Equal shapes and types, equal values up to rounding."""
    assert (ours is None) == (theirs is None), what
    if ours is None:
        return
    assert type(ours.array) is np.ndarray, what
    assert tuple(ours.shape) == tuple(theirs.shape), what
    assert str(ours.dtype) == str(theirs.dtype), what
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def test_every_layer_has_samples() -> None:
    missing = set(layers()) - {s.name for s in SAMPLES} - WITHOUT_SAMPLES
    assert not missing, f"no samples in tests/nn/samples: {sorted(missing)}"


@each_layer
def test_the_constructor_has_the_arguments_of_torch(torch: Any, name: str) -> None:

    def signature(cls: type) -> list[tuple[str, Any]]:
        parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        return [(p.name, getattr(p.default, "__name__", p.default)) for p in named][1:]  # functions by their names

    expected = signature(getattr(torch.nn, name))
    if name in ("RNN", "GRU", "LSTM"):  # torch's take anything and hand it to their base
        expected = [p for p in signature(torch.nn.RNNBase)[1:] if p[0] != "proj_size" or name == "LSTM"]
        expected[3:3] = [("nonlinearity", "tanh")] if name == "RNN" else []
    given = signature(getattr(lenet.nn, name))
    assert given == expected[: len(given)], name
    assert set(expected[len(given) :]) <= {("min_value", None), ("max_value", None)}, name  # Hardtanh's, deprecated


@each_sample
def test_text_and_state_are_those_of_torch(torch: Any, sample: LayerSample) -> None:
    ours, theirs = pair(torch, sample)
    assert repr(ours) == repr(theirs)
    state, expected = ours.state_dict(), theirs.state_dict()
    assert all(type(v.array) is np.ndarray for v in state.values())
    assert list(state) == list(expected)
    assert [tuple(v.shape) for v in state.values()] == [tuple(v.shape) for v in expected.values()]
    assert [str(v.dtype) for v in state.values()] == [str(v.dtype) for v in expected.values()]
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]


@each_sample
@pytest.mark.parametrize("order", ["C", "batch-last"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_values_gradients_and_buffers_equal_torch(torch: Any, sample: LayerSample, training: bool, order: str) -> None:
    ours, theirs = (layer.train(training) for layer in pair(torch, sample))
    xs, ts = leaves(sample, lenet.from_numpy, order), leaves(sample, torch.from_numpy)
    in_place = getattr(ours, "inplace", False)
    given = [[x.clone() for x in inputs] if in_place else inputs for inputs in (xs, ts)]
    results = outputs(ours(*given[0], **sample.named(lenet.from_numpy)))
    expected = outputs(theirs(*given[1], **sample.named(torch.from_numpy)))
    if in_place:
        assert results[0] is given[0][0]
    assert len(results) == len(expected)
    random = np.random.default_rng(1)
    for y, t in zip(results, expected):
        assert tuple(y.shape) == tuple(t.shape)
        assert str(y.dtype) == str(t.dtype)
        assert y.requires_grad == t.requires_grad
        if not (sample.random and training):
            assert_close(y, t, sample.tolerance, "output")
        if t.requires_grad:
            seed = np.asarray(random.standard_normal(tuple(t.shape)), t.detach().numpy().dtype)
            y.backward(lenet.from_numpy(seed), retain_graph=True)
            t.backward(torch.from_numpy(seed), retain_graph=True)
    if sample.random and training:
        return
    for number, (x, t) in enumerate(zip(xs, ts)):
        assert_close(x.grad, t.grad, 10 * sample.tolerance, f"gradient of input {number}")
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
        assert_close(p.grad, q.grad, 10 * sample.tolerance, f"gradient of {name}")
    for (name, b), c in zip(ours.named_buffers(), theirs.buffers()):
        assert_close(b, c, sample.tolerance, name)


@pytest.mark.parametrize("sample", REFUSED, ids=str)
def test_what_torch_refuses_is_refused_with_the_same_kind_of_error(torch: Any, sample: LayerSample) -> None:
    with pytest.raises((RuntimeError, ValueError, TypeError, IndexError, AssertionError)) as theirs:
        sample.make(torch.nn, torch.from_numpy)(*leaves(sample, torch.from_numpy), **sample.named(torch.from_numpy))
    asserted = (ValueError, ShapeError)  # asserts are for our own mistakes
    kind = asserted if theirs.type is AssertionError else theirs.type
    with pytest.raises(kind):
        sample.make(lenet.nn, lenet.from_numpy)(*leaves(sample, lenet.from_numpy), **sample.named(lenet.from_numpy))
