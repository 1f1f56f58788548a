"""The `lenet` program: its commands, and how any failure becomes one message and an exit code."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any

import typer

from lenetcli import __version__
from lenetcli.cli.streams import prepare
from lenetcli.cli.table import Commands
from lenetcli.errors import DataError, LenetError, printable

UsageError: Any = typer.BadParameter.__mro__[1]  # of the parser that typer brings

app = typer.Typer(
    name="lenet",
    cls=Commands,
    help="Train small image models from YAML, and see every step.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: to import rich takes longer than all the rest of `lenet --help`
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lenet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure (works anywhere on the line)."),
) -> None:
    """Options of every command."""


def complain(error: LenetError) -> None:
    """The message, on stderr, if there is one."""
    with suppress(OSError, ValueError):
        print(printable(error if error.begins_with_place else f"error: {error}"), file=sys.stderr)


def main() -> None:
    """Runs the program: errors become one message on stderr and the exit code of their kind."""
    prepare()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # to look for some reads all installed packages' metadata
    debug = "--debug" in sys.argv
    sys.argv = [a for a in sys.argv if a != "--debug"]
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UsageError as error:
        from lenetcli.cli.usage import as_change

        error.show(sys.stderr)
        hint = as_change(error, sys.argv)
        if hint is not None:
            print(printable(f"   {hint}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except LenetError as error:
        if debug:
            raise
        complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        if debug:
            raise
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and isinstance(error.filename, (str, os.PathLike)):
            complain(DataError(f"{error.filename}: cannot be read or written: {error.strerror or error}"))
            sys.exit(DataError.exit_code)
        print(printable(f"error: {type(error).__name__}: {error}\n(--debug shows where)"), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
