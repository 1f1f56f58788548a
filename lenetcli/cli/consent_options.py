"""`--allow-code` and `--accept-changed`: the user's word that Python of a configuration or run may be imported."""

from __future__ import annotations

from typing import Annotated, Any

import typer

# Commands that may have to import what a configuration names; train and sweep of a CONFIG are the word themselves.
IMPORTING = {
    "train", "eval", "predict", "export", "import", "inspect-params", "trace-grad", "gradcheck", "step", "lab",
    "find-lr", "time", "diff", "report", "watch", "validate", "show", "verify-resume", "why", "whatif", "landscape",
    "data check", "data show", "data suspects",
}  # fmt: skip
# Those of them that refuse other Python than a run was made with; train has the option as one of its own.
OF_RUNS = IMPORTING - {"train", "validate", "show", "data check", "data show"} | {"sweep"}


def consent_options(command: str) -> list[Any]:
    """The options of a command, as typer makes them; they hold while it runs."""
    declarations = [_allow] * (command in IMPORTING) + [_accept] * (command in OF_RUNS)
    return [option_of(declaration) for declaration in declarations]


def option_of(declaration: Any) -> Any:
    holder = typer.Typer(add_completion=False, rich_markup_mode=None)
    holder.command()(declaration)
    return typer.main.get_command(holder).params[0]


def _hold(context: typer.Context, parameter: typer.CallbackParam, wanted: bool) -> None:
    if wanted:
        from lenetcli.config import consent

        context.with_resource(consent.under(**{"allow" if parameter.name == "allow_code" else "accept_changed": True}))


def _allow(
    allow_code: Annotated[
        bool,
        typer.Option(
            "--allow-code",
            callback=_hold,
            expose_value=False,
            help="Import the Python that is named, such as net.py:Net, though you have never trained with it.",
        ),
    ] = False,
) -> None:
    """Declares the option."""


def _accept(
    accept_changed: Annotated[
        bool,
        typer.Option(
            "--accept-changed",
            callback=_hold,
            expose_value=False,
            help="Go on though own Python (of a sweep data, too) is not what a run was made with.",
        ),
    ] = False,
) -> None:
    """Declares the option."""
