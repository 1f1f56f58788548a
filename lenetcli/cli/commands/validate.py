"""`lenet validate`: are these configurations right, down to the last shape?"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli import completion
from lenetcli.errors import ConfigError, DataError, LenetError, printable


def validate(
    configs: Annotated[
        list[str],
        typer.Argument(
            help="YAML files, and changes such as optimizer.lr=0.1, of each of them.",
            metavar="CONFIG... [K=V ...]",
            autocompletion=completion.configs,
        ),
    ],
) -> None:
    """Check configurations: every key, every type, that each layer takes what the one before gives, and the data.

    Where the data is there, its samples, classes and targets have to fit the model and the loss. Python that a
    configuration names is not imported unless you have trained with it, or say --allow-code.

    Example: lenet validate configs/lenet.yaml configs/mlp.yaml
    """
    from lenetcli import config as configuration
    from lenetcli.build.model import output_text
    from lenetcli.build.parts import check_apart, check_with_data
    from lenetcli.build.scheduler import hints
    from lenetcli.config import consent

    failed: LenetError | None = None
    paths, changes = _parted(configs)
    for path in paths:
        try:
            with consent.under(look=True):
                config = configuration.load(path, changes)
                strangers = config.strangers()
                if strangers:
                    check_apart(config)
                else:
                    shapes, notes = check_with_data(config)
        except (ConfigError, DataError) as error:
            print(printable(error), file=sys.stderr)
            failed = error
            continue
        if strangers:
            names = ", ".join(dict.fromkeys(stranger.what for stranger in strangers))
            print(printable(f"{path}: ok but for {names}, not imported"))
            for line in dict.fromkeys(
                f"{consent.shown(stranger.path)}, sha256 {stranger.digest}" for stranger in strangers
            ):
                print(printable(f"{path}: would import {line}; --allow-code does"), file=sys.stderr)
            continue
        for hint in (*hints(config), *notes):
            print(printable(f"{path}: {hint}"), file=sys.stderr)
        rows, count = shapes.rows, sum(p.numel() for p in shapes.model.parameters())
        output = output_text(config, rows)
        print(f"{path}: ok, {list(config.model.input)} -> {output}, {len(rows)} layers, {count:,} parameters")
    if failed is not None:
        raise typer.Exit(failed.exit_code)


def _parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files and the changes; what follows a change is a part of it, unless it is a file.

    Raises:
        ConfigError: there is no file.
    """
    paths: list[str] = []
    changes: list[str] = []
    for word in words:
        is_change = "=" in word or (changes and not word.endswith((".yaml", ".yml")))
        (changes if is_change and not Path(word).is_file() else paths).append(word)
    if not paths:
        raise ConfigError(f"which configuration? Try: lenet validate my.yaml {' '.join(map(shlex.quote, words))}")
    return paths, changes
