"""Weights of Keras for a model of ours: kernels turned from channels last, columns of flattened pictures reordered.

Layers are paired by name where all names are the model's, else in order, class by class: Keras numbers the layers of
each class. What does not pair is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli.autograd.modes import no_grad
from lenetcli.errors import DataError
from lenetcli.formats.keras_weights import KerasLayer
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import from_numpy

Array = npt.NDArray[Any]

SHOWN = 8  # differences in a message


def converted(model: Module, layers: Sequence[KerasLayer], name: str, sample: Sequence[int]) -> dict[str, Array]:
    """The model's parameters and buffers, by name.

    Args:
        name: of the file, for messages.
        sample: sizes of one sample.

    Raises:
        DataError: layers or sizes differ; the message lists how.
    """
    flattened, shaped = _around_linear(model, sample)
    own = [(path, module) for path, module in model.named_modules() if _has_own(module)]
    given = [part for layer in layers for part in _parts(layer)]
    found: dict[str, Array] = {}
    problems: list[str] = []
    for (path, module), layer in _paired(own, given, name):
        try:
            tensors = _tensors(module, layer, flattened.get(path), shaped.get(path))
        except ValueError as error:
            problems.append(f"{layer.name}, for {path}: {error}")
            continue
        wanted = {key: tuple(t.array.shape) for key, t in (*module.named_parameters(), *module.named_buffers())}
        wanted.pop("num_batches_tracked", None)
        if wanted.keys() != tensors.keys():
            problems.append(f"{layer.name} has {', '.join(tensors)}; {path} has {', '.join(wanted)}")
            continue
        for key, array in tensors.items():
            if array.shape != wanted[key]:
                problems.append(f"{path}.{key}: the file has sizes {list(array.shape)}, the model {list(wanted[key])}")
            elif not np.isfinite(array).all():
                problems.append(f"{path}.{key}: holds NaN or infinite values")
            found[f"{path}.{key}" if path else key] = array
    if problems:
        more = f"\n  ... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in problems[:SHOWN])
        raise DataError(f"{name}: these weights are not of this model:{listed}{more}")
    return found


def _around_linear(model: Module, sample: Sequence[int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of linear layers that take a flattened picture, by path, its sizes (C, H, W); and of those that give one."""
    flattened: dict[str, Any] = {}
    shaped: dict[str, Any] = {}
    pictures: dict[int, Any] = {}  # of a flat result, by its identity: the sizes of the picture that it was
    givers: dict[
        int, str
    ] = {}  # of a result, by its identity: the linear layer that gives it, seen through activations
    kept: list[Any] = []  # so that identities stay their own

    def look(path: str, module: Module) -> Any:
        def hook(_: Module, inputs: Any, output: Any) -> None:
            given = inputs[0]
            if isinstance(given, tuple) or isinstance(output, tuple):  # beside a state: no picture
                return
            kept.append((given, output))
            before, after = tuple(given.shape), tuple(output.shape)
            if isinstance(module, nn.Linear):
                flattened[path] = pictures.get(id(given))
                givers[id(output)] = path
            elif isinstance(module, nn.Flatten):
                pictures[id(output)] = before[1:] if len(before) > 2 else pictures.get(id(given))
            elif isinstance(module, nn.Unflatten):
                shaped[givers.get(id(given), "")] = after[1:]
            elif before == after:
                pictures[id(output)], givers[id(output)] = pictures.get(id(given)), givers.get(id(given), "")

        return hook

    leaves = [(path, m) for path, m in model.named_modules() if not list(m.children())]
    handles = [module.register_forward_hook(look(path, module)) for path, module in leaves]
    was_training = model.training
    try:
        with no_grad():
            model.eval()(from_numpy(np.zeros((1, *sample), np.float32)))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return flattened, shaped


def _has_own(module: Module) -> bool:
    return any(True for _ in module.named_parameters(recurse=False)) or any(
        True for key, _ in module.named_buffers(recurse=False) if key != "num_batches_tracked"
    )


def _parts(layer: KerasLayer) -> list[KerasLayer]:
    """A separable convolution is two here: each channel alone, then all at each pixel."""
    if not layer.kind.startswith("separable_conv") or len(layer.arrays) not in (2, 3):
        return [layer]
    dims = layer.kind.removeprefix("separable_")
    return [
        KerasLayer(f"depthwise_{dims}", f"{layer.name} (depthwise)", layer.arrays[:1]),
        KerasLayer(dims, f"{layer.name} (pointwise)", layer.arrays[1:]),
    ]


def _paired(
    own: list[tuple[str, Module]], given: list[KerasLayer], name: str
) -> list[tuple[tuple[str, Module], KerasLayer]]:
    named = {layer.name: layer for layer in given}
    last = [path.rpartition(".")[2] for path, _ in own]
    if len(named) == len(given) == len(own) and set(last) == set(named):
        return [(pair, named[key]) for pair, key in zip(own, last)]
    pairs: dict[str, list[tuple[str, Module]]] = {}
    for path, module in own:
        pairs.setdefault(_kind(module), []).append((path, module))
    layers: dict[str, list[KerasLayer]] = {}
    for layer in given:
        layers.setdefault(layer.kind, []).append(layer)
    mine, theirs = ({k: len(v) for k, v in pairs.items()}, {k: len(v) for k, v in layers.items()})
    if mine != theirs:
        a, b = (", ".join(f"{each[kind]} {kind}" for kind in sorted(each)) for each in (mine, theirs))
        raise DataError(f"{name}: these weights are not of this model: the model has {a}; the file {b}")
    order = {id(layer): pair for key in pairs for pair, layer in zip(pairs[key], layers[key])}
    return [(order[id(layer)], layer) for layer in given]


