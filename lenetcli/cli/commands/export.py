"""`lenet export`: a run's best model in a format that other tools read."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli.options import Json, Places, RunDir, check_no_run_file
from lenetcli.errors import ConfigError, DataError, printable

if TYPE_CHECKING:
    from lenetcli.data.inputs import Inputs
    from lenetcli.export.described import Described, Figures
    from lenetcli.export.graph import Graph, Value
    from lenetcli.runs.open import Loaded


class Format(str, Enum):
    """What a model can become."""

    onnx = "onnx"
    safetensors = "safetensors"
    npz = "npz"
    huggingface = "huggingface"
    python = "python"
    c = "c"
    html = "html"


SUFFIXES = {
    ".onnx": Format.onnx,
    ".safetensors": Format.safetensors,
    ".npz": Format.npz,
    ".py": Format.python,
    ".c": Format.c,
    ".html": Format.html,
}


UNTRIED = {Format.c: "no C compiler here, or too large for one", Format.html: "no Node here"}


def export(
    run: RunDir,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file (huggingface: the new folder) to write.")],
    places: Places = None,
    format: Annotated[
        Format | None, typer.Option("--format", help="What to write.", show_default="what the file's ending says")
    ] = None,
    opset: Annotated[
        int | None, typer.Option("--opset", help="onnx: the version of its operators.", show_default="18")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="onnx: the number of samples at once.", show_default="any")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="onnx, c: in integers of 8 bits, calibrated on training samples.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a run's best model for other tools.

    Any module leaves: its ops are followed through a forward pass. One that looks at values (`if x.sum() > 0`) is
    refused with its line.
    onnx: the model, of opset 18 and for any batch size where no option says otherwise. safetensors: weights under
    torch's names. npz: weights for NumPy.
    huggingface: a folder with config.json, model.safetensors and a model card. python: one file that needs NumPy only.
    c: one C99 file that needs math.h only, `NAME_predict` of FILE's NAME.
    html: one page in which the net runs, forward and backward, and every number can be looked at.
    onnx, python, c and html are tried on random inputs first; nothing is written whose outputs differ from the
    engine's.
    --int8: weights and values are bytes, sums 32 bits; `lenet eval --int8` runs the same integers.

    Example: lenet export runs/lenet/001 -o lenet.onnx
    """
    from lenetcli.runs.open import load_run

    chosen = _format(format, output)
    check_no_run_file(output, "-o")
    options = {name: value for name, value in (("opset", opset), ("batch", batch)) if value is not None}
    if options and chosen is not Format.onnx:
        raise ConfigError(f"--{next(iter(options))} is for ONNX files; {output} becomes {chosen.value}")
    if int8 and chosen not in (Format.onnx, Format.c):
        raise ConfigError(f"--int8 is for ONNX and C files; {output} becomes {chosen.value}")
    if chosen is Format.onnx:
        from lenetcli.export.onnx_file import check_opset
        from lenetcli.export.opsets import OPSET

        check_opset(options.setdefault("opset", OPSET))  # before anything is read
    loaded = load_run(run, places or [])
    what = _described(run, loaded)
    record: dict[str, Any] = {"file": str(output), "format": chosen.value}
    if chosen is Format.huggingface:
        from lenetcli.export.folder import write_folder

        write_folder(output, what, _hub_onnx(what, record))
    else:
        from lenetcli.disk import write_file

        if int8:
            record["int8"] = True
            content = _integers(chosen, what, loaded, options, record, output.stem)
        else:
            content = _content(chosen, what, loaded, options, record, output.stem)
        if output.is_dir():
            raise ConfigError(f"{output}: is a directory; name a file with -o")
        write_file(output, content)
        record["bytes"] = len(content)
    if as_json:
        print(json.dumps(record))
        return
    size = "" if "bytes" not in record else f", {record['bytes']:,} bytes"
    checked = "" if "difference" not in record else f"; outputs differ from the engine's by {record['difference']:.1g}"
    if int8 and checked:
        checked = "; its integers are the engine's" if not record["difference"] else f"{checked} steps"
    if not checked and chosen in UNTRIED:
        checked = f"; not tried: {UNTRIED[chosen]}"
    print(f"wrote {output} ({chosen.value}{' int8' * int8}{size}){checked}")


def _format(given: Format | None, output: Path) -> Format:
    """What to write; the file's ending must not say something else."""
    said = SUFFIXES.get(output.suffix.lower())
    if given is None and said is None:
        raise ConfigError(
            f"which format? Give --format {'|'.join(f.value for f in Format)}, or end the name of the file"
        )
    if given is not None and said is not None and given is not said:
        raise ConfigError(f"{output}: its ending says {said.value}, --format says {given.value}")
    found = given or said
    assert found is not None
    if found is Format.safetensors and said is None:
        raise ConfigError(f"{output}: a safetensors file has to end in .safetensors")
    return found


