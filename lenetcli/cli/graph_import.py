"""What `lenet import` makes of a file that holds a whole net: a configuration, where none is given, and a model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenetcli.errors import ConfigError, DataError, LenetError, printable

if TYPE_CHECKING:
    from lenetcli.config import Config
    from lenetcli.data.inputs import Inputs
    from lenetcli.nn import Module
    from lenetcli.onnx_import.imported import Imported


@dataclass
class Prepared:
    """A configuration and a model with the file's weights."""

    config: Config
    model: Module
    notes: list[str] = field(default_factory=list)
    inputs: Inputs | None = None


def prepared(path: Path, config: str, overrides: list[str]) -> Prepared:
    """The net of an ONNX file.

    Args:
        config: the YAML file that describes the model; empty: one is made of the file.
        overrides: changes of the configuration.

    Raises:
        DataError: the file cannot be read, or is not of that model.
        ConfigError: the configuration, or what became of it, cannot work.
        CheckFailed: the model does not give what the file gives.
    """
    from lenetcli import config as configuration
    from lenetcli.build.parts import build_criterion, build_model
    from lenetcli.onnx_import import imported
    from lenetcli.onnx_import.sections import whole

    if config:
        checked = configuration.load(config, overrides)
        found = imported.read(path, checked.model.input)
    else:
        from lenetcli.config.writing import text

        found = imported.read(path)
        checked = configuration.load(f"{path}.yaml", overrides, text(whole(found)))
    try:
        model, _ = build_model(checked)
    except ConfigError as error:
        if config or overrides:
            raise
        first = str(error).partition("\n")[0].partition(": ")[2]
        raise DataError(f"{path}: what its layers became does not work here: {first}") from None
    build_criterion(checked)
    notes = [*found.notes, *_loaded(path, found, model)]
    notes.append(_compared(path, found, model))
    if not config:
        notes.append("data, loss and optimizer are to begin with: no file of a net says them; change config.yaml")
    return Prepared(checked, model, [printable(note) for note in notes], _inputs(path, found, checked))


def prepared_keras(path: Path, config: str, overrides: list[str]) -> Prepared:
    """The model of a configuration with the weights of a file of Keras 3.

    Raises:
        DataError: the file cannot be read, or is not of that model.
        ConfigError: the configuration cannot work, or h5py is not installed.
    """
    from lenetcli import config as configuration
    from lenetcli.build.parts import build_criterion, build_model
    from lenetcli.export.keras import converted
    from lenetcli.formats import keras_weights

    layers = keras_weights.read(path)
    if not config:
        raise ConfigError("which model? Weights of Keras go into one of the same layers: give it with --config")
    checked = configuration.load(config, overrides)
    model, _ = build_model(checked)
    build_criterion(checked)
    found = converted(model, layers, str(path), checked.model.input)
    state = model.state_dict()
    for key, array in found.items():
        state[key].array[...] = array
    model.load_state_dict(state)
    turned = len(checked.model.input) > 1
    notes = ["kernels were turned from channels last: the model takes pictures as C, H, W"] if turned else []
    return Prepared(checked, model, notes)


def _loaded(path: Path, found: Imported, model: Module) -> list[str]:
    """Puts the weights into the model: by name, else in order where types and sizes are the same."""
    import numpy as np

    from lenetcli.export.foreign import COUNTER

    own = {key: tensor for key, tensor in model.state_dict().items() if not key.endswith(COUNTER)}
    weights, notes = found.weights, []
    if own.keys() != weights.keys():
        if [_kind(key, t.array.shape) for key, t in own.items()] != [_kind(k, a.shape) for k, a in weights.items()]:
            raise DataError(_misfit(path, own, weights))
        weights = dict(zip(own, weights.values()))
        notes.append("names differ from the model's; the weights were taken in order, where all sizes are the same")
    wrong = next((key for key, tensor in own.items() if tuple(tensor.array.shape) != weights[key].shape), None)
    if wrong is not None:
        raise DataError(_misfit(path, own, weights))
    for key, tensor in own.items():
        if not np.isfinite(weights[key]).all():
            raise DataError(f"{path}: {key} holds NaN or infinite values")
        tensor.array[...] = weights[key]
    model.load_state_dict({**model.state_dict(), **own})
    return notes


def _kind(key: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    return key.rpartition(".")[2], tuple(shape)


def _misfit(path: Path, own: dict[str, Any], weights: dict[str, Any]) -> str:
    """The first tensors, in order, that differ."""
    from itertools import zip_longest

    lines = []
    for mine, theirs in zip_longest(own.items(), weights.items()):
        a = "nothing" if mine is None else f"{mine[0]} {list(mine[1].array.shape)}"
        b = "nothing" if theirs is None else f"{theirs[0]} {list(theirs[1].shape)}"
        if mine is None or theirs is None or _kind(mine[0], mine[1].array.shape) != _kind(theirs[0], theirs[1].shape):
            lines.append(f"\n  the model has {a}, the file {b}")
    more = f"\n  ... and {len(lines) - 4} more" if len(lines) > 4 else ""
    return f"{path}: is not of this model:{''.join(lines[:4])}{more}\n  without --config its own model is made"


def _compared(path: Path, found: Imported, model: Module) -> str:
    from lenetcli.onnx_import.comparing import difference

    apart, by = difference(path, found, model)
    if apart is None:
        return f"outputs were not compared with the file's: {by}"
    return f"outputs differ from the file's by {apart:.1g} at most ({by})"


def _inputs(path: Path, found: Imported, config: Config) -> Inputs | None:
    """What the file itself says of its inputs, where `lenet export` has written it."""
    from lenetcli.data.inputs import parse

    stated = found.metadata.get("lenet.inputs")
    if stated is None:
        return None
    try:
        inputs = parse(json.loads(stated))
    except (ValueError, KeyError, TypeError, RecursionError, LenetError) as error:
        raise DataError(f"{path}: damaged metadata 'lenet.inputs': {error}") from None
    return inputs if (inputs.shape[0], *inputs.size) == tuple(config.model.input) else None
