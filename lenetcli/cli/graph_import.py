"""What `lenet import` makes of a file that holds a whole net: a configuration, where none is given, and a model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lenetcli.errors import ConfigError, DataError, LenetError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def prepared(path: Path, config: str, overrides: list[str], adapt: Callable[[Config], Config]) -> Prepared:
    """The net of an ONNX file.

    Args:
        config: the YAML file that describes the model; empty: one is made of the file.
        overrides: changes of the configuration.
        adapt: gives a configuration the command line's word on how weights become its model's.

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
        checked = adapt(configuration.load(config, overrides))
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
    is_whole, said = _loaded(path, found, model, checked)
    notes = [*found.notes, *said]
    if is_whole:
        notes.append(_compared(path, found, model, checked.model.input))
    if not config:
        notes.append("data, loss and optimizer are to begin with: no file of a net says them; change config.yaml")
        shape = found.model["input"]
        if len(shape) < 3 and not any(change.startswith("data") for change in overrides):
            from lenetcli.build.fits import with_flatten

            notes.append(
                f"the data sources here give samples of three sizes, the net takes {shape}: to train it or to evaluate "
                f"it, describe it with {with_flatten(shape)} in a configuration of your own, and import with --config"
            )
    return Prepared(checked, model, [printable(note) for note in notes], _inputs(path, found, checked))


def prepared_keras(path: Path, config: str, overrides: list[str], adapt: Callable[[Config], Config]) -> Prepared:
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
    checked = adapt(configuration.load(config, overrides))
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


def _loaded(path: Path, found: Imported, model: Module, config: Config) -> tuple[bool, list[str]]:
    """Puts the weights into the model: by name, else in order; and says whether the model is the file's net now."""
    from lenetcli.build.foreign_weights import in_order
    from lenetcli.export.foreign import fitted
    from lenetcli.tensors.tensor import from_numpy

    given = {name: from_numpy(array.copy()) for name, array in found.weights.items()}
    weights, notes = in_order(model, given, config.model.rename)
    try:
        fit = fitted(model, weights, str(path), config.model.strict, config.model.rename)
    except DataError as error:
        raise DataError(f"{error}\n  without --config its own model is made") from None
    model.load_state_dict(fit.tensors)
    return not fit.anew and not fit.unused, [*notes, *fit.told()]


def _compared(path: Path, found: Imported, model: Module, sample: Sequence[int]) -> str:
    from lenetcli.onnx_import.comparing import difference

    apart, by = difference(path, found, model, sample)
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
