"""`lenet validate`: are these configurations right, down to the last shape?"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lenetcli.cli import completion
from lenetcli.errors import ConfigError


def validate(
    configs: Annotated[
        list[str], typer.Argument(help="YAML files.", metavar="CONFIG...", autocompletion=completion.configs)
    ],
) -> None:
    """Check configurations: every key, every type, and that each layer takes what the one before gives.

    Example: lenet validate configs/lenet.yaml configs/mlp.yaml
    """
    from lenetcli import config as configuration
    from lenetcli.build.parts import check
    from lenetcli.build.scheduler import hints

    failed: ConfigError | None = None
    for path in configs:
        try:
            config = configuration.load(path)
            model, rows = check(config)
        except ConfigError as error:
            print(error, file=sys.stderr)
            failed = error
            continue
        for hint in hints(config):
            print(f"{path}: {hint}", file=sys.stderr)
        count = sum(p.numel() for p in model.parameters())
        output = list(rows[-1].output or ())
        print(f"{path}: ok, {list(config.model.input)} -> {output}, {len(rows)} layers, {count:,} parameters")
    if failed is not None:
        raise typer.Exit(failed.exit_code)
