"""`lenet inspect-params`: the parameters of a model as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def inspect_params(
    what: Annotated[
        str,
        typer.Argument(
            help="A configuration, a run directory or a weights file.", metavar="CONFIG|RUN|FILE.safetensors"
        ),
    ],
    values: Annotated[bool, typer.Option("--values", help="Print the numbers too, as torch does.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every parameter: name, shape, type, count, mean, standard deviation, extremes; and gradients if any.

    Example: lenet inspect-params configs/lenet.yaml
    """
    from lenetcli.inspect.parameters import row, table

    tensors = _tensors(what)
    rows = [row(name, tensor) for name, tensor in tensors.items()]
    if as_json:
        record = table(rows)
        if values:
            for entry, tensor in zip(record["parameters"], tensors.values()):
                entry["values"] = tensor.tolist()
        print(json.dumps(record))
        return
    from lenetcli.report.console import results
    from lenetcli.report.tables import parameter_table

    console = results()
    console.print(parameter_table(rows))
    if values:
        for name, tensor in tensors.items():
            print(f"{name}\n{tensor.detach()!r}\n")


def _tensors(what: str) -> dict[str, Any]:
    """Named parameters of a configuration or run, or all tensors of a weights file."""
    if what.endswith(".safetensors"):
        from lenetcli.serialization import load

        return dict(load(Path(what)))
    if Path(what).is_dir():
        from lenetcli.cli.loaded import load_run

        return dict(load_run(Path(what)).model.named_parameters())
    from lenetcli import config as configuration
    from lenetcli.build import build_model

    model, _ = build_model(configuration.load(what))
    return dict(model.named_parameters())
