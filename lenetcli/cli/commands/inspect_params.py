"""`lenet inspect-params`: the parameters of a model, as a table and in other views."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import At, Json, Places, check_place, print_json, show, training_to_look_at
from lenetcli.errors import ConfigError, DataError, printable

if TYPE_CHECKING:
    from lenetcli.config import Config
    from lenetcli.config.user_code import NotImported
    from lenetcli.nn.module import Module

MOST_SHOWN, MOST_IN_FILE = 64, 1024  # filters


class Given(NamedTuple):
    """What is to be shown.

    Args:
        path: of a configuration, a run or a weights file.
        at: after how many steps of training; None: a run's best weights, a configuration's initial ones.
        places: where the run's data lies now.
    """

    path: str
    at: int | None = None
    places: tuple[str, ...] = ()


def inspect_params(
    what: Annotated[
        str,
        typer.Argument(
            help="A configuration, a run directory or a weights file.",
            metavar="CONFIG|RUN|FILE.safetensors|.pt|.npz",
            autocompletion=completion.either,
        ),
    ],
    picture: Annotated[
        Path | None,
        typer.Argument(help="With --filters or --inside: write a picture.", metavar="[FILE.png]", show_default=False),
    ] = None,
    places: Places = None,
    values: Annotated[bool, typer.Option("--values", help="Print the numbers too, as torch does.")] = False,
    tree: Annotated[bool, typer.Option("--tree", help="By module, with counts.")] = False,
    histogram: Annotated[bool, typer.Option("--histogram", help="A histogram of each tensor.")] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Layers with shapes, parameters and multiply-adds.")
    ] = False,
    filters: Annotated[bool, typer.Option("--filters", help="The first layer's weights as pictures.")] = False,
    inside: Annotated[
        bool, typer.Option("--inside", help="Attention of each head and gates of recurrent layers, of one sample.")
    ] = False,
    image: Annotated[
        int, typer.Option("--image", min=0, metavar="INDEX", help="With --inside: the sample of the test split.")
    ] = 0,
    other: Annotated[
        str | None,
        typer.Option("--diff", help="Compare with this configuration, run or weights file.", metavar="OTHER"),
    ] = None,
    updates: Annotated[
        bool, typer.Option("--updates", help="How the parameters of a run move from checkpoint to checkpoint.")
    ] = False,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="The gradients and updates that a run has written down, over its steps.")
    ] = False,
    at: At = None,
    curvature: Annotated[
        bool,
        typer.Option(
            "--curvature", help="How the loss bends: eigenvalues of its Hessian, and the learning rate's bound."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every parameter: name, shape, type, count, mean, standard deviation, extremes; and gradients if any.

    Example: lenet inspect-params configs/lenet.yaml
    """
    views = {
        "--tree": tree, "--histogram": histogram, "--summary": summary, "--filters": filters,
        "--diff": other is not None, "--updates": updates, "--gradients": gradients, "--values": values,
        "--curvature": curvature, "--inside": inside,
    }  # fmt: skip
    chosen = [name for name, wanted in views.items() if wanted]
    if len(chosen) > 1:
        raise ConfigError(f"{' and '.join(chosen)} show different things; choose one")
    found = list(places or [])
    if picture is not None and re.match(r"data\.\w+=", str(picture)):
        picture, found = None, [str(picture), *found]
    if found and not (updates or curvature or inside) and at is None:
        raise ConfigError(f"{' '.join(found)}: only --updates, --curvature, --inside and --at read the data")
    if image and not inside:
        raise ConfigError(f"--image {image}: goes with --inside, which looks at a sample")
    if at is not None and (updates or gradients):
        raise ConfigError(f"--at: {chosen[0]} shows the whole run")
    if picture is not None and not (filters or inside):
        raise ConfigError(f"{picture}: a second file goes with --filters and --inside only, as the picture to write")
    check_place(picture, "--filters" if filters else "--inside", ".png")
    given = Given(what, at, tuple(found))
    if at is not None and _is_weights(given):
        raise ConfigError(f"--at: {what} holds weights without steps; give the configuration or the run")
    if tree:
        _tree(given, as_json)
    elif histogram:
        _histogram(given, as_json)
    elif summary:
        _summary(given, as_json)
    elif filters:
        _filters(given, picture, as_json)
    elif other is not None:
        _diff(given, Given(other), as_json)
    elif updates:
        _updates(what, found, as_json)
    elif gradients:
        _gradients(what, as_json)
    elif curvature:
        _curvature(given, as_json)
    elif inside:
        _inside(given, image, picture, as_json)
    else:
        _table(given, values, as_json)


def _table(what: Given, values: bool, as_json: bool) -> None:
    from lenetcli.inspection.model.parameters import row, table

    tensors, rates = _tensors_and_rates(what)
    rows = [row(name, tensor, rates.get(name)) for name, tensor in tensors.items()]
    if as_json:
        record = table(rows)
        if values:
            for entry, tensor in zip(record["parameters"], tensors.values()):
                entry["values"] = tensor.tolist()
        print_json(record)
        return
    from lenetcli.report.console import results
    from lenetcli.report.tables import parameter_table

    for part in parameter_table(rows):
        results().print(part)
    if values:
        for name, tensor in tensors.items():
            print(f"{name}\n{tensor.detach()!r}\n")


