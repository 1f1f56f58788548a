"""`lenet trace-grad`: one forward and one backward pass, seen node by node."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from lenetcli.errors import ConfigError


def trace_grad(
    what: Annotated[str, typer.Argument(help="A configuration or a run directory.", metavar="CONFIG|RUN")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Changes, such as model.layers.0.out_channels=8.", metavar="[K=V ...]", show_default=False),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="Show .grad of this parameter (may be repeated).", show_default="first bias"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run one forward and backward pass; show the forward chain, the grad_fn graph and gradients before and after.

    Example: lenet trace-grad configs/tutorial.yaml
    """
    from lenetcli.build import check_samples
    from lenetcli.cli.loaded import load_either
    from lenetcli.data import DataLoader
    from lenetcli.inspect.trace import trace

    loaded = load_either(what, overrides or [])
    check_samples(loaded.config, loaded.source)
    train = loaded.config.train
    batches = DataLoader(loaded.source.train, train.batch_size, shuffle=train.shuffle, seed=loaded.config.seed)
    inputs, targets = next(batches.batches(0))
    loaded.model.train()
    found = trace(loaded.model, loaded.criterion, inputs, targets, _shown(loaded.model, param))
    if as_json:
        print(json.dumps(found.record()))
        return
    from lenetcli.report.console import results
    from lenetcli.report.trace import draw

    console = results()
    for part in draw(found):
        console.print(part)


def _shown(model: Any, names: list[str] | None) -> list[str]:
    """Names of the parameters to show: those asked for, or the first bias (else the first parameter)."""
    known = [name for name, _ in model.named_parameters()]
    if not known:
        raise ConfigError("this model has no parameters, so there is no gradient to trace")
    for name in names or []:
        if name not in known:
            raise ConfigError(f"--param: no parameter {name!r}; there are {', '.join(known)}")
    return names or [next((n for n in known if n.rpartition(".")[2] == "bias"), known[0])]
