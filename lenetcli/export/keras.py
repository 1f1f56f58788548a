"""Weights of Keras for a model of ours: kernels turned from channels last, columns of flattened pictures reordered.

Layers are paired by name where all names are the model's, else in order, class by class: Keras numbers the layers of
each class. What does not pair is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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


class Picture(NamedTuple):
    """The picture that a layer's numbers are of, where they are flattened.

    Args:
        taken: sizes (C, H, W) of what the layer takes, flat.
        given: sizes of what is made of what it gives.
        whole: they are not flattened, and the layer has a weight for each.
    """

    taken: tuple[int, ...] | None = None
    given: tuple[int, ...] | None = None
    whole: bool = False


def converted(model: Module, layers: Sequence[KerasLayer], name: str, sample: Sequence[int]) -> dict[str, Array]:
    """The model's parameters and buffers, by name.

    Args:
        name: of the file, for messages.
        sample: sizes of one sample.

    Raises:
        DataError: layers or sizes differ; the message lists how.
    """
    pictures = _pictures(model, sample)
    own = [(path, module) for path, module in model.named_modules() if _has_own(module)]
    given = [part for layer in layers for part in _parts(layer)]
    found: dict[str, Array] = {}
    problems: list[str] = []
    for (path, module), layer in _paired(own, given, name):
        try:
            tensors = _tensors(module, layer, pictures.get(path, Picture()))
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


def _pictures(model: Module, sample: Sequence[int]) -> dict[str, Picture]:
    """Of the layers that work on the numbers of a flattened picture, by path, its sizes (C, H, W).

    That is from Flatten on, up to the linear layer that takes them, and from the linear layer before an Unflatten on;
    and LayerNorm over all of a picture.
    """
    found: dict[str, Picture] = {}
    flat: dict[int, tuple[int, ...]] = {}  # of a flat result, by its identity: the sizes of the picture that it was
    makers: dict[int, tuple[str, ...]] = {}  # of a flat result: the linear layer that gives it, and what came after
    kept: list[Any] = []  # so that identities stay their own

    def look(path: str, module: Module) -> Any:
        def hook(_: Module, inputs: Any, output: Any) -> None:
            given = inputs[0]
            if isinstance(given, tuple) or isinstance(output, tuple):  # beside a state: no picture
                return
            kept.append((given, output))
            before, after = tuple(given.shape), tuple(output.shape)
            picture, made = flat.get(id(given)), makers.get(id(given), ())
            if isinstance(module, nn.Flatten):
                picture = before[1:] if len(before) > 2 else picture
                if picture is not None:
                    flat[id(output)] = picture
            elif isinstance(module, nn.Unflatten):
                for giver in made:
                    found[giver] = found.get(giver, Picture())._replace(given=after[1:])
            elif isinstance(module, nn.Linear):
                found[path] = Picture(taken=picture)
                makers[id(output)] = (path,)
            elif before == after:
                whole = isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == len(before) - 1 > 1
                found[path] = Picture(taken=picture, whole=whole)
                if picture is not None:
                    flat[id(output)] = picture
                makers[id(output)] = (*made, path) if made else ()

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
    return found


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


def _tensors(module: Module, layer: KerasLayer, picture: Picture) -> dict[str, Array]:
    """A layer's arrays under torch's names, in torch's layout.

    Raises:
        ValueError: of another number of dimensions than such a layer has.
    """
    arrays = layer.arrays
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        if len(arrays) == 3:
            raise ValueError("has three arrays, so that it is not known whether gamma or beta is missing")
        names = ("weight", "bias", "running_mean", "running_var")
        return dict(zip(names if len(arrays) == 4 else names[2:], (_each(array, picture) for array in arrays)))
    if isinstance(module, nn.PReLU):
        return {"weight": _each(arrays[0].reshape(-1), picture)}
    if isinstance(module, nn.GroupNorm) and module.num_groups > 1 and (picture.taken or picture.given):
        raise ValueError("normalises groups of a flattened picture's numbers, which are others channels last")
    if isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
        return dict(zip(("weight", "bias"), (_each(array, picture) for array in arrays)))
    if isinstance(module, nn.Linear):
        return _dense(arrays, picture)
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


def _each(array: Array, picture: Picture) -> Array:
    """Numbers of which a flattened picture's each has one (or a whole picture's), in torch's order."""
    if picture.whole and array.ndim > 1:
        return np.moveaxis(array, -1, 0)
    for sizes in (picture.taken, picture.given):
        if sizes is not None and array.ndim == 1 and len(array) == np.prod(sizes):
            return array[_order(sizes)]
    return array


def _order(sizes: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """Where each number of a flattened picture (C, H, W) is among those of (H, W, C)."""
    channels, *image = sizes
    return np.moveaxis(np.arange(np.prod(sizes)).reshape(*image, channels), -1, 0).reshape(-1)


def _dense(arrays: tuple[Array, ...], picture: Picture) -> dict[str, Array]:
    if arrays[0].ndim != 2:
        raise ValueError(f"has a kernel {list(arrays[0].shape)}, not of two dimensions")
    weight, *bias = arrays[0].T, *arrays[1:]
    if picture.taken is not None and weight.shape[1] == np.prod(picture.taken):
        weight = weight[:, _order(picture.taken)]
    if picture.given is not None and len(weight) == np.prod(picture.given):
        order = _order(picture.given)
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
