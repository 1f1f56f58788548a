"""`lenet time`: where the time of a training step goes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lenetcli.cli.options import ConfigOrRun, Json, LayerOverrides, show


def time(
    what: ConfigOrRun,
    overrides: LayerOverrides = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, max=1 << 16, help="Samples of a batch, repeated if need be.", show_default="train.batch_size"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Time the parts of a training step: each layer forward and backward, its multiply-adds, its share of the peak.

    Example: lenet time configs/lenet.yaml --batch 256
    """
    from lenetcli.inspection.step.profile import time_step
    from lenetcli.runs.open import load_training

    _, run = load_training(what, overrides or [])
    found = time_step(run, batch)

    def drawing(_: Any) -> Any:
        from lenetcli.report.step.profile import draw

        return draw(found)

    show(found.record(), drawing, as_json)
