"""`lenet step`: one training step, phase by phase."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli.options import At, ConfigOrRun, Json, Overrides, show, training_to_look_at
from lenetcli.errors import ConfigError, printable

if TYPE_CHECKING:
    from lenetcli.train.run import Run


def step(
    what: ConfigOrRun,
    overrides: Overrides = None,
    after: Annotated[int, typer.Option("--step", min=0, help="Train so many steps first.")] = 0,
    at: At = None,
    param: Annotated[
        str | None, typer.Option(help="The parameter to follow through the update.", show_default="the first")
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(help="Which of its numbers, as in 0,0,2,1.", show_default="that with the largest gradient"),
    ] = None,
    script: Annotated[bool, typer.Option("--script", help="Print everything; so it is without a terminal.")] = False,
    as_json: Json = False,
) -> None:
    """Walk through one training step: zero_grad, forward, loss, backward, update, each with its rule and numbers.

    Example: lenet step configs/tutorial.yaml
    """
    from lenetcli.build.notes import fine_tuning
    from lenetcli.inspection.step.record import advance, record_step
    from lenetcli.report.step.story import draw_all

    config, run = training_to_look_at(what, overrides, at, after)
    followed = _followed(run, param, index)
    for line in fine_tuning(config, run.model, run.freezing):
        print(printable(line), file=sys.stderr)
    advance(run, after)
    story = record_step(run, *followed)
    if sys.stdin.isatty() and sys.stdout.isatty() and not script and not as_json:
        from lenetcli.report.console import results
        from lenetcli.report.step.walk import Walk

        Walk(story, results()).go()
        return
    show(story.record() if as_json else None, lambda console: draw_all(story, console.width), as_json)


def _followed(run: Run, param: str | None, index: str | None) -> tuple[str, tuple[int, ...] | None]:
    """The parameter to follow and the place in it."""
    known = dict(run.model.named_parameters())
    if param is not None and param not in known:
        raise ConfigError(f"--param: no parameter {param!r}; there are {', '.join(known)}")
    name = param or next((name for name, parameter in known.items() if parameter.requires_grad), next(iter(known)))
    if index is None:
        return name, None
    shape = list(known[name].shape)
    words = [word.strip() for word in index.strip("[]").split(",") if word.strip()]
    if not all(word.isdecimal() for word in words):
        raise ConfigError(f"--index: wanted whole numbers with commas between, as in 0,2, got {index!r}")
    place = tuple(map(int, words))
    if len(place) != len(shape) or any(i >= size for i, size in zip(place, shape)):
        raise ConfigError(f"--index: wanted {len(shape)} numbers below {shape}, the shape of {name}, got {index!r}")
    return name, place
