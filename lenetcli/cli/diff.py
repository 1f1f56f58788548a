"""`lenet diff`: what two configurations or two runs differ in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli import completion
from lenetcli.errors import DataError

if TYPE_CHECKING:
    from lenetcli.config import Config


def diff(
    a: Annotated[
        str, typer.Argument(help="A configuration or a run directory.", metavar="A", autocompletion=completion.either)
    ],
    b: Annotated[str, typer.Argument(help="Another one.", metavar="B", autocompletion=completion.either)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare two configurations, defaults written in, key by key; of two runs also losses and weights.

    For two runs: the first step at which their losses part, and every tensor of the best weights that differs.

    Example: lenet diff runs/lenet/001 runs/lenet/002
    """
    from lenetcli.build import build_model
    from lenetcli.config.writing import plain
    from lenetcli.inspect.difference import config_differences, first_step, tensor_differences

    one, other = _config(a), _config(b)
    configs = list(config_differences(plain(one), plain(other)))
    runs = (Path(a), Path(b)) if Path(a).is_dir() and Path(b).is_dir() else None
    step = first_step(*runs) if runs else None
    tensors = []
    if runs:
        tensors = tensor_differences(_weights(runs[0]), _weights(runs[1]), build_model(one)[0].state_dict())
    if as_json:
        record = {
            "config": [d.record() for d in configs],
            "first_step": step.record() if step else None,
            "tensors": [t.record() for t in tensors],
        }
        print(json.dumps(record))
        return
    from lenetcli.report.console import results
    from lenetcli.report.difference import draw_config, draw_steps, draw_tensors

    console = results()
    for part in draw_config(configs, a, b):
        console.print(part)
    if runs:
        console.print(draw_steps(step))
        for part in draw_tensors(tensors, (a, b)):
            console.print(part)


def _config(what: str) -> Config:
    """A configuration, or that of a run, fully resolved."""
    from lenetcli import config as configuration
    from lenetcli.build import load_config_of, resolved

    return resolved(configuration.load(str(load_config_of(Path(what))) if Path(what).is_dir() else what))


def _weights(run: Path) -> Path:
    """The best weights of a run."""
    path = run / "model.safetensors"
    if not path.is_file():
        raise DataError(f"{run}: no model.safetensors yet; the run has not finished an epoch")
    return path
