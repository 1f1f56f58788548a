"""`lenet lab`: common mistakes, made for real beside the right way."""

from __future__ import annotations

from typing import Annotated

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import Json, Overrides, show
from lenetcli.errors import ConfigError


def lab(
    name: Annotated[
        str | None,
        typer.Argument(help="The lesson.", metavar="[NAME]", show_default=False, autocompletion=completion.lessons),
    ] = None,
    config: Annotated[
        str | None,
        typer.Argument(
            help="The YAML file.", metavar="[CONFIG]", show_default="the mlp preset", autocompletion=completion.configs
        ),
    ] = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Make a common mistake on your configuration, beside the right way, and see what gives it away.

    Without a name, list the lessons. Nothing is written.

    Example: lenet lab forget-zero-grad configs/lenet.yaml
    """
    from lenetcli import config as configuration
    from lenetcli.build.parts import build_run
    from lenetcli.config.presets import presets
    from lenetcli.config.problems import did_you_mean
    from lenetcli.inspection.lab import LESSONS, Bench
    from lenetcli.report.lab import draw, listing

    if name is None:
        record = [{"name": lesson.name, "mistake": lesson.mistake} for lesson in LESSONS.values()]
        show(record, lambda _: listing(LESSONS.values()), as_json, crop=False)
        return
    if name not in LESSONS:
        hints = did_you_mean(name, LESSONS) or ("`lenet lab` lists them",)
        raise ConfigError("\n   ".join([f"no lesson {name!r}", *hints]))
    path, changes = config or str(presets()["mlp"]), overrides or []
    if config is not None and "=" in config:
        path, changes = str(presets()["mlp"]), [config, *changes]
    loaded = configuration.load(path, changes)
    finding = LESSONS[name].compare(Bench(lambda: build_run(loaded)))
    lesson = LESSONS[name]
    show(lesson.record(finding), lambda console: draw(lesson, finding, console.width), as_json, crop=False)
