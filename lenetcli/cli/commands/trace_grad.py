"""`lenet trace-grad`: one forward and one backward pass, seen node by node."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from lenetcli.cli.options import At, ConfigOrRun, Json, LayerOverrides, check_place, show, training_to_look_at
from lenetcli.errors import CheckFailed, ConfigError, DivergedError, plain_text, printable


def trace_grad(
    what: ConfigOrRun,
    overrides: LayerOverrides = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="Show .grad of this parameter (may be repeated).", show_default="first bias"),
    ] = None,
    step: Annotated[int, typer.Option(min=0, help="Train this many steps first (of a run: more steps).")] = 0,
    at: At = None,
    expand: Annotated[bool, typer.Option("--expand", help="Every node, even of a large graph.")] = False,
    depth: Annotated[
        int | None, typer.Option(min=1, help="Fold modules below this level.", show_default="as fits")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare each node's backward with differences; exit 5 if one is wrong.")
    ] = False,
    as_json: Json = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an interactive page.", show_default=False)
    ] = None,
    steps: Annotated[int, typer.Option(min=0, help="Training steps that the page's slider covers.")] = 10,
    mermaid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a Mermaid diagram.", show_default=False)
    ] = None,
    dot: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a Graphviz file.", show_default=False)] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a picture.", show_default=False)] = None,
) -> None:
    """Run one forward and backward pass; show the forward chain, the grad_fn graph and gradients before and after.

    Example: lenet trace-grad configs/tutorial.yaml
    """
    from lenetcli.disk import write_file
    from lenetcli.inspection.graph.step_traces import traces
    from lenetcli.report.graph.trace import draw

    files = {"--html": html, "--mermaid": mermaid, "--dot": dot, "--svg": svg}
    for option, path in files.items():
        check_place(path, option)
    config, run = training_to_look_at(what, overrides, at, step)
    shown = _shown(run.model, param)
    found, diverged = [], None
    try:
        for trace in traces(run, shown, step, steps + 1 if html else 1, check, histograms=html is not None):
            found.append(trace)
    except DivergedError as error:
        if not found:
            raise
        diverged = error  # what led there is worth a look
    first = found[0]
    for option, path in files.items():
        if path is not None:
            text = _drawers(config.name, found, expand, depth)[option]()
            write_file(path, text.encode())
            print(printable(f"{path}: {len(text.encode()) / 1000:,.0f} kB"), file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(first.record(), allow_nan=False))
    elif not any(files.values()):
        show(None, lambda _: draw(first, expand, depth), False, crop=False)
        sys.stdout.flush()  # before an error message, where both go to one place
    if diverged is not None:
        raise diverged
    if first.failed:
        raise CheckFailed(_failures(first))


def _drawers(name: str, found: list[Any], expand: bool, depth: int | None) -> dict[str, Callable[[], str]]:
    """What makes the text of each kind of file."""
    from lenetcli.report.graph import diagram
    from lenetcli.report.graph.svg import picture
    from lenetcli.report.graph.trace_page import page

    first = found[0]
    return {
        "--html": lambda: page(name, found),
        "--mermaid": lambda: diagram.mermaid(first, expand, depth),
        "--dot": lambda: diagram.dot(first, expand, depth),
        "--svg": lambda: picture(first, expand, depth),
    }


def _failures(trace: Any) -> str:
    """The message that names the nodes whose backward is wrong."""

    lines = [
        plain_text(
            f"{n.name} (id {n.id}, module {n.module or '-'}): along a random direction, "
            f"backward gives {n.check.analytic:.6g}, differences {n.check.numeric:.6g}"
        )
        for n in trace.failed[:10]
    ]
    count = len(trace.failed)
    more = [f"and {count - 10} more"] if count > 10 else []
    return "\n   ".join([f"--check: the gradient of {count} node{'s' * (count > 1)} is wrong", *lines, *more])


def _shown(model: Any, names: list[str] | None) -> list[str]:
    """Names of the parameters to show: those asked for, or the first bias that trains (else the first parameter)."""
    parameters = dict(model.named_parameters())
    known = list(parameters)
    if not known:
        raise ConfigError("this model has no parameters, so there is no gradient to trace")
    for name in names or []:
        if name not in known:
            raise ConfigError(f"--param: no parameter {name!r}; there are {', '.join(known)}")
    learning = [name for name in known if parameters[name].requires_grad] or known
    return names or [next((n for n in learning if n.rpartition(".")[2] == "bias"), learning[0])]