def _tree(what: Given, as_json: bool) -> None:
    from lenetcli.inspection.model.tree import tree_of_model, tree_of_names
    from lenetcli.report.model.layers import draw_tree

    of_file = _is_weights(what)
    found = tree_of_names(_tensors(what)) if of_file else tree_of_model(_model(what)[0])
    show(found.record(), lambda _: draw_tree(found, trained=not of_file), as_json, crop=False)


def _histogram(what: Given, as_json: bool) -> None:
    from lenetcli.inspection.record import strict
    from lenetcli.inspection.statistics import figures
    from lenetcli.report.model.weights import draw_histograms

    tensors = _tensors(what)
    found = [figures([tensor.array], histogram=True) for tensor in tensors.values()]
    rows = []
    for name, f in zip(tensors, found):
        bins = None if f.histogram is None else vars(f.histogram)
        rows.append({"name": name, "histogram": bins, "mean": f.mean, "std": f.std, "zeros": f.zeros})
    show(strict({"parameters": rows}), lambda _: draw_histograms(tensors, found), as_json, crop=False)


def _summary(what: Given, as_json: bool) -> None:
    from lenetcli.inspection.model.summary import summary
    from lenetcli.report.model.layers import draw_summary

    found = summary(*_model(what, "--summary"))
    show(found.record(), lambda _: draw_summary(found), as_json, crop=False)


def _filters(what: Given, picture: Path | None, as_json: bool) -> None:
    from lenetcli.disk import write_file
    from lenetcli.display.png import png
    from lenetcli.inspection.model.feature_maps import first_filters
    from lenetcli.inspection.record import strict
    from lenetcli.report.console import results
    from lenetcli.report.data.contact_sheet import ContactSheet
    from lenetcli.report.model.weights import filter_picture, sheet

    most = MOST_SHOWN if picture is None and not as_json else MOST_IN_FILE
    found = first_filters(*_model(what, "--filters"), most)
    if found is None:
        raise ConfigError(f"--filters: the first layer with weights of {what.path} sees no image")
    if picture is not None:
        write_file(picture, png(filter_picture(found)))
    colours = results().color_system is not None
    legend = "light is positive, dark negative"
    if colours or picture is not None:
        legend = "gray is 0" if found.pictures.shape[1] == 3 else "blue is positive, orange negative"
    told = f"{found.layer} {found.kind} {found.shape}: {len(found.pictures)} of {found.total} pictures"
    record = {"layer": found.layer, "shape": found.shape, "names": found.names, "filters": found.pictures.tolist()}
    parts: list[Any] = [told, legend, "", ContactSheet(sheet(found, colours))]
    if picture is not None:
        parts = [f"{told}; written to {picture}", legend]
    show(strict(record), lambda _: parts, as_json, soft_wrap=True)


def _diff(what: Given, other: Given, as_json: bool) -> None:
    from lenetcli.inspection.compare.tensors import compare
    from lenetcli.inspection.record import strict
    from lenetcli.report.model.weights import draw_comparison

    found = compare(_state(what), _state(other))
    show(strict(found), lambda _: draw_comparison(found, (what.path, other.path)), as_json, crop=False)


def _updates(what: str, places: list[str], as_json: bool) -> None:
    from lenetcli.build.parts import build_run
    from lenetcli.inspection.training.checkpoint_history import updates
    from lenetcli.report.model.weights import draw_updates
    from lenetcli.runs.beginning import begun
    from lenetcli.runs.open import load_unfinished

    if not Path(what).is_dir():
        raise ConfigError(f"--updates: wanted a run directory, got {what}")
    config = load_unfinished(Path(what), places).config
    found = updates(Path(what), begun(build_run(config), Path(what)))
    show(found.record(), lambda _: draw_updates(found), as_json, crop=False)


def _gradients(what: str, as_json: bool) -> None:
    from lenetcli.build.parts import load_config_of
    from lenetcli.inspection.training.gradient_history import gradient_course
    from lenetcli.report.model.weights import draw_gradients
    from lenetcli.runs.history import read_history

    if not Path(what).is_dir():
        raise ConfigError(f"--gradients: wanted a run directory, got {what}")
    load_config_of(Path(what))
    found = gradient_course(read_history(Path(what)).gradients)
    if found is None:
        raise ConfigError(
            f"--gradients: {what} has written down none; train.log_gradients: epoch or a number does that"
        )
    show(found.record(), lambda _: draw_gradients(found), as_json, crop=False)


