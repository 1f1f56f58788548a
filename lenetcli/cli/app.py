"""The `lenet` program: its commands, and how any failure becomes one message and an exit code."""

from __future__ import annotations

import sys

import typer

from lenetcli import __version__
from lenetcli.cli import (
    data_command,
    diff,
    doctor,
    eval_command,
    export_command,
    find_lr,
    gradcheck_command,
    import_command,
    init_command,
    inspect_params,
    lab,
    layers,
    plot,
    predict,
    report_command,
    schema_command,
    show,
    step,
    time_command,
    trace_grad,
    train_command,
    validate,
    verify_resume,
)
from lenetcli.errors import LenetError, printable

app = typer.Typer(
    name="lenet",
    help="Train small image models from YAML, and see every step.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
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


app.command("train")(train_command.train)
app.command("eval")(eval_command.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export_command.export)
app.command("import")(import_command.import_weights)
app.command("inspect-params")(inspect_params.inspect_params)
app.command("trace-grad")(trace_grad.trace_grad)
app.command("gradcheck")(gradcheck_command.gradcheck)
app.command("step")(step.step)
app.command("time")(time_command.time)
app.command("lab")(lab.lab)
app.command("find-lr")(find_lr.find_lr)
app.command("diff")(diff.diff)
app.command("plot")(plot.plot)
app.command("report")(report_command.report)
app.command("validate")(validate.validate)
app.command("show")(show.show)
app.command("schema")(schema_command.schema)
app.command("doctor")(doctor.doctor)
app.command("init")(init_command.init)
app.command("layers")(layers.layers)
app.add_typer(data_command.app, name="data")
app.command("verify-resume")(verify_resume.verify_resume)


def complain(error: LenetError) -> None:
    """The message, on stderr."""
    print(printable(error if error.begins_with_place else f"error: {error}"), file=sys.stderr)


def main() -> None:
    """Runs the program: errors become one message on stderr and the exit code of their kind."""
    debug = "--debug" in sys.argv
    sys.argv = [a for a in sys.argv if a != "--debug"]
    try:
        app()
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
        print(f"error: {type(error).__name__}: {error}\n(--debug shows where)", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
