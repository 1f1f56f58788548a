"""Recorded chains of layers: to the bit what the tape computes, whatever happens between the steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.autograd.composite import Composite, use
from lenetcli.autograd.modes import detect_anomaly, watch
from lenetcli.config.catalogue import ROLES
from lenetcli.kernels import dispatch, native, threads
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn import recorded

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

Pair = tuple[nn.Module, Any]  # a model and its optimizer
Bits = list[bytes]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Recordings of the second call already."""
    monkeypatch.setattr(recorded, "AFTER", 1)
    with dispatch.force("native"):
        yield


def lenet_() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 4),
    )  # fmt: skip


def normed() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(576, 8), nn.BatchNorm1d(8), nn.Linear(8, 4),
    )  # fmt: skip


def smooth() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.AvgPool2d(2), nn.Conv2d(8, 8, 3, groups=8), nn.GELU(),
        nn.GroupNorm(8, 8), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(128, 12), nn.LayerNorm(12), nn.Tanh(),
        nn.Softplus(), nn.Linear(12, 4),
    )  # fmt: skip


def dropped() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Dropout(0.25), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 12), nn.ReLU(),
        nn.Dropout(0.3), nn.Linear(12, 4),
    )  # fmt: skip


def residual() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Residual(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()),
        nn.MaxPool2d(2), nn.Residual(nn.Residual(nn.ReLU()), nn.Dropout(0.2)), nn.Flatten(), nn.Linear(108, 4),
    )  # fmt: skip


def graph() -> nn.Graph:
    layers: dict[str, nn.Module] = {
        "first": nn.Conv2d(1, 3, 3), "relu": nn.ReLU(), "again": nn.Conv2d(3, 3, 3, padding=1),
        "norm": nn.BatchNorm2d(3), "short": nn.Conv2d(3, 3, 3, padding=1), "sum": nn.Add(), "pool": nn.MaxPool2d(2),
        "flat": nn.Flatten(), "wide": nn.Linear(108, 12), "more": nn.ReLU(), "both": nn.Add(), "last": nn.Linear(12, 4),
    }  # fmt: skip
    return nn.Graph(layers, {"short": ["relu"], "sum": ["norm", "relu", "short"], "both": ["wide", "more"]})


def batch(seed: int, size: int = 8) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    x = logical(stored(random.standard_normal((size, 1, 14, 14), np.float32)))
    return lenet.from_numpy(x), lenet.from_numpy(random.integers(0, 4, size))


def sgd(model: nn.Module) -> Any:
    return optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def bits(*tensors: Any) -> Bits:
    return [b"" if t is None else t.array.tobytes() for t in tensors]


def state(model: nn.Module, optimizer: Any) -> Bits:
    own = [v for s in optimizer.state.values() for v in s.values() if hasattr(v, "array")]
    tensors = [*model.parameters(), *model.buffers(), *own]
    return bits(*tensors, *(p.grad for p in model.parameters()))


Act = Callable[[int, nn.Module, Any, list[Any]], Any]  # step, model, optimizer, what is kept from step to step


def nothing(step: int, model: nn.Module, optimizer: Any, kept: list[Any]) -> None:
    """Between the steps."""


def train(on: bool, make: Callable[[], nn.Module], choose: Callable[[nn.Module], Any], act: Act, steps: int, size: int,
          monkeypatch: pytest.MonkeyPatch) -> tuple[list[Bits], nn.Module]:  # fmt: skip
    """What every step comes to, with recordings or without."""
    with monkeypatch.context() as patch:
        patch.setattr(use, "on", on)
        lenet.manual_seed(3)
        model = make()
        optimizer, criterion, kept, found = choose(model), nn.CrossEntropyLoss(), [], []
        for step in range(steps):
            x, y = batch(step, size)
            replaced = act(step, model, optimizer, kept)
            x, y = (x, y) if replaced is None else replaced
            optimizer.zero_grad()
            output = model(x)
            loss = criterion(output, y)
            loss.backward()
            optimizer.step()
            found.append(bits(output, loss) + state(model, optimizer) + [np.asarray(k).tobytes() for k in kept])
    return found, model


