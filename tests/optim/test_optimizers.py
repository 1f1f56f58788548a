"""Every optimizer with every option: against torch, against stored references, in memory orders, resumed half-way."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import optim
from tests.cases import each_by_name
from tests.optim.sample import OPTIMIZERS, REFERENCES, STEPS, VALUES, OptimizerSample, lenet_params, numbers, train

each_sample = each_by_name(OPTIMIZERS)
each_of_any_shape = each_by_name([sample for sample in OPTIMIZERS if sample.name != "Muon"])
each_type = pytest.mark.parametrize("kind", [np.float32, np.float64], ids=["float32", "float64"])


def run(sample: OptimizerSample, kind: type = np.float64, order: str = "C") -> tuple[list[Any], Any]:
    params = lenet_params(kind, order)
    optimizer = sample.build(optim, params)
    train(optimizer, params, lambda g: lenet.from_numpy(np.asarray(g, kind)), range(STEPS))
    return params, optimizer


def check(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], kind: type) -> None:
    assert found.keys() == expected.keys()
    tolerance = 2e-5 if kind is np.float32 else 1e-10  # counters such as mu_product are float32 in any case
    for name, value in found.items():
        assert value.dtype == expected[name].dtype, name
        np.testing.assert_allclose(value, expected[name], rtol=tolerance, atol=tolerance, err_msg=name)


def test_every_optimizer_has_samples() -> None:
    wanted = {n for n in optim.__all__ if isinstance(getattr(optim, n), type)} - {
        "Optimizer",
        "LBFGS",
    }  # LBFGS has tests of its own
    assert wanted == {sample.name for sample in OPTIMIZERS}


@each_sample
@each_type
def test_values_and_state_equal_torch(torch: Any, sample: OptimizerSample, kind: type) -> None:
    params, optimizer = run(sample, kind)
    theirs = [torch.tensor(v.astype(kind), requires_grad=True) for v in VALUES]
    expected = sample.build(torch.optim, theirs)
    train(expected, theirs, lambda g: torch.tensor(np.asarray(g, kind)), range(STEPS))
    check(numbers(params, optimizer), numbers(theirs, expected), kind)
    assert optimizer.state_dict()["param_groups"] == expected.state_dict()["param_groups"]
    assert repr(optimizer) == repr(expected)


@functools.cache
def stored() -> dict[str, np.ndarray]:
    with np.load(REFERENCES) as file:
        return dict(zip(map(str, file["names"]), np.split(file["values"], np.cumsum(file["sizes"])[:-1])))


@each_sample
def test_values_and_state_equal_stored_references(sample: OptimizerSample) -> None:
    expected = stored()[str(sample)]
    parts = numbers(*run(sample))
    found = np.concatenate([parts[name].ravel() for name in sorted(parts)])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@each_sample
@pytest.mark.parametrize("order", ["F", "gradient F"])
def test_memory_order_does_not_matter(sample: OptimizerSample, order: str) -> None:
    params = lenet_params(np.float64, "F" if order == "F" else "C")
    optimizer = sample.build(optim, params)
    train(optimizer, params, lambda g: lenet.from_numpy(np.asarray(g, order=order[-1])), range(STEPS))
    check(numbers(params, optimizer), numbers(*run(sample)), np.float64)


@each_sample
@each_type
def test_resuming_from_state_continues_identically(sample: OptimizerSample, kind: type, tmp_path: Any) -> None:
    def make(gradient: np.ndarray) -> Any:
        return lenet.from_numpy(np.asarray(gradient, kind))

    params = lenet_params(kind)
    optimizer = sample.build(optim, params)
    train(optimizer, params, make, range(10))
    lenet.save(optimizer.state_dict(), tmp_path / "optimizer.safetensors")
    later = [p.detach().clone().requires_grad_() for p in params]
    resumed = sample.build(optim, later)
    resumed.load_state_dict(lenet.load(tmp_path / "optimizer.safetensors"))
    train(optimizer, params, make, range(10, STEPS))
    train(resumed, later, make, range(10, STEPS))
    found, expected = numbers(later, resumed), numbers(params, optimizer)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert resumed.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


@each_sample
def test_state_of_a_torch_optimizer_can_be_loaded(torch: Any, sample: OptimizerSample) -> None:
    theirs = [torch.tensor(v, requires_grad=True) for v in VALUES]
    expected = sample.build(torch.optim, theirs)
    train(expected, theirs, torch.tensor, range(10))
    params = [lenet.from_numpy(p.detach().numpy().copy()).requires_grad_() for p in theirs]
    optimizer = sample.build(optim, params)
    optimizer.load_state_dict(expected.state_dict())
    train(expected, theirs, torch.tensor, range(10, STEPS))
    train(optimizer, params, lenet.from_numpy, range(10, STEPS))
    check(numbers(params, optimizer), numbers(theirs, expected), np.float64)


@each_sample
def test_group_options_are_plain_data(sample: OptimizerSample) -> None:
    json.dumps(sample.build(optim, lenet_params(np.float32)).state_dict()["param_groups"])


@each_of_any_shape
def test_nan_infinite_huge_and_tiny_gradients_act_as_in_torch(torch: Any, sample: OptimizerSample) -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    gradients = [[np.nan, np.inf, -np.inf, 1e18, 1e-30], [0.0, 1.0, np.nan, 1e17, 1e-42], [1.0, -1.0, 1.0, 0.0, -1e-30]]
    ours, theirs = lenet.tensor(values).float().requires_grad_(), torch.tensor(values).float().requires_grad_()
    one = OptimizerSample(sample.name, sample.kwargs)
    optimizer, expected = one.build(optim, [ours]), one.build(torch.optim, [theirs])
    for gradient in gradients:
        ours.grad = lenet.tensor(gradient, dtype=lenet.float32)
        theirs.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()
        expected.step()
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-4)


@each_of_any_shape
def test_a_parameter_without_dimensions_and_its_state_stay_tensors(sample: OptimizerSample) -> None:
    params = [lenet.tensor(2.0, requires_grad=True) for _ in VALUES]
    optimizer = sample.build(optim, params)
    for _ in range(2):
        optimizer.zero_grad(set_to_none=False)
        sum(p * p + p for p in params).backward()
        optimizer.step()
    lenet.nn.utils.clip_grad_value_(params, 0.1)
    lenet.nn.utils.clip_grad_norm_(params, 0.01)
    optimizer.load_state_dict(optimizer.state_dict())
    state = [v for entry in optimizer.state_dict()["state"].values() for v in entry.values()]
    tensors = [*params, *(p.grad for p in params), *(v for v in state if isinstance(v, lenet.Tensor))]
    assert all(type(t.array) is np.ndarray for t in tensors)
