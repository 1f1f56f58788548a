"""Nets that are recorded, and a training of each with recordings and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.autograd.composite import Composite, use
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn import recorded

Bits = list[bytes]


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