def same(monkeypatch: pytest.MonkeyPatch, make: Callable[[], nn.Module] = lenet_, choose: Any = sgd,
         act: Act = nothing, steps: int = 9, size: int = 8) -> nn.Module:  # fmt: skip
    """Checks that there are recordings, and that they change no bit; gives the model that had them."""
    start = Composite.__init__
    played = []
    with monkeypatch.context() as patch:
        patch.setattr(Composite, "__init__", lambda *args: played.append(args[1]) or start(*args))
        found, model = train(True, make, choose, act, steps, size, monkeypatch)
    assert "AddmmBackward" in played, recorded.status(model)
    wanted, _ = train(False, make, choose, act, steps, size, monkeypatch)
    for step, (ours, theirs) in enumerate(zip(found, wanted)):
        assert ours == theirs, f"step {step}"
    return model


@pytest.mark.parametrize("size", [1, 2, 7, 16, 33])
@pytest.mark.parametrize("make", [lenet_, normed, dropped, residual, graph, smooth])
def test_training_is_recorded_and_comes_to_the_same_bits(make: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if make is normed and size == 1:
        size = 3  # its second norm has one value a channel of one image
    assert recorded.status(same(monkeypatch, make, size=size)).startswith("recorded: ")


@pytest.mark.parametrize("make", [lenet_, normed, residual, graph])
def test_inference_is_recorded_and_comes_to_the_same_bits(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make().eval()
    train(True, lambda: model, sgd, nothing, 2, 8, monkeypatch)  # so that its statistics are of something
    model.eval()
    for size in (1, 5):
        for seed in range(6):
            with lenet.no_grad():
                y = model(batch(seed, size)[0])
                with use.off():
                    assert bits(y) == bits(model(batch(seed, size)[0]))
            assert not y.requires_grad
        assert recorded.status(model).startswith("recorded: ")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = train(True, lenet_, sgd, nothing, 5, 300, monkeypatch)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(count)
        several, model = train(True, lenet_, sgd, nothing, 5, 300, monkeypatch)
    finally:
        threads.set_num_threads(before)
    assert one == several
    assert recorded.status(model).startswith("recorded: ")


# LBFGS calls a closure, which is no step of the recorded kind; Muon takes matrices alone
@pytest.mark.parametrize("name", sorted(set(ROLES["optimizer"].classes) - {"Muon"}))
def test_every_optimizer_trains_a_recorded_net_as_any_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = getattr(optim, name)
    same(monkeypatch, choose=lambda model: kind(model.parameters(), lr=0.01))


def at(step: int, change: Act) -> Act:
    """The change before one step."""
    return lambda now, *rest: change(now, *rest) if now == step else None


def _hook(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[3].register_forward_hook(lambda module, args, output: kept.append(output.detach().numpy().copy()))


def _backward_hook(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[3].register_full_backward_hook(lambda m, d_in, d_out: kept.append(d_out[0].numpy().copy()))


def _tensor_hook(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[0].weight.register_hook(lambda grad: grad * 2)


def _replaced(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[7].weight = nn.Parameter(model[7].weight.detach() * 0.5)
    optimizer.param_groups[0]["params"] = list(model.parameters())


def _other_memory(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[7].weight.data = model[7].weight.detach() * 0.5


def _frozen(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model[0].weight.requires_grad = step % 3 == 0


def _rate(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    optimizer.param_groups[0]["lr"] *= 0.7


def _kept_gradient(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    kept += [p.grad.array for p in model.parameters() if p.grad is not None]


def _kept_view(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    kept += [grads[step % len(grads)].reshape(-1)[1:3].numpy()] if grads else []


def _raised(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        nn.CrossEntropyLoss()(model(batch(step)[0]), batch(step, 3)[1])
    with pytest.raises(IndexError, match="out of bounds"):
        nn.CrossEntropyLoss()(model(batch(step)[0]), lenet.tensor([9] * 8))


def _in_place(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    with lenet.no_grad():
        model[0].weight.mul_(0.9)
        model[9].bias.add_(0.1)


def _loaded(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model.load_state_dict({name: value * 0.9 for name, value in model.state_dict().items()})
    optimizer.load_state_dict(deepcopy(optimizer.state_dict()))


def _other_size(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    return batch(step, 8 if step % 3 else 5)


def _rows(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    x, y = batch(step)
    return (lenet.from_numpy(np.ascontiguousarray(x.array)), y) if step % 2 else None


def _of_a_larger(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    x, y = batch(step, 20)
    return x[4:12], y[4:12]


def _evaluated(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    model.eval()
    with lenet.no_grad():
        kept.append(model(batch(100 + step)[0]).array)
    model.train()


def _accumulated(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    for seed in range(3):
        x, y = batch(50 + seed)
        (nn.CrossEntropyLoss()(model(x), y) / 3).backward()
    kept.append(model[0].weight.grad.array.copy())


def _clipped(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    nn.CrossEntropyLoss()(model(batch(70)[0]), batch(70)[1]).backward()
    kept.append(nn.utils.clip_grad_norm_(model.parameters(), 0.1).array.copy())
    optimizer.step()


def _two_at_once(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    (x, y), (x2, y2) = batch(80 + step), batch(90 + step)
    first, second = model(x), model(x2)
    criterion = nn.CrossEntropyLoss()
    (criterion(first, y) + criterion(second, y2)).backward()
    kept.append(model[0].weight.grad.array.copy())


def _twice(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    loss = nn.CrossEntropyLoss()(model(batch(80)[0]), batch(80)[1])
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)
    model(batch(81)[0])  # the recording's memory is still in use
    loss.backward()
    kept.append(model[0].weight.grad.array.copy())


def _other_loss(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    (model(batch(80)[0]) * lenet.arange(4.0)).sum().backward()
    kept.append(model[0].weight.grad.array.copy())


def _given_gradient(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    for order in "CCFCCCF":
        gradient = np.asarray(np.random.default_rng(step).standard_normal((8, 4), np.float32), order=order)
        model(batch(80)[0]).backward(lenet.from_numpy(gradient))
    kept.append(model[9].bias.grad.array.copy())


def _looked_at(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    loss = nn.CrossEntropyLoss()(model(batch(80)[0]), batch(80)[1])
    names, node = [], loss.grad_fn
    while node is not None and node.next_functions:
        names.append(node.name() + str(node.metadata))
        node = node.next_functions[-1][0] or node.next_functions[0][0]
    kept.append(np.array(names))
    handle = loss.grad_fn.next_functions[0][0].register_hook(lambda d_in, d_out: kept.append(d_in[0].array.copy()))
    loss.backward()
    handle.remove()
    kept.append(model[0].weight.grad.array.copy())


def _part_of_a_graph(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    x = batch(80)[0].clone().requires_grad_()
    for _ in range(4):
        y = model(x * 2.0)
        y.retain_grad()
        y.register_hook(lambda grad: grad * 3)
        y.pow(2).sum().backward()
        kept.append(y.grad.array.copy())
    kept.append(x.grad.array.copy())


def _asked_for(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    loss = nn.CrossEntropyLoss()(model(batch(80)[0]), batch(80)[1])
    kept += [g.array for g in lenet.autograd.grad(loss, list(model.parameters()))]


def _watched(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    with watch(lambda node, operands, parameters, results: kept.append(results[0].array.copy())):
        model(batch(80)[0])
    with detect_anomaly():
        model(batch(80)[0])


def _not_finite(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    x, y = batch(80)
    x.array[3, 0, 4, 4] = [np.inf, np.nan, -np.inf, 1e38][step % 4]
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    kept += [loss.array.copy(), *(p.grad.array.copy() for p in model.parameters())]


def _other_module(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    if step % 4 == 0:
        model[1] = [nn.ReLU, nn.Tanh, nn.Identity][step // 4 % 3]()


def _argument(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
    if step % 4 == 3:
        model[3].padding = (1, 1) if step % 8 == 3 else (0, 0)
        model[7] = nn.Linear(45 if step % 8 == 3 else 20, 12)
        optimizer.param_groups[0]["params"] = list(model.parameters())


def _copied(step: int, model: Any, optimizer: Any, kept: list[Any]) -> None:
    kept.append(deepcopy(model)(batch(80)[0]).array.copy())


INTERFERENCE: dict[str, Act] = {
    "a hook": at(4, _hook), "a backward hook": at(4, _backward_hook), "a hook on a parameter": at(4, _tensor_hook),
    "a parameter replaced": at(4, _replaced), "a parameter's memory replaced": at(4, _other_memory),
    "a parameter frozen and thawed": _frozen, "a rate changed": _rate, "gradients kept": _kept_gradient,
    "views of gradients kept": _kept_view,
    "exceptions": _raised, "a change in place": at(4, _in_place), "a change in place each time": _in_place,
    "state loaded": at(4, _loaded), "another batch size": _other_size, "another memory order": _rows,
    "batches that are views": _of_a_larger, "evaluation between": _evaluated, "accumulation": _accumulated,
    "clipping": _clipped, "two passes before backward": _two_at_once, "backward twice": _twice,
    "another loss": _other_loss, "gradients in several memory orders": _given_gradient,
    "a look at the graph": _looked_at, "a part of a graph": _part_of_a_graph,
    "autograd.grad": _asked_for, "an observer": _watched, "numbers not finite": _not_finite,
    "another module": _other_module, "another argument": _argument, "copies": _copied,
}  # fmt: skip


@pytest.mark.parametrize("act", list(INTERFERENCE.values()), ids=list(INTERFERENCE))
def test_interference_changes_nothing(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    same(monkeypatch, act=act, steps=12)


@pytest.mark.parametrize("name", ["evaluation between", "two passes before backward", "backward twice", "accumulation",
                                  "numbers not finite", "a look at the graph"])  # fmt: skip
@pytest.mark.parametrize("make", [normed, dropped, residual, graph])
def test_interference_leaves_running_statistics_and_random_numbers_as_they_would_be(
    make: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same(monkeypatch, make, act=INTERFERENCE[name], steps=10)


def random_chain(random: np.random.Generator) -> tuple[Callable[[], nn.Sequential], tuple[int, ...]]:
    """Layers that are recorded, and a few that are not, in a random order."""
    channels, h, w = (int(v) for v in random.integers((1, 10, 10), (4, 20, 20)))
    shape, layers = (channels, h, w), []

    def add(kind: Any, *args: Any, **kwargs: Any) -> None:
        layers.append((kind, args, kwargs))

    for _ in range(int(random.integers(1, 4))):
        kernel, out = int(random.integers(1, 5)), int(random.choice([1, 3, 8, 16, 33]))
        stride, padding = int(random.choice([1, 1, 1, 1, 2])), int(random.integers(0, 2))
        groups = int(random.choice([1, 1, channels])) if out % channels == 0 else 1
        add(nn.Conv2d, channels, out, kernel, stride, padding, groups=groups, bias=bool(random.integers(2)))
        h, w = ((v + 2 * padding - kernel) // stride + 1 for v in (h, w))
        channels = out
        if random.random() < 0.4:
            add(nn.BatchNorm2d, channels, affine=bool(random.integers(2)))
        elif random.random() < 0.2:
            add(nn.GroupNorm, int(random.choice([1, channels])), channels)
        add(
            [nn.ReLU, nn.ReLU, nn.ReLU, nn.ReLU, nn.SiLU, nn.Tanh, nn.ELU, nn.Softsign, nn.Identity][
                int(random.integers(9))
            ]
        )
        if min(h, w) >= 4:
            size = int(random.choice([2, 2, 3]))
            add([nn.MaxPool2d, nn.MaxPool2d, nn.AvgPool2d][int(random.integers(3))], size, size)
            h, w = h // size, w // size
        if min(h, w) < 5:
            break
    add(nn.Flatten)
    features = channels * h * w
    for width in random.integers(3, 40, int(random.integers(0, 3))).tolist():
        add(nn.Linear, features, width, bias=bool(random.integers(5)))
        if random.random() < 0.3:
            add(nn.BatchNorm1d, width)
        add(nn.ReLU)
        features = width
    add(nn.Linear, features, 4, bias=bool(random.integers(5)))
    return lambda: nn.Sequential(*(kind(*args, **kwargs) for kind, args, kwargs in layers)), shape


def check_random_chain(seed: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Trains a chain both ways; gives whether it was recorded."""
    random = np.random.default_rng(seed)
    make, shape = random_chain(random)
    size = int(random.choice([2, 3, 8, 16, 17]))

    def images(step: int, model: Any, optimizer: Any, kept: list[Any]) -> Any:
        own = np.random.default_rng(1000 * seed + step)
        x = own.standard_normal((size, *shape), np.float32)
        return lenet.from_numpy(logical(stored(x)) if seed % 2 else x), lenet.from_numpy(own.integers(0, 4, size))

    found, model = train(True, make, sgd, images, 6, size, monkeypatch)
    wanted, _ = train(False, make, sgd, images, 6, size, monkeypatch)
    assert found == wanted, f"{model}\n{recorded.status(model)}"
    return recorded.status(model)


@pytest.mark.parametrize("seed", range(40))
def test_random_chains_come_to_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_random_chain(seed, monkeypatch)


def test_most_random_chains_of_layers_that_can_be_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    states = [check_random_chain(seed, monkeypatch) for seed in range(100, 130)]
    assert sum(state.startswith("recorded") for state in states) >= 9, states


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 400))
def test_many_random_chains_come_to_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    check_random_chain(seed, monkeypatch)
