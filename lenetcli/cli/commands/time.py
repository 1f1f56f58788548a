"""`lenet time`: where the time of a training step goes."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lenetcli.cli import completion


def time(
    what: Annotated[
        str,
        typer.Argument(
            help="A configuration or a run directory.", metavar="CONFIG|RUN", autocompletion=completion.either
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Changes, such as model.layers.0.out_channels=8.", metavar="[K=V ...]", show_default=False),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, max=1 << 16, help="Samples of a batch, repeated if need be.", show_default="train.batch_size"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time the parts of a training step: each layer forward and backward, its multiply-adds, its share of the peak.

    Example: lenet time configs/lenet.yaml --batch 256
    """
    from lenetcli.inspection.step.profile import time_step
    from lenetcli.runs.open import load_training

    _, run = load_training(what, overrides or [])
    found = time_step(run, batch)
    if as_json:
        print(json.dumps(found.record()))
        return
    from lenetcli.report.console import results
    from lenetcli.report.step.profile import draw

    console = results()
    for part in draw(found):
        console.print(part)
