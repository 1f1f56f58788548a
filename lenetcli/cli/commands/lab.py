"""`lenet lab`: common mistakes, made for real beside the right way."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lenetcli.cli import completion
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
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Changes, such as optimizer.lr=0.1.", metavar="[K=V ...]", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
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
    from lenetcli.report.console import results

    if name is None:
        if as_json:
            print(json.dumps([{"name": lesson.name, "mistake": lesson.mistake} for lesson in LESSONS.values()]))
            return
        from lenetcli.report.lab import listing

        console = results()
        for part in listing(LESSONS.values()):
            console.print(part, crop=False)
        return
    if name not in LESSONS:
        hints = did_you_mean(name, LESSONS) or ("`lenet lab` lists them",)
        raise ConfigError("\n   ".join([f"no lesson {name!r}", *hints]))
    path, changes = config or str(presets()["mlp"]), overrides or []
    if config is not None and "=" in config:
        path, changes = str(presets()["mlp"]), [config, *changes]
    loaded = configuration.load(path, changes)
    finding = LESSONS[name].compare(Bench(lambda: build_run(loaded)))
    if as_json:
        print(json.dumps(LESSONS[name].record(finding)))
        return
    from lenetcli.report.lab import draw

    console = results()
    for part in draw(LESSONS[name], finding, console.width):
        console.print(part, crop=False)
