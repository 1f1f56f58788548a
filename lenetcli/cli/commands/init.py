"""`lenet init`: a configuration to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli import completion
from lenetcli.errors import ConfigError, LenetError


def init(
    path: Annotated[Path, typer.Argument(help="The file to write, or a directory to write it in.", metavar="PATH")],
    preset: Annotated[
        str, typer.Option(help="The configuration to start from.", autocompletion=completion.presets)
    ] = "lenet",
) -> None:
    """Write a configuration to start from; nothing is overwritten.

    Example: lenet init --preset mlp my.yaml
    """
    from lenetcli.config.presets import preset as text_of
    from lenetcli.disk import write_once

    text = text_of(preset)
    target = path / f"{preset}.yaml" if path.is_dir() else path
    if target.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{target}: a configuration's name ends in .yaml; try {target}.yaml")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_once(target, text.encode())
    except FileExistsError:
        raise ConfigError(f"{target} exists already; choose another name") from None
    except OSError as error:
        raise LenetError(f"{target} cannot be written: {error.strerror}") from None
    print(f"{target}: written; train it with: lenet train {target}")
