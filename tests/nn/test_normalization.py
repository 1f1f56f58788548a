"""What layer, group, RMS and local response norm do in single cases; test_module_sweep.py compares them with torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.errors import ShapeError
from tests.ops.sample import normal


@pytest.mark.parametrize("function", [F.layer_norm, F.rms_norm], ids=lambda f: f.__name__)
def test_half_precision_is_computed_in_single(torch: Any, function: Any) -> None:
    x = normal(4, 50).astype(np.float16) * np.float16(100)
    ours = function(lenet.tensor(x), (50,), lenet.ones(50, dtype=lenet.float16))
    twin = getattr(torch.nn.functional, function.__name__)
    theirs = twin(torch.tensor(x), (50,), torch.ones(50, dtype=torch.float16))
    assert ours.dtype is lenet.float16
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-3, atol=2e-3)


def test_a_large_mean_costs_no_digits() -> None:
    x = (np.random.default_rng(0).standard_normal((8, 300)) + 1e5).astype(np.float32)
    exact = x.astype(np.float64)
    centred = exact - exact.mean(1, keepdims=True)
    z = centred / np.sqrt(np.square(centred).mean(1, keepdims=True) + 1e-5)
    for order in "CF":
        y = F.layer_norm(lenet.from_numpy(np.asarray(x, order=order)), (300,)).numpy()
        np.testing.assert_allclose(y, z, rtol=0, atol=2e-6)


def test_results_may_be_changed_in_place_before_backward() -> None:
    x = lenet.tensor(normal(3, 4), requires_grad=True)
    y = F.layer_norm(x, (4,))
    y.mul_(2)
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    ("call", "name", "edges"),
    [
        (lambda x, w: F.layer_norm(x, (4,), w, w), "NativeLayerNormBackward", 3),
        (lambda x, w: F.group_norm(x, 2, w, w), "NativeGroupNormBackward", 3),
        (lambda x, w: F.rms_norm(x, (4,), w), "FusedRmsNormBackward", 2),
    ],
)
def test_nodes_are_named_as_in_torch(call: Any, name: str, edges: int) -> None:
    node = call(lenet.ones(2, 4, requires_grad=True), lenet.ones(4, requires_grad=True)).grad_fn
    assert node.name() == name
    assert [n.name() for n, _ in node.next_functions] == ["AccumulateGrad"] * edges


@pytest.mark.parametrize(
    ("layer", "shape", "error", "text"),
    [
        (nn.LayerNorm(4), (2, 3), ShapeError, "shape .*4.*got input of size"),
        (nn.LayerNorm((2, 4)), (4,), ShapeError, "normalized_shape"),
        (nn.RMSNorm(4), (2, 3), ShapeError, "normalized_shape"),
        (nn.GroupNorm(2, 4), (2, 6), ShapeError, "4"),
        (nn.GroupNorm(2, 4), (2, 3), ShapeError, "divisible"),
        (nn.GroupNorm(1, 1), (1, 1), ValueError, "more than 1 value"),
        (nn.GroupNorm(1, 1), (3,), ShapeError, "2 dimensions"),
        (nn.LocalResponseNorm(2), (2, 3), ValueError, "3D"),
    ],
    ids=str,
)
def test_inputs_that_do_not_fit_are_refused(
    layer: Any, shape: tuple[int, ...], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        layer(lenet.ones(*shape))


def test_arguments_that_do_not_fit_are_refused() -> None:
    x = lenet.ones(2, 4)
    with pytest.raises(ValueError, match="divisible"):
        nn.GroupNorm(3, 4)
    with pytest.raises(TypeError, match="tuple"):
        F.layer_norm(x, 4)  # type: ignore[arg-type]  # the point
    with pytest.raises(RuntimeError, match="at least 1-dimensional"):
        F.layer_norm(x, ())
    with pytest.raises(ShapeError, match="bias to be of same shape"):
        F.layer_norm(x, (4,), lenet.ones(4), lenet.ones(1, 4))
    with pytest.raises(ShapeError, match="weight to be a vector"):
        F.group_norm(x, 2, lenet.ones(3))
    with pytest.raises(NotImplementedError, match="int64"):
        F.layer_norm(x.long(), (4,))
    with pytest.raises(RuntimeError, match="mixed dtype"):
        F.group_norm(x.double(), 2, lenet.ones(4))
    with pytest.raises(RuntimeError, match="at least 1"):
        F.local_response_norm(lenet.ones(1, 2, 3), 0)
    with pytest.raises(NotImplementedError, match="out"):
        F.normalize(x, out=x)
