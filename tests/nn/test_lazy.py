"""Lazy layers: torch's text, state, draws and refusals before and after the first call."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd.random import drawing_from
from lenetcli.autograd.torch_random import TorchGenerator

CASES: dict[str, list[tuple[tuple[Any, ...], dict[str, Any], tuple[int, ...]]]] = {
    "LazyLinear": [((3,), {}, (2, 5)), ((3, False), {}, (4,)), ((3,), {}, (2, 2, 6))],
    **{
        f"LazyConv{d}d": [((4, 3), {}, (2, 3, *[5] * d)), ((4, 2), {"groups": 2, "bias": False}, (6, *[4] * d))]
        for d in (1, 2, 3)
    },
    **{f"LazyConvTranspose{d}d": [((4, 3), {"stride": 2}, (2, 3, *[4] * d))] for d in (1, 2, 3)},
    **{
        f"Lazy{kind}Norm{d}d": [
            ((), {}, (2, 3, *[4] * d)),
            ((), {"affine": False}, (2, 3, *[4] * d)),
            ((), {"track_running_stats": False, "eps": 1e-3}, (2, 3, *[4] * d)),
        ]
        for d in (1, 2, 3)
        for kind in ("Batch", "Instance")
    },
}


def told(m: Any, name: str, args: Any, kwargs: Any, shape: tuple[int, ...]) -> tuple[list[Any], list[np.ndarray]]:
    """What a lazy layer says of itself before and after its first call, and its numbers."""
    layer = getattr(m.nn, name)(*args, **kwargs)
    words: list[Any] = [repr(layer), [(k, repr(v)) for k, v in layer.state_dict().items()]]
    words += [[n for n, _ in layer.named_parameters()], [n for n, _ in layer.named_buffers()]]
    words += [layer.has_uninitialized_params()]
    optimizer = m.optim.SGD(layer.parameters(), lr=0.1) if list(layer.parameters()) else None
    x = m.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    y = layer(x)
    words += [repr(layer), type(layer) is getattr(m.nn, name[4:]), list(layer.state_dict()), layer.training]
    if optimizer is not None:
        (y * y).sum().backward()
        optimizer.step()
    numbers = [y.detach().numpy(), *(v.detach().numpy() for v in layer.state_dict().values())]
    return words, numbers


@pytest.mark.parametrize("name", CASES)
def test_a_lazy_layer_becomes_torchs_at_its_first_call(torch: Any, name: str) -> None:
    ours, theirs = (list(inspect.signature(getattr(m.nn, name).__init__).parameters.values()) for m in (lenet, torch))
    assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in theirs]
    for case in CASES[name]:
        torch.manual_seed(3)
        generator = TorchGenerator()
        generator.manual_seed(3)
        with drawing_from(generator):
            words, numbers = told(lenet, name, *case)
        expected, values = told(torch, name, *case)
        assert words == expected
        for got, wanted in zip(numbers, values, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_all_lazy_layers_are_tried() -> None:
    assert {name for name in lenet.nn.__all__ if name.startswith("Lazy")} == set(CASES)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "shape": lambda m: m.nn.LazyLinear(3).weight.shape,
    "add": lambda m: m.nn.LazyLinear(3).weight + 1,
    "count": lambda m: sum(p.numel() for p in m.nn.LazyLinear(3).parameters()),
    "draw": lambda m: m.nn.init.zeros_(m.nn.LazyLinear(3).weight),
    "into an initialized one": lambda m: m.nn.Linear(2, 3).load_state_dict(m.nn.LazyLinear(3).state_dict()),
    "conv of a matrix": lambda m: m.nn.LazyConv2d(3, 3)(m.ones(3, 3)),
    "no size": lambda m: m.nn.LazyLinear(),
    "too many": lambda m: m.nn.LazyLinear(3, True, None, None, 4),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_needs_a_shape_is_refused_before(torch: Any, what: str) -> None:
    kinds = []
    for m in (lenet, torch):
        with pytest.raises((TypeError, ValueError, RuntimeError)) as error:
            REFUSED[what](m)
        kinds.append(next(k for k in type(error.value).__mro__ if k.__module__ == "builtins"))
    assert kinds[0] is kinds[1]


def test_types_copies_and_states_before_the_first_call(torch: Any) -> None:
    def story(m: Any) -> Any:
        net = m.nn.Sequential(m.nn.LazyLinear(3), m.nn.ReLU(), m.nn.LazyLinear(2))
        said = [str(net[0].weight.dtype), str(net.double()[0].weight.dtype), net[0].weight.is_floating_point()]
        other = copy.deepcopy(net)
        weights = list(net.parameters())
        y = net(m.ones(4, 2, dtype=m.float64))
        said += [str(y.dtype), [a is b for a, b in zip(weights, net.parameters())]]
        said += [other[0].has_uninitialized_params(), type(other[0]).__name__]
        said += [repr(other.load_state_dict(net.state_dict()))]
        said += [repr(other[0]), other[0].has_uninitialized_params()]
        same = m.equal(other.eval()(m.ones(4, 2, dtype=m.float64)), net.eval()(m.ones(4, 2, dtype=m.float64)))
        said += [same, repr(other)]
        waiting = m.nn.LazyLinear(3)
        said += [repr(waiting.load_state_dict(m.nn.LazyLinear(3).state_dict())), waiting.has_uninitialized_params()]
        p = m.nn.UninitializedParameter()
        p.materialize((2, 3), dtype=m.float64)
        return [*said, tuple(p.shape), str(p.dtype), p.requires_grad, isinstance(p, m.nn.Parameter)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's, about lazy modules
        assert story(lenet) == story(torch)


def test_a_lazy_net_trains_as_the_plain_one() -> None:
    def losses(make: Callable[[], Any]) -> list[float]:
        lenet.manual_seed(0)
        net, x, target = make(), lenet.ones(8, 1, 8, 8), lenet.arange(8) % 3
        x[::2] *= 0.5
        optimizer = lenet.optim.SGD(net.parameters(), lr=0.1)
        found = []
        for _ in range(5):
            optimizer.zero_grad()
            loss = lenet.nn.CrossEntropyLoss()(net(x), target)
            loss.backward()
            optimizer.step()
            found.append(loss.item())
        return found

    nn = lenet.nn
    rest = nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    lazy = losses(lambda: nn.Sequential(nn.LazyConv2d(4, 3), *rest, nn.LazyLinear(3)))
    plain = losses(lambda: nn.Sequential(nn.Conv2d(1, 4, 3), *rest, nn.Linear(36, 3)))
    assert lazy == plain
    assert lazy[-1] < lazy[0]


def test_a_norm_without_weights_and_statistics_knows_its_channels_and_refuses_other_inputs() -> None:
    for shape in ((2, 3, 4), (3, 4)):
        layer = lenet.nn.LazyInstanceNorm1d(affine=False, track_running_stats=False)
        layer(lenet.ones(*shape))
        assert (type(layer), layer.num_features) == (lenet.nn.InstanceNorm1d, 3)  # torch leaves 0, and warns
    with pytest.raises(ValueError, match="expected 4D input"):
        lenet.nn.LazyBatchNorm2d()(lenet.ones(3))