def _described(run: Path, loaded: Loaded) -> Described:
    from lenetcli.config.writing import plain, text
    from lenetcli.disk import Unreadable
    from lenetcli.export.described import Described
    from lenetcli.export.public import public
    from lenetcli.runs.open import inputs_of
    from lenetcli.train.answers import meaning

    try:
        inputs = inputs_of(run, loaded)
    except Unreadable:
        raise
    except (ConfigError, DataError):  # its samples are no pictures, or its data is no longer there
        inputs = None
    config, own_files = public(plain(loaded.config))
    outputs = meaning(loaded.criterion) or "scores"
    return Described(loaded.model, config, text(config), inputs, _figures(run), own_files, outputs)


def _hub_onnx(what: Described, record: dict[str, Any]) -> bytes | None:
    """The model from pictures to logits, tried; None, and why, where there is none."""
    from lenetcli.export.checked import difference
    from lenetcli.export.hub_onnx import NAMES, hub_graph, logits
    from lenetcli.export.onnx_file import Written, runner, to_bytes
    from lenetcli.nn import Sequential, Upsample

    if what.inputs is None:
        return None
    try:
        graph = hub_graph(what.model, what.inputs, what.outputs)
        content = to_bytes(graph, Written(metadata=what.metadata, names=NAMES))
    except ConfigError as error:  # an op that ONNX has no words for, or no onnx here
        print(printable(f"note: without onnx/model.onnx: {error}"), file=sys.stderr)
        return None
    run = runner(content)
    if run is not None:
        whole = Sequential(Upsample(what.inputs.size, mode="bilinear"), what.model).eval()
        record["difference"] = difference(run, whole, graph, then=lambda y: logits(y, what.outputs))
    return content


def _figures(run: Path) -> Figures | None:
    """How the run's best epoch did."""
    from lenetcli.disk import Unreadable
    from lenetcli.export.described import Figures
    from lenetcli.runs.history import read_history

    try:
        history = read_history(run)
    except Unreadable:
        raise
    except DataError:
        return None
    best, ended = history.best, history.ended
    if ended is not None and ended.best_epoch is not None and ended.loss is not None:
        count = best.count if best is not None and best.split == "test" else None
        return Figures("test", ended.best_epoch, ended.loss, ended.accuracy, count)
    return None if best is None else Figures(best.split, best.epoch, best.loss, best.accuracy, best.count)


def _content(
    chosen: Format, what: Described, loaded: Loaded, options: dict[str, int], record: dict[str, Any], name: str
) -> bytes:
    from lenetcli.export.weights import npz_bytes, safetensors_bytes

    if chosen is Format.safetensors:
        return safetensors_bytes(what.model, what.metadata)
    if chosen is Format.npz:
        return npz_bytes(what.model)
    from lenetcli.export.checked import SAMPLES, difference
    from lenetcli.export.lowering import lower

    single = chosen in (Format.c, Format.html)
    batch = 1 if single else options.get("batch")
    sample = tuple(loaded.config.model.input)
    graph = lower(what.model, sample, batch=batch) if single else _graph(what, sample, batch)
    record["input"], record["output"] = (_sizes(value, batch) for value in (graph.input, graph.output))
    if len(graph.outputs) > 1:
        record["outputs"] = {name: _sizes(value, batch) for name, value in zip(graph.names, graph.outputs)}
    if chosen is Format.onnx:
        from lenetcli.export.onnx_file import Written, runner, to_bytes

        content = to_bytes(graph, Written(options["opset"], batch, what.metadata))
        record |= options
        run = runner(content)
        if run is not None:
            record["difference"] = difference(run, what.model, graph, (batch,) if batch else SAMPLES)
        return content
    from lenetcli.export import python_file

    inputs = None if what.inputs is None else replace(what.inputs, classes=_classes(loaded))
    title = f"{what.name}: a net that lenet trained."
    if chosen is Format.c:
        return _c_file(graph, inputs, name, title, what, record)
    if chosen is Format.html:
        return _html_file(graph, inputs, what, loaded, record)
    source = python_file.python_source(graph, inputs, _outputs(loaded, graph), title)
    record["difference"] = difference(python_file.runner(source), what.model, graph)
    return source.encode()


