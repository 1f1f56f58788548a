"""Weights computed from others: the values, gradients, state and random numbers of torch's, and what is refused."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.nn.utils import parametrizations, parametrize

WAYS = {
    "parametrizations.weight_norm": {},
    "parametrizations.weight_norm of all": {"dim": None},
    "parametrizations.weight_norm of columns": {"dim": 1},
    "parametrizations.spectral_norm": {},
    "parametrizations.spectral_norm of columns": {"dim": 1, "n_power_iterations": 3},
    "parametrizations.orthogonal": {"orthogonal_map": "cayley"},
    "weight_norm": {},
    "weight_norm of all": {"dim": None},
    "spectral_norm": {},
    "spectral_norm of columns": {"dim": 1, "n_power_iterations": 2},
}
LAYERS = {
    "Linear": ((4, 6), (3, 4)),
    "wide Linear": ((6, 4), (3, 6)),
    "Conv2d": ((2, 3, 3), (1, 2, 5, 5)),
    "ConvTranspose2d": ((2, 3, 3), (1, 2, 5, 5)),
}


def found(package: Any, layer: str, way: str, start: Any = None) -> tuple[dict[str, Any], list[Any], Any]:
    """State at the beginning, then results and gradients of three steps, and the module."""
    sizes, shape = LAYERS[layer]
    module = getattr(package.nn, layer.split()[-1])(*sizes)
    if start is not None:
        module.load_state_dict({k: package.tensor(v) for k, v in start["plain"].items()})
    plain = {k: v.detach().numpy().copy() for k, v in module.state_dict().items()}
    function: Any = package.nn.utils
    for part in way.split()[0].split("."):
        function = getattr(function, part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        assert function(module, **WAYS[way]) is module
    if start is not None:
        module.load_state_dict({k: package.tensor(v) for k, v in start["state"].items()})
    state = {k: v.detach().numpy().copy() for k, v in module.state_dict().items()}
    values = []
    x = package.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    for training in (True, True, False):
        module.train(training)
        module.zero_grad()
        y = module(x)
        (y * y).sum().backward()
        values += [y.detach().numpy(), *(p.grad.numpy().copy() for p in module.parameters())]
        optimizer = package.optim.SGD(module.parameters(), lr=1e-3)
        optimizer.step()
    return {"plain": plain, "state": state, "end": module.state_dict()}, values, module


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("way", WAYS)
def test_state_values_and_gradients_are_torchs(torch: Any, layer: str, way: str) -> None:
    if layer.startswith("Conv") and "orthogonal" in way:
        way = "parametrizations.orthogonal"  # of kernels of three by three, a batch of matrices
    torch.manual_seed(0)
    theirs, expected, module = found(torch, layer, way)
    ours, values, own = found(lenet, layer, way, theirs)
    assert list(ours["state"]) == list(theirs["state"])
    assert [tuple(v.shape) for v in ours["state"].values()] == [tuple(v.shape) for v in theirs["state"].values()]
    assert repr(own) == repr(module)
    for a, b in zip(values, expected):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    for key, value in ours["end"].items():
        np.testing.assert_allclose(value.detach().numpy(), theirs["end"][key].detach().numpy(), rtol=2e-4, atol=2e-5)


def test_a_class_a_state_and_an_assignment() -> None:
    layer = parametrizations.weight_norm(nn.Linear(2, 3))
    assert type(layer).__name__ == "ParametrizedLinear"
    assert isinstance(layer, nn.Linear)
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    layer.weight = lenet.ones(3, 2)
    np.testing.assert_allclose(layer.weight.detach().numpy(), np.ones((3, 2)), rtol=1e-6)
    before = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert list(layer.state_dict()) == ["bias", "weight"]
    assert layer.weight.tolist() == before.tolist()


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).T


class Wider(nn.Module):
    def forward(self, x: Any) -> Any:
        return lenet.cat([x, x])


class Doubled(nn.Module):
    def forward(self, x: Any) -> Any:
        return 2 * x


def test_own_parametrizations_one_after_the_other_and_back() -> None:
    layer = nn.Linear(3, 3)
    weight = layer.weight
    original = weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert lenet.equal(layer.weight, layer.weight.T)
    assert layer.weight[0, 0].item() == 2 * original[0, 0].item()
    layer(lenet.ones(1, 3)).sum().backward()
    assert weight.grad is not None
    with pytest.raises(RuntimeError, match="parametrization Doubled does not implement right_inverse"):
        layer.weight = lenet.ones(3, 3)
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight is weight
    assert lenet.equal(weight, original)


def test_a_parametrized_layer_in_a_net_that_trains_is_read_anew_in_every_step() -> None:
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    plain = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    plain.load_state_dict(net.state_dict())
    for part in (0, 2):
        parametrizations.weight_norm(net[part])
    optimizer = lenet.optim.SGD(net.parameters(), lr=0.1)
    x, y = lenet.randn(8, 4), lenet.randint(0, 3, (8,))
    losses = []
    for _ in range(12):  # more than the calls after which a net would be recorded
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(net(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(nn.CrossEntropyLoss()(plain(x), y).item(), rel=1e-5)
    assert all(b < a for a, b in itertools.pairwise(losses))
    with lenet.no_grad():
        by_hand = (x @ net[0].weight.T + net[0].bias).relu() @ net[2].weight.T + net[2].bias
        np.testing.assert_allclose(net(x).numpy(), by_hand.numpy(), rtol=1e-5, atol=1e-6)


def refused(words: str, kind: Any, function: Any) -> Any:
    return pytest.param(kind, words, function, id=words[:40])


@pytest.mark.parametrize(("kind", "words", "function"), [
    refused("does not have a parameter, a buffer, or a parametrized element with name 'w'", ValueError,
            lambda: parametrize.register_parametrization(nn.Linear(2, 2), "w", Symmetric())),
    refused("may not change the shape of the tensor", ValueError,
            lambda: parametrize.register_parametrization(nn.Linear(2, 2), "weight", Wider())),
    refused("does not have a parametrization on weight", ValueError,
            lambda: parametrize.remove_parametrizations(nn.Linear(2, 2), "weight")),
    refused("Cannot leave unparametrized", ValueError,
            lambda: parametrize.remove_parametrizations(
                parametrizations.weight_norm(nn.Linear(2, 2)), "weight", leave_parametrized=False)),
    refused("Expected n_power_iterations to be positive, but got n_power_iterations=0", ValueError,
            lambda: parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)),
    refused("has no parameter or buffer with name 'w'", ValueError,
            lambda: parametrizations.spectral_norm(nn.Linear(2, 2), "w")),
    refused("Dimension out of range", IndexError, lambda: parametrizations.spectral_norm(nn.Linear(2, 2), dim=2)),
    refused("Got a tensor of 1 dimensions", ValueError, lambda: parametrizations.orthogonal(nn.Linear(2, 2), "bias")),
    refused("only orthogonal_map='cayley'", NotImplementedError, lambda: parametrizations.orthogonal(nn.Linear(2, 2))),
    refused("Cannot register two spectral_norm hooks on the same parameter weight", RuntimeError,
            lambda: nn.utils.spectral_norm(nn.utils.spectral_norm(nn.Linear(2, 2)))),
    refused("weight_norm of 'weight' not found in Linear", ValueError,
            lambda: nn.utils.remove_weight_norm(nn.Linear(2, 2))),
    refused("cannot be applied as parameter `bias` is None", ValueError,
            lambda: nn.utils.spectral_norm(nn.Linear(2, 2, bias=False), "bias")),
])  # fmt: skip
def test_what_does_not_fit_is_refused(kind: Any, words: str, function: Any) -> None:
    with pytest.raises(kind, match=words):
        function()
