"""Layers and random nets to export, and what their outputs should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli import nn
from tests.nn.sample import LayerSample, collected

Array = Any


def settled(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model in evaluation mode with weights and statistics that are nothing special (not 0 or 1)."""
    random = np.random.default_rng(seed)
    for parameter in model.parameters():
        size = parameter.array.shape
        spread = np.prod(size[1:]) ** -0.5 if len(size) > 1 else 0.4  # so that numbers stay as large as they are
        parameter.array[...] = random.normal(0, spread, size)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.array[...] = random.uniform(0.5, 2, buffer.array.shape)
        elif buffer.array.dtype.kind == "f":
            buffer.array[...] = random.normal(0, 0.4, buffer.array.shape)
    return model.eval()


def expected(model: nn.Module, x: Array) -> Array:
    """What the engine gives."""
    with lenet.no_grad():
        return model(lenet.from_numpy(x.copy())).numpy()


def layer_samples() -> list[LayerSample]:
    """The samples of tests/nn/samples that can stand in a net: one input with a batch, one output, no loss."""
    found = [s for s in collected("SAMPLES") if len(s.inputs) == 1 and not s.name.endswith("Loss")]
    found = [
        s for s in found if not s.name.startswith(("GRU", "LSTM", "RNN", "Transformer"))
    ]  # whose batch is not first
    return [s for s in found if s.arrays()[0].ndim > 1 and s.arrays()[0].size and not s.kwargs.get("return_indices")]


def batch(sample: LayerSample, count: int) -> Array:
    """Inputs for a layer, of any batch size: the sample's own, again and again, a little changed."""
    x = sample.arrays()[0]
    found = np.concatenate([x] * (-(-count // len(x))))[:count]
    if found.dtype.kind == "f":
        found = found + np.random.default_rng(count).normal(0, 0.1, found.shape).astype(np.float32)
    return found


def random_net(seed: int) -> tuple[nn.Sequential, tuple[int, ...]]:
    """A net of a few layers that follow one another at random, and the shape of one input."""
    random = np.random.default_rng(seed)
    shape: tuple[int, ...] = (int(random.integers(1, 5)), int(random.integers(9, 17)), int(random.integers(9, 17)))
    if random.random() < 0.25:
        shape = shape[:2]  # sequences
    first, layers = shape, []
    for _ in range(int(random.integers(2, 8))):
        layer = _next(random, shape)
        layers.append(layer)
        shape = _after(layer, shape)
    layers += [nn.Flatten(), nn.Linear(int(np.prod(shape)), 7)]
    layers += [[], [nn.Softmax(1)], [nn.LogSoftmax(-1)], [nn.Dropout()]][int(random.integers(4))]
    model = settled(nn.Sequential(*layers), seed)
    assert isinstance(model, nn.Sequential)
    return model, first


def _after(layer: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    return expected(layer.eval(), np.zeros((2, *shape), np.float32)).shape[1:]


def _next(random: np.random.Generator, shape: tuple[int, ...]) -> nn.Module:
    """A layer that takes this shape, and leaves something of it."""
    found = list(_possible(random, shape))
    while True:
        layer = found[int(random.integers(len(found)))]()
        try:
            after = _after(layer, shape)
        except (RuntimeError, ValueError):
            continue
        if len(after) == len(shape) and min(after[1:]) > 1 and np.prod(after) < 4000:
            return layer


def _possible(random: np.random.Generator, shape: tuple[int, ...]) -> Iterator[Callable[[], nn.Module]]:
    c, d = shape[0], len(shape) - 1

    def pick(*choices: Any) -> Any:
        return choices[int(random.integers(len(choices)))]

    def conv() -> nn.Module:
        groups = pick(1, 1, c)
        return [nn.Conv1d, nn.Conv2d][d - 1](
            c, groups * pick(1, 2, 3), pick(1, 2, 3), pick(1, 2), pick(0, 1), pick(1, 2), groups, pick(True, False),
            pick("zeros", "zeros", "reflect", "replicate", "circular"),
        )  # fmt: skip

    def same() -> nn.Module:
        return [nn.Conv1d, nn.Conv2d][d - 1](c, 3, pick(2, 3, 4), padding="same", dilation=pick(1, 2))

    def transpose() -> nn.Module:
        return [nn.ConvTranspose1d, nn.ConvTranspose2d][d - 1](c, 3, pick(2, 3), pick(1, 2), pick(0, 1))

    def max_pool() -> nn.Module:
        pool = [nn.MaxPool1d, nn.MaxPool2d][d - 1]
        return pool(pick(2, 3), pick(None, 1, 2, 3), pick(0, 1), pick(1, 2), ceil_mode=pick(True, False))

    def avg_pool() -> nn.Module:
        pool = [nn.AvgPool1d, nn.AvgPool2d][d - 1]
        return pool(pick(2, 3), pick(None, 1, 2, 3), pick(0, 1), pick(True, False), pick(True, False))

    yield from (conv, conv, same, transpose, max_pool, avg_pool)
    yield lambda: [nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d][d - 1](pick(3, 4, 5))
    yield lambda: [nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d][d - 1](pick(3, 4, 5))
    yield lambda: [nn.BatchNorm1d, nn.BatchNorm2d][d - 1](c)
    yield lambda: [nn.InstanceNorm1d, nn.InstanceNorm2d][d - 1](c, affine=pick(True, False))
    yield lambda: nn.GroupNorm(pick(1, c), c)
    yield lambda: nn.LayerNorm(shape[-pick(1, 2) :])
    yield lambda: nn.Upsample(scale_factor=pick(1.5, 2), mode=pick("nearest", ["linear", "bilinear"][d - 1]))
    yield lambda: [nn.ReflectionPad1d, nn.ReflectionPad2d][d - 1](pick(1, 2))
    yield lambda: [nn.ConstantPad1d, nn.ConstantPad2d][d - 1](pick(1, 2), 0.5)
    yield lambda: nn.Residual(nn.Tanh(), nn.Dropout())
    yield lambda: nn.Sequential(pick(nn.GELU(), nn.SiLU(), nn.Mish()), nn.Identity())
    yield lambda: pick(nn.ReLU(), nn.ELU(0.7), nn.SELU(), nn.LeakyReLU(0.2), nn.PReLU(c), nn.Softplus(), nn.Hardswish())
