"""`lenet find-lr`: the learning-rate range test."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from lenetcli.cli.options import Config, Json, changes, show
from lenetcli.errors import ConfigError, printable


def find_lr(
    config: Config,
    overrides: Annotated[list[str] | None, changes("train.batch_size=32")] = None,
    low: Annotated[float, typer.Option("--from", help="Learning rate of the first step.")] = 1e-6,
    high: Annotated[float, typer.Option("--to", help="Learning rate of the last step.")] = 1.0,
    steps: Annotated[int, typer.Option("--steps", help="Steps to train.")] = 100,
    as_json: Json = False,
) -> None:
    """Train a few steps with a rising learning rate; show the loss over it and suggest one. Writes nothing.

    Example: lenet find-lr configs/lenet.yaml
    """
    from lenetcli import config as configuration
    from lenetcli.build.parts import build_run
    from lenetcli.config.parameter_groups import groups_of
    from lenetcli.inspection.training.lr_finder import lr_range

    checked = configuration.load(config, overrides or [])
    run = build_run(checked)
    own = [str(group["match"]) for group in groups_of(checked.optimizer) if "lr" in group]
    if own:
        told = f"optimizer.groups: {', '.join(own)}: rates of their own rise in proportion to that of the others"
        print(printable(told), file=sys.stderr)
    try:
        found = lr_range(run, low, high, steps)
    except ValueError as error:
        raise ConfigError(f"--from, --to, --steps: {error}") from None

    def drawing(console: Any) -> Any:
        from lenetcli.report.training.lr_finder import draw

        return draw(found, console.width)

    show(found.record(), drawing, as_json)