def _kind(module: Module) -> str:
    """Keras' word for a layer's class."""
    kind = type(module).__name__
    if isinstance(module, (nn.Conv1d, nn.Conv2d)):
        depthwise = module.groups > 1 and module.groups == module.in_channels
        return ("depthwise_" if depthwise else "") + kind.lower()
    words = {
        "Linear": "dense", "ConvTranspose1d": "conv1d_transpose", "ConvTranspose2d": "conv2d_transpose",
        "BatchNorm1d": "batch_normalization", "BatchNorm2d": "batch_normalization", "LayerNorm": "layer_normalization",
        "GroupNorm": "group_normalization", "PReLU": "p_re_lu", "Embedding": "embedding",
        "RNN": "simple_rnn", "GRU": "gru", "LSTM": "lstm",
    }  # fmt: skip
    return words.get(kind, kind)


def _tensors(
    module: Module, layer: KerasLayer, flattened: tuple[int, ...] | None, shaped: tuple[int, ...] | None
) -> dict[str, Array]:
    """A layer's arrays under torch's names, in torch's layout.

    Raises:
        ValueError: of another number of dimensions than such a layer has.
    """
    arrays = layer.arrays
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        if len(arrays) == 3:
            raise ValueError("has three arrays, so that it is not known whether gamma or beta is missing")
        names = ("weight", "bias", "running_mean", "running_var")
        return dict(zip(names if len(arrays) == 4 else names[2:], arrays))
    if isinstance(module, nn.PReLU):
        return {"weight": arrays[0].reshape(-1)}
    if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
        return dict(zip(("weight", "bias"), arrays))
    if isinstance(module, nn.Linear):
        return _dense(arrays, flattened, shaped)
    if isinstance(module, (nn.RNN, nn.GRU, nn.LSTM)):
        return _recurrent(module, arrays)
    kernel = arrays[0]
    dims = 1 if type(module).__name__.endswith("1d") else 2
    if kernel.ndim != dims + 2:
        raise ValueError(f"has a kernel {list(kernel.shape)}, not of {dims + 2} dimensions")
    image = tuple(range(dims))
    if type(module).__name__.startswith("ConvTranspose"):
        weight = kernel.transpose(dims + 1, dims, *image)  # (K, L, O, I) -> (I, O, K, L)
    elif layer.kind.startswith("depthwise"):
        weight = kernel.transpose(dims, dims + 1, *image).reshape(-1, 1, *kernel.shape[:dims])
    else:
        weight = kernel.transpose(dims + 1, dims, *image)  # (K, L, I, O) -> (O, I, K, L)
    return {"weight": weight} if len(arrays) == 1 else {"weight": weight, "bias": arrays[1]}


def _dense(
    arrays: tuple[Array, ...], flattened: tuple[int, ...] | None, shaped: tuple[int, ...] | None
) -> dict[str, Array]:
    if arrays[0].ndim != 2:
        raise ValueError(f"has a kernel {list(arrays[0].shape)}, not of two dimensions")
    weight, *bias = arrays[0].T, *arrays[1:]
    if flattened is not None and weight.shape[1] == np.prod(flattened):
        c, *image = flattened  # (O, H W C) -> (O, C H W)
        weight = np.moveaxis(weight.reshape(-1, *image, c), -1, 1).reshape(len(weight), -1)
    if shaped is not None and len(weight) == np.prod(shaped):
        c, *image = shaped
        order = np.moveaxis(np.arange(len(weight)).reshape(*image, c), -1, 0).reshape(-1)
        weight, bias = weight[order], [one[order] for one in bias]
    return {"weight": weight} if not bias else {"weight": weight, "bias": bias[0]}


def _recurrent(module: nn.RNN | nn.GRU | nn.LSTM, arrays: tuple[Array, ...]) -> dict[str, Array]:
    """The weights of each direction, turned; the gates of a GRU in torch's order, and one bias as the inputs' own."""
    if module.num_layers > 1:
        raise ValueError(f"is one layer, and the model's has num_layers {module.num_layers}; write them one by one")
    count = len(arrays) // module.directions
    if count not in (2, 3) or len(arrays) != count * module.directions:
        raise ValueError(f"has {len(arrays)} arrays, not those of {module.directions} directions")
    order = (1, 0, 2) if isinstance(module, nn.GRU) else range(module.gates)  # Keras: z, r, n
    found = {}
    for direction, suffix in enumerate(("_l0", "_l0_reverse")[: module.directions]):
        kernel, recurrent, *bias = arrays[direction * count : (direction + 1) * count]
        rows = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
        if bias:
            if isinstance(module, nn.GRU) and bias[0].ndim == 1:
                raise ValueError("was made with reset_after=False, whose formula is not torch's")
            pair = bias[0] if bias[0].ndim == 2 else np.stack([bias[0], np.zeros_like(bias[0])])
            rows |= {"bias_ih": pair[0], "bias_hh": pair[1]}
        for name, array in rows.items():
            if len(array) % module.gates:
                raise ValueError(f"has {len(array)} columns, not those of {module.gates} gates")
            parts = np.split(array, module.gates)
            found[name + suffix] = np.concatenate([parts[i] for i in order])
    return found
