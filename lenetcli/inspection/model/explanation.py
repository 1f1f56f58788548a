"""Where in a picture an answer comes from: class activation map, gradient, and what covering a part of it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.modes import fusion, no_grad
from lenetcli.data.transforms import resize
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor, from_numpy

Array = npt.NDArray[Any]

STEPS = 8  # places of the cover along a side
TOGETHER = 64  # covered pictures in a batch


@dataclass(frozen=True)
class Explanation:
    """Where the score of an answer comes from, each (H, W) as the model sees the picture.

    Args:
        activation: the class activation map, 0 to 1: where the last layer that still sees places found what speaks for
            the answer; None where the model has no such layer.
        layer: that layer.
        gradient: 0 to 1: how much each pixel would change the score.
        occlusion: by how much the score falls where a square is covered with what the data's mean is; negative where it
            rises.
    """

    activation: Array | None
    layer: str
    gradient: Array
    occlusion: Array


def explained(model: Module, image: Array, score: Callable[[Tensor], Tensor]) -> Explanation:
    """Explains a score of a model in evaluation mode.

    Formula:
        activation = relu(sum_k mean(d score / d A_k) A_k), A_k the maps of the last layer that has places
        gradient = max over channels of |d score / d x|

    Args:
        image: (C, H, W), as the model gets it.
        score: of the model's output for a batch, one number for each: (N,).

    Source: R. R. Selvaraju et al., Grad-CAM, 2017; K. Simonyan et al., Deep Inside Convolutional Networks, 2014; M. D.
        Zeiler, R. Fergus, Visualizing and Understanding Convolutional Networks, 2014.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3))
        >>> found = explained(net, np.ones((1, 8, 8), np.float32), lambda output: output[:, 0])
        >>> found.layer, found.activation.shape, found.gradient.shape, found.occlusion.shape
        ('1', (8, 8), (8, 8), (8, 8))
    """
    seen: list[tuple[str, Tensor]] = []

    def note(path: str, output: Any) -> None:
        places = isinstance(output, Tensor) and output.array.ndim == 4 and min(output.array.shape[2:]) > 1
        if places and output.requires_grad:
            output.retain_grad()
            seen.append((path, output))

    leaves = [(path, module) for path, module in model.named_modules() if not any(True for _ in module.children())]
    handles = [
        module.register_forward_hook(lambda module, _, output, path=path: note(path, output)) for path, module in leaves
    ]
    training = model.training
    model.eval()
    kept = [(parameter, parameter.grad) for parameter in model.parameters()]
    try:
        given = from_numpy(np.ascontiguousarray(image[None], np.float32))
        given.requires_grad_(True)
        with fusion(False):
            score(model(given)).sum().backward()
        for handle in handles:
            handle.remove()
        handles.clear()
        falls = _occlusion(model, image, score)
    finally:
        for handle in handles:
            handle.remove()
        for parameter, grad in kept:
            parameter.grad = grad
        model.train(training)
    path, maps = next(((p, m) for p, m in reversed(seen) if m.grad is not None), ("", None))
    activation = None if maps is None else _activation(maps, image.shape[1:])
    gradient = np.zeros(image.shape, np.float32) if given.grad is None else np.abs(np.array(given.grad.array[0]))
    return Explanation(activation, path, _to_one(gradient.max(axis=0)), falls)


def _activation(maps: Tensor, size: tuple[int, ...]) -> Array:
    assert maps.grad is not None, "it was asked for"
    weights = np.array(maps.grad.array[0], np.float64).mean(axis=(1, 2))
    found = np.maximum(np.tensordot(weights, np.array(maps.array[0], np.float64), 1), 0)
    return _to_one(resize(found[None, None].astype(np.float32), (size[0], size[1]))[0, 0])


def _to_one(values: Array) -> Array:
    highest = float(values.max(initial=0))
    return np.asarray(values / highest if highest > 0 else values, np.float64)


def _occlusion(model: Module, image: Array, score: Callable[[Tensor], Tensor]) -> Array:
    """By how much the score falls where a square of a quarter of the side is covered, the mean over the squares."""
    h, w = image.shape[1:]
    tall, wide = max(1, h // 4), max(1, w // 4)
    places = [
        (int(top), int(left))
        for top in np.unique(np.linspace(0, h - tall, STEPS).round())
        for left in np.unique(np.linspace(0, w - wide, STEPS).round())
    ]

    def scored(batch: Array) -> Array:
        with no_grad():
            return np.array(score(model(from_numpy(np.ascontiguousarray(batch, np.float32)))).array, np.float64)

    whole = float(scored(image[None])[0])
    total, count = np.zeros((h, w)), np.zeros((h, w))
    for start in range(0, len(places), TOGETHER):
        some = places[start : start + TOGETHER]
        covered = np.repeat(image[None], len(some), axis=0)
        for one, (top, left) in zip(covered, some):
            one[:, top : top + tall, left : left + wide] = 0
        for (top, left), value in zip(some, scored(covered)):
            total[top : top + tall, left : left + wide] += whole - value
            count[top : top + tall, left : left + wide] += 1
    return np.asarray(total / np.maximum(count, 1))
