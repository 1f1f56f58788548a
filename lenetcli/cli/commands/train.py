"""`lenet train`: trains, evaluates each epoch, writes the run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import NoLock, Overrides, trust
from lenetcli.errors import ConfigError


def train(
    config: Annotated[
        str | None,
        typer.Argument(
            help="The YAML file; or data, as `lenet init` takes it: then NAME.yaml is made for it first.",
            metavar="CONFIG|DATA",
            show_default=False,
            autocompletion=completion.configs,
        ),
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option(help="The run directory, new or empty.", show_default="runs/<name>/<NNN>")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this run, with nothing else to say.", autocompletion=completion.runs)
    ] = None,
    progress: Annotated[
        Literal["auto", "bar", "plain", "live", "json", "off"],
        typer.Option(
            help="How to show the run; live draws curves and takes keys (p pauses, s saves, - halves the rate, q stops "
            "as Ctrl-C does, with exit code 130), json writes events to stdout."
        ),
    ] = "auto",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write files for TensorBoard, to tensorboard/ in the run directory.")
    ] = False,
    debug_nan: Annotated[
        bool,
        typer.Option("--debug-nan", help="Check every operation; name the first that gives NaN or infinity."),
    ] = False,
    accept_changed: Annotated[
        bool,
        typer.Option(
            "--accept-changed",
            help="With --resume: go on though data or own Python has changed since; with a run's config: model.init.",
        ),
    ] = False,
    parallel: Annotated[
        Literal["auto", "mpi", "off"],
        typer.Option(help="Train with other processes over MPI; auto does where mpiexec or srun started several."),
    ] = "auto",
    no_lock: NoLock = False,
) -> None:
    """Train a model as CONFIG says; evaluate it each epoch; write a run directory.

    Of data, such as a folder with a folder of pictures for each class, `lenet init` makes the configuration, and a
    second call uses it again.

    Example: lenet train configs/lenet.yaml optimizer.lr=0.1
    """
    from lenetcli.cli.training import configuration_of, resume_run, start_run
    from lenetcli.parallel.launch import joined

    trust(no_lock)
    changes = overrides or []
    if resume is not None:
        if out is not None:
            raise ConfigError("--resume continues in its own directory; leave --out away")
        if config is not None and "=" in config:
            changes = [config, *changes]
        elif config is not None:
            raise ConfigError(f"--resume takes the configuration of {resume}; leave {config} away")
    elif accept_changed and (config is None or not (Path(config).parent / "environment.json").is_file()):
        raise ConfigError("--accept-changed goes with --resume, or with the config.yaml of a run")
    elif config is None:
        raise ConfigError(
            "which configuration? Try: lenet train configs/lenet.yaml, or make one with: lenet init my.yaml"
        )
    with joined(parallel) as group:
        if resume is not None:
            code = resume_run(
                resume, changes, progress, debug_nan, tensorboard=tensorboard, group=group,
                accept_changed=accept_changed,
            )  # fmt: skip
        else:
            assert config is not None
            with group.barrier():
                config = configuration_of(config, group)
            code = start_run(
                config, changes, out, progress, debug_nan, tensorboard=tensorboard, group=group,
                accept_changed=accept_changed,
            )  # fmt: skip
    raise typer.Exit(code)
