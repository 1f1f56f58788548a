"""What the layers of a model look for and see, as pictures: filters of the first one, feature maps of an image."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli.autograd.modes import fusion, no_grad
from lenetcli.nn.module import Module
from lenetcli.nn.recurrent.base import RecurrentLayer
from lenetcli.tensors.tensor import Tensor, from_numpy

MOST_LAYERS = 12

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Filters:
    """The weights of the first layer as pictures.

    Args:
        layer: its path in the model; `kind` is its class.
        shape: of its weights.
        pictures: (K, C, H, W): of each unit what it looks for; C is 3 for weights on colours, else 1.
        names: of each picture: "filter 2", or "filter 2, channel 1".
        total: how many pictures there are, of which the first are kept.
    """

    layer: str
    kind: str
    shape: list[int]
    pictures: Array
    names: list[str]
    total: int


def first_filters(model: Module, sample: tuple[int, ...], most: int = 64) -> Filters | None:
    """Those of the first convolution, or of a linear layer that sees the whole image; None where neither comes first.

    Args:
        sample: shape of the model's input, without N.
        most: pictures to keep.

    Example:
        >>> from lenetcli import nn
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
        >>> first_filters(model, (1, 8, 8)).pictures.shape
        (5, 1, 8, 8)
    """
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.array  # (O, I, K, L)
            name = "filter"
        elif isinstance(module, nn.Linear):
            if len(sample) != 3 or module.in_features != math.prod(sample):
                return None
            weight = module.weight.array.reshape(-1, *sample)
            name = "unit"
        elif isinstance(module, (RecurrentLayer, nn.MultiheadAttention)):
            return None  # what comes after it sees no image, whatever its size
        else:
            continue
        planes = weight.shape[1]
        if planes in (1, 3):
            pictures, names = weight, [f"{name} {i}" for i in range(len(weight))]
        else:
            pictures = weight.reshape(-1, 1, *weight.shape[2:])
            names = [f"{name} {i // planes}, channel {i % planes}" for i in range(len(pictures))]
        kept = np.array(pictures[:most], np.float64)
        return Filters(path, type(module).__name__, list(module.weight.shape), kept, names[:most], len(pictures))
    return None


@dataclass(frozen=True)
class LayerMaps:
    """What one layer makes of an image: a picture for each channel.

    Args:
        shape: (C, H, W) of the layer's output.
        maps: (K, H, W), the first channels.
    """

    layer: str
    kind: str
    shape: list[int]
    maps: Array

    @property
    def blank(self) -> int:
        """How many of the kept maps are zero everywhere."""
        return int(len(self.maps) - np.count_nonzero(self.maps.any(axis=(1, 2))))


@dataclass(frozen=True)
class FeatureMaps:
    """An image's way through a model.

    Args:
        image: (C, H, W), as the model gets it.
        layers: in the order in which they were called.
        left_out: layers with maps that are not among them.
        output: the model's output.
    """

    image: Array
    layers: list[LayerMaps]
    left_out: int
    output: Array


def feature_maps(model: Module, image: Array, most: int = 32, output: int | None = None) -> FeatureMaps:
    """Runs a model in evaluation mode on one image and keeps what its layers give, where that is pictures.

    Args:
        image: (C, H, W), or of whatever shape a sample has.
        most: channels of a layer to keep.
        output: which of several outputs is the model's; None: it has one.
    """
    seen: list[tuple[str, Module, Array]] = []
    handles = [
        module.register_forward_hook(lambda module, _, output, path=path: _note(seen, path, module, output))
        for path, module in _leaves(model)
    ]
    training = model.training
    model.eval()
    try:
        with no_grad(), fusion(False):
            given = model(from_numpy(np.ascontiguousarray(image[None], np.float32)))
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    layers = [
        LayerMaps(path, type(module).__name__, list(found.shape), np.array(found[:most], np.float64))
        for path, module, found in seen
    ]
    answer = (given if output is None else given[output]).array[0]
    return FeatureMaps(np.asarray(image), layers[:MOST_LAYERS], max(0, len(layers) - MOST_LAYERS), answer)


def _leaves(model: Module) -> Iterator[tuple[str, Module]]:
    for path, module in model.named_modules():
        if not any(True for _ in module.children()):
            yield path, module


def _note(seen: list[tuple[str, Module, Array]], path: str, module: Module, output: Any) -> None:
    if isinstance(output, Tensor) and output.array.ndim == 4 and min(output.array.shape) > 0:
        seen.append((path, module, output.array[0].copy()))
