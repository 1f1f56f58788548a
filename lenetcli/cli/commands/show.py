"""`lenet show`: a configuration with everything filled in."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lenetcli.cli import completion


def show(
    config: Annotated[str, typer.Argument(help="The YAML file.", metavar="CONFIG", autocompletion=completion.configs)],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="Changes, such as optimizer.lr=0.1.", metavar="[K=V ...]", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print a configuration fully resolved: section files, changes, inferred arguments and defaults written in.

    Example: lenet show configs/lenet.yaml optimizer.lr=0.1
    """
    from lenetcli import config as configuration
    from lenetcli.build.parts import resolved
    from lenetcli.build.scheduler import with_lengths
    from lenetcli.config.writing import plain

    found = with_lengths(resolved(configuration.load(config, overrides or [])))
    print(json.dumps(plain(found)) if as_json else configuration.dump(found), end="\n" if as_json else "")