def _c_file(
    graph: Graph, inputs: Inputs | None, name: str, title: str, what: Described, record: dict[str, Any]
) -> bytes:
    from lenetcli.export.c_compiled import runner
    from lenetcli.export.c_file import c_source, identifier
    from lenetcli.export.checked import difference

    name = identifier(name)
    source = c_source(graph, inputs, name, title)
    record["function"] = f"{name}_predict"
    run = runner(source, name, [value.sizes_of(1) for value in graph.outputs])
    if run is not None:
        record["difference"] = difference(run, what.model, graph, (1,))
    return source.encode()


def _html_file(graph: Graph, inputs: Inputs | None, what: Described, loaded: Loaded, record: dict[str, Any]) -> bytes:
    from lenetcli.export.checked import difference
    from lenetcli.export.html_file import About, page
    from lenetcli.export.html_file.program import Program
    from lenetcli.export.html_file.tried import runner

    program = Program(graph, what.model)
    run = runner(program)
    if run is not None:
        record["difference"] = difference(run, what.model, graph, (1,))
    answering, classes = loaded.answering, _classes(loaded)
    about = About(
        what.name, inputs, classes, _outputs(loaded, graph) if classes else "numbers", answering.index or 0,
        type(answering.criterion).__name__, float(getattr(answering.criterion, "label_smoothing", 0)),
        _rate(what.config), what.figures, _samples(inputs, what, loaded),
    )  # fmt: skip
    return page(program, about).encode()


def _classes(loaded: Loaded) -> tuple[str, ...]:
    """Their names: as the run has written them down, where its data is no longer there."""
    try:
        return loaded.classes
    except DataError:
        return loaded.trained


def _rate(config: Mapping[str, Any]) -> float:
    """The learning rate that the run began with."""
    found = config["optimizer"].get("lr")
    return float(found) if isinstance(found, (int, float)) else 0.01


def _samples(inputs: Inputs | None, what: Described, loaded: Loaded) -> dict[str, Any] | None:
    """Test samples for the page; None, and why, where there are none."""
    from lenetcli.export.html_file.samples import chosen

    try:
        return chosen(loaded.split("test"), what.model, inputs, loaded.answering.index)
    except (ConfigError, DataError) as error:  # its data is no longer there
        print(printable(f"note: without test samples: {error}"), file=sys.stderr)
        return None


def _integers(
    chosen: Format, what: Described, loaded: Loaded, options: dict[str, int], record: dict[str, Any], name: str
) -> bytes:
    """The model in integers, as ONNX or C, held to what the engine's integers are."""
    from lenetcli.export.c_compiled import runner as compiled
    from lenetcli.export.c_file import identifier
    from lenetcli.export.c_int8 import c_int8_source
    from lenetcli.export.checked import steps_apart
    from lenetcli.export.int8_onnx import qdq_graph
    from lenetcli.export.onnx_file import Written, runner, to_bytes
    from lenetcli.runs.integers import integers_of

    net, batch = integers_of(loaded), options.get("batch")
    graph = net.graph
    record["input"], record["output"] = (
        _sizes(value, 1 if chosen is Format.c else batch) for value in (graph.input, graph.output)
    )
    run: Any
    if chosen is Format.onnx:
        content = to_bytes(qdq_graph(net, options["opset"]), Written(options["opset"], batch, what.metadata))
        record |= options
        run = runner(content)
    else:
        inputs = None if what.inputs is None else replace(what.inputs, classes=loaded.classes)
        name = identifier(name)
        source = c_int8_source(net, inputs, name, f"{what.name}: a net that lenet trained, in integers.")
        record["function"] = f"{name}_predict_int8"
        run = compiled(source, name, [value.sizes_of(1) for value in graph.outputs])
        content = source.encode()
    if run is not None:
        record["difference"] = steps_apart(
            run, net, batch or (1 if chosen is Format.c else 4), exact=chosen is Format.c
        )
    return content


def _graph(what: Described, sample: tuple[int, ...], batch: int | None) -> Graph:
    """The graph for any number of samples; where it cannot be so, for the one that is given."""
    from lenetcli.export.graph import NotExportable
    from lenetcli.export.lowering import lower

    try:
        return lower(what.model, sample)
    except NotExportable:
        if batch is None:
            raise
        return lower(what.model, sample, batch=batch)


def _sizes(value: Value, batch: int | None) -> list[int | str]:
    """As the file says them."""
    return value.label if batch is None else value.sizes_of(batch)


def _outputs(loaded: Loaded, graph: Graph) -> str:
    """What the model's numbers are."""
    from lenetcli import nn
    from lenetcli.train.answers import meaning

    kind = meaning(loaded.criterion) or "scores"
    ends_in_softmax = bool(graph.nodes) and graph.nodes[-1].op == "Softmax"
    if kind == "scores" and ends_in_softmax and not isinstance(loaded.criterion, nn.CrossEntropyLoss):
        return "probabilities"
    return kind
