"""Starting and resuming runs: what is shown of them, and the exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from shlex import quote

from lenetcli import config as configuration
from lenetcli.build.notes import fine_tuning
from lenetcli.build.scheduler import hints
from lenetcli.config import consent
from lenetcli.data import Subset
from lenetcli.errors import ConfigError, printable
from lenetcli.kernels.dispatch import slow_because
from lenetcli.report.training.listeners import showing
from lenetcli.report.training.outlet import surviving_outlets
from lenetcli.report.training.progress import Mode
from lenetcli.runs.process_group import ProcessGroup
from lenetcli.runs.resume_rules import MAY_CHANGE, PLACES
from lenetcli.runs.session import ALONE, Listener, Session
from lenetcli.train.events import Ended
from lenetcli.train.losses import main_term
from lenetcli.train.run import Run
from lenetcli.train.signals import EXIT_CODES

OVER_EARLY = {
    "stopped early": "stopped early after epoch {epoch}: no improvement for train.early_stopping.patience epochs",
    "out of time": "out of time after step {step}; for more: lenet train --resume {place} train.max_time=2h",
}


def start_run(
    path: str, changes: list[str], out: Path | None, mode: Mode, debug_nan: bool = False, also: Listener | None = None,
    tensorboard: bool = False, group: ProcessGroup = ALONE, accept_changed: bool = False,
) -> int:  # fmt: skip
    """Trains from a configuration in a new run directory; gives the exit code.

    That is its user's word that the Python it names may be imported.

    Args:
        also: gets each event of the run after the others.
        tensorboard: write files for TensorBoard, too.
        group: the processes that train the run.
        accept_changed: of a run's configuration: begin though the weights of model.init are not what they were.
    """
    with group.barrier():
        if tensorboard:
            from lenetcli.report.training.tensorboard import check_installed

            check_installed()
        with consent.given(group.log, remember=group.rank == 0):
            config = configuration.load(path, changes)
    with surviving_outlets(), Session.new(config, out, group=group, accept_changed=accept_changed) as session:
        return _follow(session, mode, debug_nan, also, tensorboard)


def configuration_of(what: str, group: ProcessGroup) -> str:
    """The name of the configuration to train: `what` itself or, where that is data, the one that is made for it.

    Raises:
        ConfigError: one of that name is there, for other data.
        DataError: the data cannot be read.
    """
    from lenetcli.cli.drafting import draft, of_same_data, stands_for_data, write

    data = stands_for_data(what)
    if data is None:
        return what
    target = Path(f"{data.name}.yaml")
    if group.rank == 0 and not target.exists():
        drafted = draft(data, target)
        from lenetcli.report.console import messages
        from lenetcli.report.data.survey import draw

        for part in draw(drafted.found, drafted.chosen):
            messages().print(part)
        group.log(f"{target}: written{write(target, drafted.text)}")
    elif group.rank == 0 and not of_same_data(target, data):
        raise ConfigError(
            f"{target} is there already, for other data; write another with: lenet init {quote(what)} -o OTHER.yaml"
        )
    else:
        group.log(f"{target} is there already, and is used")
    return str(target)


def resume_run(
    place: Path, changes: list[str], mode: Mode, debug_nan: bool = False, also: Listener | None = None,
    tensorboard: bool = False, group: ProcessGroup = ALONE, accept_changed: bool = False,
) -> int:  # fmt: skip
    """Continues a run from its newest whole checkpoint; gives the exit code. Changes go into its config.yaml.

    Args:
        accept_changed: go on though the data or the run's own Python is not what it was.

    Raises:
        ConfigError: no run directory, one where a training is running, or a change other than of MAY_CHANGE.
        DataError: no whole checkpoint.
    """
    with group.barrier():
        for change in changes:
            if change.partition("=")[0] not in MAY_CHANGE + PLACES:
                allowed = f"only {', '.join(MAY_CHANGE)} may change when a run continues"
                raise ConfigError(f"--resume: {change}: {allowed}, and where its data lies, as in data.root=DIR")
        if tensorboard:
            from lenetcli.report.training.tensorboard import check_installed

            check_installed()
    with (
        surviving_outlets(),
        Session.resume(place, changes, group=group, accept_changed=accept_changed) as session,
    ):
        return _follow(session, mode, debug_nan, also, tensorboard)


def _follow(session: Session, mode: Mode, debug_nan: bool, also: Listener | None, tensorboard: bool) -> int:
    run, group, quiet = session.run, session.group, mode in ("json", "off")
    for line in session.notes:  # also where progress is off: they are about what is trained
        group.log(line)
    if not quiet:
        assert session.config is not None, "a run directory has one"
        told = [slow_because(), *map(str, run.left_out), _sampled(run)]
        told += fine_tuning(session.config, run.model, run.freezing)
        for line in filter(None, [*told, *hints(session.config, run.steps), group.description]):
            group.log(line)
    with showing(session, mode if group.rank == 0 else "off", tensorboard and group.rank == 0) as shown:
        ended = session.follow([*shown, *([also] if also is not None else [])], debug_nan)
    if group.rank == 0 and not quiet:
        _conclude(session, ended)
    return EXIT_CODES[run.stop] if run.stop is not None else 0


def _sampled(run: Run) -> str:
    """That evaluations look at some samples only, where `train.limit_batches` says so."""
    loader = run.test_loader if run.validation_loader is None else run.validation_loader
    data, whole = loader.dataset, getattr(loader.dataset, "dataset", None)
    if whole is None or (run.validation_loader is not None and not isinstance(whole, Subset)):
        return ""
    return f"train.limit_batches: an evaluation takes {len(data):,} of {len(whole):,} samples, of each class alike"


def _conclude(session: Session, ended: Ended) -> None:
    run, place = session.run, session.directory
    if run.stop is not None:
        print(
            printable(f"stopped by {run.stop} after step {ended.step}; continue with: lenet train --resume {place}"),
            file=sys.stderr,
        )
    if ended.reason in OVER_EARLY:
        print(
            printable(OVER_EARLY[ended.reason].format(epoch=ended.epoch, step=ended.step, place=place)), file=sys.stderr
        )
    best = ""
    if ended.best_epoch is not None and ended.loss is not None:
        name = main_term(run.criterion).name
        whose = f" of {name}" if name else ""
        figure = f"accuracy {ended.accuracy:.4f}{whose}" if ended.accuracy is not None else f"loss {ended.loss:.6g}"
        split = "test" if run.validation_loader is None else "validation"
        chosen = f", chosen on the {split} split" if ended.epoch > 1 else ""
        best = f"best epoch {ended.best_epoch}: test {figure}{chosen}; "
    print(f"{best}{ended.seconds:.1f} s; run directory {place}")