def _curvature(what: Given, as_json: bool) -> None:
    from contextlib import suppress

    from lenetcli.inspection.training import curvature
    from lenetcli.report.model.weights import draw_curvature
    from lenetcli.runs.history import read_history

    if _is_weights(what):
        raise ConfigError(f"--curvature: {what.path} holds weights without layers; give the configuration or the run")
    _, run = training_to_look_at(what.path, list(what.places), what.at, 0)
    rate = None
    if Path(what.path).is_dir():
        with suppress(DataError):  # what is not written down cannot be said better than the schedule says it
            rate = curvature.rate_at(read_history(Path(what.path)), run.progress.step)
    try:
        found = curvature.curvature(run, rate=rate)
    except NotImplementedError as error:
        raise ConfigError(f"--curvature: {error}") from None
    show(found.record(), lambda _: draw_curvature(found), as_json, crop=False)


def _inside(what: Given, image: int, picture: Path | None, as_json: bool) -> None:
    from lenetcli.disk import write_file
    from lenetcli.display.png import png
    from lenetcli.inspection.model.inner_views import inner_views
    from lenetcli.inspection.record import strict
    from lenetcli.report.console import results
    from lenetcli.report.model.inside import draw_inside, inner_picture

    model, data = _with_test_data(what)
    if image >= len(data):
        raise ConfigError(f"--image {image}: the test split has {len(data):,} samples, numbered from 0")
    found = inner_views(model, data[image][0].array)
    if not found:
        raise ConfigError(f"--inside: {what.path} has no attention of nn.MultiheadAttention and no recurrent layer")
    if picture is not None:
        write_file(picture, png(inner_picture(found)))
    colours = results().color_system is not None
    parts = list(draw_inside(found, colours, None if picture is None else str(picture)))
    show(strict({"image": image, "layers": found}), lambda _: parts, as_json, soft_wrap=True)


def _with_test_data(what: Given) -> tuple[Module, Any]:
    """The model of a configuration or run, and its test split."""
    if _is_weights(what):
        raise ConfigError(f"--inside: {what.path} holds weights without layers; give the configuration or the run")
    from lenetcli.runs.open import load_config, load_run

    places, run = list(what.places), Path(what.path)
    loaded = load_run(run, places) if run.is_dir() else load_config(what.path, places)
    if what.at is None:
        return loaded.model, loaded.split("test")
    return _opened(what)[1], loaded.split("test")


def _tensors(what: Given) -> dict[str, Any]:
    return _tensors_and_rates(what)[0]


def _tensors_and_rates(what: Given) -> tuple[dict[str, Any], dict[str, float]]:
    """Named parameters of a configuration or run, or all tensors of a weights file; learning rates, where they differ.

    A run whose own Python has not been agreed to is its weights file.
    """
    if _is_weights(what):
        from lenetcli.export.weights import read_weights

        return dict(read_weights(Path(what.path))), {}
    weights = Path(what.path) / "model.safetensors"
    strangers = _strangers(Path(what.path)) if weights.is_file() and what.at is None else []
    if strangers:
        names = ", ".join(dict.fromkeys(stranger.what for stranger in strangers))
        print(printable(f"{what.path}: read as weights without layers: {names} is not imported"), file=sys.stderr)
        return _tensors_and_rates(Given(str(weights)))
    from lenetcli.build.parameter_groups import rates

    config, model = _opened(what)
    return dict(model.named_parameters()), rates(config, model)


def _strangers(run: Path) -> list[NotImported]:
    from lenetcli.build.parts import config_of_run
    from lenetcli.config import consent

    with consent.under(look=True):
        return config_of_run(run).strangers()


def _state(what: Given) -> dict[str, Any]:
    """Named parameters and buffers."""
    if _is_weights(what):
        return _tensors(what)
    weights = Path(what.path) / "model.safetensors"
    if weights.is_file() and what.at is None and _strangers(Path(what.path)):
        return _tensors(what)
    return dict(_model(what)[0].state_dict())


def _model(what: Given, option: str = "") -> tuple[Module, tuple[int, ...]]:
    """The model of a configuration or run, and the shape of a sample.

    Raises:
        ConfigError: a weights file, of which an option cannot be answered.
    """
    if _is_weights(what):
        raise ConfigError(f"{option}: {what.path} holds weights without layers; give the configuration or the run")
    config, model = _opened(what)
    return model, tuple(config.model.input)


def _opened(what: Given) -> tuple[Config, Module]:
    """A configuration or run, and its model."""
    if what.at is not None:
        config, run = training_to_look_at(what.path, list(what.places), what.at, 0)
        return config, run.model
    if Path(what.path).is_dir():
        from lenetcli.runs.open import load_run

        loaded = load_run(Path(what.path))
        return loaded.config, loaded.model
    from lenetcli import config as configuration
    from lenetcli.build.model import follow
    from lenetcli.build.notes import notes_of

    config = configuration.load(what.path)
    shapes = follow(config)
    for note in notes_of(config, shapes):
        print(printable(f"{what.path}: {note}"), file=sys.stderr)
    return config, shapes.model


def _is_weights(what: Given) -> bool:
    from lenetcli.formats.recognise import is_weights

    return is_weights(what.path)
