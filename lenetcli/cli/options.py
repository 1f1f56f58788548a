"""What several commands take, and how each of them shows what it found."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli import completion
from lenetcli.errors import ConfigError, printable

if TYPE_CHECKING:
    from rich.console import Console

    from lenetcli.config import Config as Configuration
    from lenetcli.train.run import Run

PICTURES = (".png", ".svg")


def changes(example: str) -> Any:
    """The argument for changes of a configuration, such as the example."""
    return typer.Argument(help=f"Changes, such as {example}.", metavar="[K=V ...]", show_default=False)


Config = Annotated[str, typer.Argument(help="The YAML file.", metavar="CONFIG", autocompletion=completion.configs)]
ConfigOrRun = Annotated[
    str,
    typer.Argument(help="A configuration or a run directory.", metavar="CONFIG|RUN", autocompletion=completion.either),
]
RunDir = Annotated[Path, typer.Argument(help="A run directory.", metavar="RUN", autocompletion=completion.runs)]
Overrides = Annotated[list[str] | None, changes("optimizer.lr=0.1")]
LayerOverrides = Annotated[list[str] | None, changes("model.layers.0.out_channels=8")]
At = Annotated[
    int | None,
    typer.Option(
        "--at",
        min=0,
        metavar="STEP",
        show_default=False,
        help="As it stood after so many steps of training: a run's are made again, and have to give its losses.",
    ),
]
Places = Annotated[
    list[str] | None,
    typer.Argument(
        help="Where the run's data lies now, as data.root=DIR.", metavar="[data.root=DIR]", show_default=False
    ),
]
NoLock = Annotated[
    bool,
    typer.Option("--no-lock", help="Where the disk or system has no locks: train without; nobody else is there."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def without_places(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files or runs among the words of a command that takes many, and the changes: where the data lies.

    Other changes than data.root=DIR are among those, so that they are refused as such.
    """
    places = [word for word in words if re.match(r"[A-Za-z_][\w.\[\]-]*=", word) and not Path(word).exists()]
    return [word for word in words if word not in places], places


def trust(no_lock: bool) -> None:
    """Trains without a lock where there are none, if that was asked for."""
    if no_lock:
        from lenetcli.runs.lock import go_without

        go_without()


def check_place(path: Path | None, option: str, *suffixes: str) -> None:
    """Refuses a file that cannot be written before the work begins.

    Raises:
        ConfigError: it is a directory, in none, or its name ends otherwise.
    """
    if path is None:
        return
    check_no_run_file(path, option)
    if suffixes and path.suffix.lower() not in suffixes:
        raise ConfigError(f"{option} {path}: wanted a name that ends in {' or '.join(suffixes)}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigError(f"{option} {path}: {'a directory' if path.is_dir() else 'its directory does not exist'}")


def check_no_run_file(path: Path | None, option: str) -> None:
    """Refuses to write over a file that makes a run, such as its configuration, events or weights.

    Raises:
        ConfigError: the name is that of one.
    """
    from lenetcli.runs.own_files import is_of_run

    if path is not None and is_of_run(Path(os.path.realpath(path))):
        raise ConfigError(f"{option} {path}: is a file of a run, which would be lost; choose another name")


def training_to_look_at(what: str, changes: list[str] | None, at: int | None, more: int) -> tuple[Configuration, Run]:
    """The training of a configuration or run that --at or --step says; how it was had is told on stderr.

    Args:
        at: the step after which it is looked at; None: a run's newest checkpoint, a configuration's beginning.
        more: what --step says, steps to go on from there; the caller makes them.

    Raises:
        ConfigError: both are given.
    """
    from lenetcli.inspection.training.replay import training_at
    from lenetcli.runs.open import load_training

    if at is None:
        return load_training(what, changes or [])
    if more:
        raise ConfigError("--at and --step: give one; --step goes on from a run's newest checkpoint")
    config, run, told = training_at(what, changes or [], at)
    if told:
        print(printable(told), file=sys.stderr)
    return config, run


def check_split(split: str) -> None:
    """Refuses a split that there is not.

    Raises:
        ConfigError: it is another word.
    """
    if split not in ("train", "validation", "test"):
        raise ConfigError(f"--split: wanted train, validation or test, got {split!r}")


def print_json(record: Any) -> None:
    """Prints plain data as JSON: NaN and infinities, which JSON has no numbers for, as null."""
    from lenetcli.inspection.record import strict

    print(json.dumps(strict(record), allow_nan=False))


def show(record: Any, drawing: Callable[[Console], Iterable[Any]], as_json: bool, **how: Any) -> None:
    """Prints a record as JSON, else its drawing, part by part.

    Args:
        how: options of printing a part.
    """
    if as_json:
        print_json(record)
        return
    from lenetcli.report.console import results

    console = results()
    for part in drawing(console):
        console.print(part, **how)
