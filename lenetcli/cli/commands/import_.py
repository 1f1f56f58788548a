"""`lenet import`: weights trained elsewhere, as a run directory."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli.options import NoLock, changes, trust
from lenetcli.errors import ConfigError, DataError, LenetError, printable

if TYPE_CHECKING:
    from lenetcli.config import Config
    from lenetcli.data import Source
    from lenetcli.data.inputs import Inputs
    from lenetcli.nn import Module


def import_weights(
    weights: Annotated[Path, typer.Argument(help="The weights.", metavar="WEIGHTS")],
    overrides: Annotated[list[str] | None, changes("data.root=DIR")] = None,
    config: Annotated[str, typer.Option(help="The YAML file that describes the model.", show_default=False)] = "",
    out: Annotated[
        Path | None, typer.Option(help="The run directory, new or empty.", show_default="runs/<name>/<NNN>")
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option(
            "--strict/--no-strict",
            help="Every tensor has to fit, or: what does not fit is left, and what the model lacks starts anew.",
            show_default="model.strict",
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(help="Another beginning of names: module.= or backbone.=features.", metavar="OLD=NEW"),
    ] = None,
    no_lock: NoLock = False,
) -> None:
    """Make a run directory of weights that were trained elsewhere, by torch for example.

    A file of torch.save (.pt, .pth), a safetensors file, as torch and R's torch write them, or an .npz of arrays by
    name, told apart by their content; no code of a file is run. The names and shapes in the file must be those of the
    configuration's model, which are torch's for the same layers. Of a checkpoint the state dict is taken.

    An ONNX file, as torch, tf2onnx and `lenet export` write it, holds the whole net: without --config a configuration
    is made of its graph. What no layer stands for is named. Weights of Keras 3 (.keras, .weights.h5) go into a model
    of the same layers.

    Example: lenet import weights.pth --config configs/lenet.yaml
    """
    from lenetcli import config as configuration
    from lenetcli.build.parts import build_criterion, build_data, build_model
    from lenetcli.data.fingerprint import fingerprint
    from lenetcli.disk import is_there
    from lenetcli.export.foreign import fitted
    from lenetcli.export.weights import read_weights
    from lenetcli.tensors.serialization import to_bytes

    trust(no_lock)
    if _is_of_others(weights):
        _import_others(weights, config, overrides or [], out, strict, rename or [])
        return
    if not config:
        if is_there(weights):
            read_weights(weights)  # what is wrong with the file comes first
        given = next((word for word in overrides or [] if word.endswith((".yaml", ".yml"))), "")
        raise ConfigError(f"which model? Give its configuration with --config {given}".rstrip())
    checked = _with_options(configuration.load(config, overrides or []), strict, rename or [])
    model, _ = build_model(checked)
    data: dict[str, Any] | None = None
    build_criterion(checked)  # refuses what is wrong with it now
    fit = fitted(model, read_weights(weights), str(weights), checked.model.strict, checked.model.rename)
    model.load_state_dict(fit.tensors)
    found, notes = fit.tensors, list(fit.told())
    source = build_data(checked)
    try:
        inputs, said = _checked_inputs(checked, model, source)
        notes += said
        data = fingerprint(source)
    except DataError as error:
        inputs = _stated_inputs(weights, checked)
        notes.append(f"the data was not looked at: {error}")
    place = _write(checked, out, to_bytes(model.state_dict()), inputs, data)
    for note in notes:
        print(printable(f"note: {note}"), file=sys.stderr)
    print(f"{weights}: {len(found)} tensors, {sum(t.numel() for t in found.values()):,} numbers; run directory {place}")


def _with_options(config: Config, strict: bool | None, rename: list[str]) -> Config:
    """The configuration with the command line's word on how weights become its model's.

    What it says of weights to begin with itself is left out: these are the ones.
    """
    table = dict(config.model.rename)
    for change in rename:
        old, equals, new = change.partition("=")
        if not equals:
            raise ConfigError(f"--rename {change}: wanted OLD=NEW, such as module.= or backbone.=features.")
        table[old] = new
    strict = config.model.strict if strict is None else strict
    return replace(config, model=replace(config.model, init=None, strict=strict, rename=table))


def _is_of_others(path: Path) -> bool:
    from lenetcli.disk import check_regular, is_regular
    from lenetcli.formats.recognise import OF_OTHERS, recognise

    if path.suffix in (".onnx", ".keras", ".h5"):
        check_regular(path, 1 << 40)
    return is_regular(path) and recognise(path) in OF_OTHERS


def _import_others(
    path: Path, config: str, overrides: list[str], out: Path | None, strict: bool | None, rename: list[str]
) -> None:
    """An ONNX file, of which a configuration is made where none is given, or weights of Keras."""
    from lenetcli.build.parts import build_data
    from lenetcli.cli.graph_import import prepared, prepared_keras
    from lenetcli.data.fingerprint import fingerprint
    from lenetcli.formats.recognise import Kind, recognise
    from lenetcli.tensors.serialization import to_bytes

    is_onnx = recognise(path) is Kind.onnx
    if (rename or strict is False) and not (is_onnx and config):
        option = "--rename" if rename else "--no-strict"
        why = "the net is the file's own; give the model that differs with --config" if is_onnx else (
            "weights of Keras are paired with the model's layers, all of them"
        )  # fmt: skip
        raise ConfigError(f"{option}: not for {path}: {why}")
    prepare = prepared if is_onnx else prepared_keras
    found = prepare(path, config, overrides, lambda checked: _with_options(checked, strict, rename))
    state, data = found.model.state_dict(), None
    if config or any(change.startswith("data") for change in overrides):
        source = build_data(found.config)
        try:
            inputs, said = _checked_inputs(found.config, found.model, source)
            found.inputs, data = inputs or found.inputs, fingerprint(source)
            found.notes += said
        except DataError as error:
            found.notes.append(f"the data was not looked at: {error}")
    place = _write(found.config, out, to_bytes(state), found.inputs, data)
    for note in found.notes:
        print(printable(f"note: {note}"), file=sys.stderr)
    print(f"{path}: {len(state)} tensors, {sum(t.numel() for t in state.values()):,} numbers; run directory {place}")


def _checked_inputs(config: Config, model: Module, source: Source) -> tuple[Inputs | None, list[str]]:
    """How pictures become what the model takes, of data that fits the model; and what should be said of that.

    Raises:
        ConfigError: it does not.
        DataError: it cannot be read.
    """
    from lenetcli.build.parts import build_criterion, check_output, check_samples
    from lenetcli.data.inputs import Inputs

    check_samples(config, source)
    found = check_output(config, model, build_criterion(config, source), source)
    return Inputs.of(source), list(found.notes)


def _stated_inputs(weights: Path, config: Config) -> Inputs | None:
    """What the file itself says of its inputs, where `lenet export` has written it."""
    from lenetcli.data.inputs import parse
    from lenetcli.export.weights import notes_of

    stated = notes_of(weights).get("lenet.inputs")
    if stated is None:
        return None
    try:
        found = parse(json.loads(stated))
    except (ValueError, KeyError, TypeError, RecursionError, LenetError) as error:
        raise DataError(f"{weights}: damaged metadata 'lenet.inputs': {error}") from None
    return found if (found.shape[0], *found.size) == tuple(config.model.input) else None


def _write(
    config: Config, out: Path | None, weights: bytes, inputs: Inputs | None, data: dict[str, Any] | None
) -> Path:
    """Makes the run directory, whole or not at all; the configuration, which makes it a run, comes last."""
    from lenetcli.build.parts import resolved
    from lenetcli.build.places import located
    from lenetcli.config.user_code import made_of
    from lenetcli.config.writing import dump, plain
    from lenetcli.data.inputs import write_inputs
    from lenetcli.disk import write_atomically
    from lenetcli.runs import directory
    from lenetcli.runs.lock import locked

    text = dump(resolved(located(config)))
    directory.check_config(text)
    with directory.made(config.name, out) as place, locked(place):
        directory.check_new(place)
        write_atomically(place / "model.safetensors", weights)
        directory.write_environment(place, data=data, code=made_of(plain(config)))
        write_inputs(place, inputs)
        directory.write_config(place, text)
    return place
