"""Which commands there are. The module of one is imported when it is called; help needs its docstring only."""

from __future__ import annotations

import os
from importlib import import_module
from inspect import getdoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# command -> its module here, and in that its function, or the app of its own commands
COMMANDS = {
    "train": "train.train",
    "eval": "eval.evaluate",
    "predict": "predict.predict",
    "export": "export.export",
    "import": "import_.import_weights",
    "inspect-params": "inspect_params.inspect_params",
    "trace-grad": "trace_grad.trace_grad",
    "gradcheck": "gradcheck.gradcheck",
    "step": "step.step",
    "why": "why.why",
    "whatif": "whatif.whatif",
    "landscape": "landscape.landscape",
    "lab": "lab.lab",
    "find-lr": "find_lr.find_lr",
    "time": "time.time",
    "diff": "diff.diff",
    "plot": "plot.plot",
    "watch": "watch.watch",
    "report": "report.report",
    "runs": "runs.runs",
    "sweep": "sweep.sweep",
    "validate": "validate.validate",
    "show": "show.show",
    "schema": "schema.schema",
    "doctor": "doctor.doctor",
    "init": "init.init",
    "layers": "layers.layers",
    "describe": "layers.describe",
    "data": "data.app",
    "verify-resume": "verify_resume.verify_resume",
}

COMPUTING = {  # those that take --threads
    "train", "eval", "predict", "export", "trace-grad", "gradcheck", "step", "lab", "find-lr", "time", "report",
    "watch", "sweep", "verify-resume", "why", "whatif", "landscape", "data suspects",
}  # fmt: skip


OPTIONAL = ("--group",)  # options that need no value


class Command(TyperCommand):
    """A command some of whose options may stand without a value: before another option, a path, or nothing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = list(args)
        for i, word in enumerate(words):
            following = words[i + 1] if i + 1 < len(words) else "-"
            if word in OPTIONAL and (following.startswith("-") or os.path.exists(following) or os.sep in following):
                words[i] = f"{word}="
        return super().parse_args(ctx, words)


class Group(TyperGroup):
    """Commands whose help says of each all of its first paragraph."""

    def purpose(self, ctx: Any, name: str) -> str:
        """A command in a sentence."""
        return _first_paragraph(self.get_command(ctx, name).help)  # type: ignore[union-attr]  # it is one of them

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.purpose(ctx, name)) for name in self.list_commands(ctx)])


class Commands(Group):
    """The commands of `lenet`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": dict.fromkeys(COMMANDS)})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        found = _named(cmd_name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(cmd_name, cls=Command)(found)
            found = single
        command = typer.main.get_command(found)
        _add_options(command, cmd_name)
        return _checked(command)

    def purpose(self, ctx: Any, name: str) -> str:
        found = _named(name)
        return _first_paragraph(found.info.help if isinstance(found, typer.Typer) else getdoc(found))


def _add_options(command: Any, name: str) -> None:
    """Those that many commands have."""
    from lenetcli.cli.consent_options import consent_options

    if name in COMPUTING:
        from lenetcli.cli.threads_option import threads_option

        command.params.append(threads_option())
    command.params += consent_options(name)
    for inner, one in getattr(command, "commands", {}).items():
        _add_options(one, f"{name} {inner}")


def _checked(command: Any) -> Any:
    """The command, which refuses an environment that it could not run in; its help does not."""
    invoke = command.invoke

    def run(ctx: Any) -> Any:
        from lenetcli.kernels.environment import wanted_kernels, wanted_threads

        wanted_kernels()
        wanted_threads()
        return invoke(ctx)

    command.invoke = run
    return command


def _named(command: str) -> Any:
    """The function of a command, or the app of its commands."""
    module, _, name = COMMANDS[command].partition(".")
    return getattr(import_module(f"lenetcli.cli.commands.{module}"), name)


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].split())
