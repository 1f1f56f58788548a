"""Starting and resuming runs: build, listen, save, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from lenetcli import config as configuration
from lenetcli.build import build_run, load_config_of
from lenetcli.config import Config
from lenetcli.config.writing import text
from lenetcli.data.inputs import write_inputs
from lenetcli.errors import ConfigError, LenetError
from lenetcli.parallel.crew import Crew
from lenetcli.report.training import Listener, Mode, listener
from lenetcli.train import directory
from lenetcli.train.changes import MAY_CHANGE
from lenetcli.train.events import Event
from lenetcli.train.lock import locked
from lenetcli.train.loop import fit
from lenetcli.train.nan_hunt import hunting
from lenetcli.train.run import Run
from lenetcli.train.signals import EXIT_CODES, polite_stop

Also = Callable[[Event], None]
ALONE = Crew()
OVER_EARLY = {
    "stopped early": "stopped early after epoch {epoch}: no improvement for train.early_stopping.patience epochs",
    "out of time": "out of time after step {step}; for more: lenet train --resume {place} train.max_time=2h",
}


def start_run(
    path: str,
    changes: list[str],
    out: Path | None,
    mode: Mode,
    debug_nan: bool = False,
    also: Also | None = None,
    crew: Crew = ALONE,
) -> int:
    """Trains from a configuration in a new run directory; gives the exit code.

    Args:
        also: gets each event of the run after the others.
        crew: the processes that train it.
    """
    with crew.together():
        config = configuration.load(path, changes)
        run = build_run(config)
    crew.check(run)
    with ExitStack() as held:
        with crew.together():
            place = held.enter_context(_new(run, config, out)) if crew.leads else Path()
        run.checkpoints = crew.checkpoints(place, config.train.keep_checkpoints)
        return _follow(run, config, mode, debug_nan, also, crew)


@contextmanager
def _new(run: Run, config: Config, out: Path | None) -> Iterator[Path]:
    """A new run directory, locked within the block."""
    assert run.config is not None
    place = directory.create(config.name, out)
    try:
        with locked(place):
            directory.check_new(place)  # once more, now that nobody else may write there
            directory.check_space(place, run.model, config.train.keep_checkpoints)
            directory.write_config(place, text(run.config))
            directory.write_environment(place)
            write_inputs(place, run.inputs)
            yield place
    except LenetError:
        with suppress(OSError):
            place.rmdir()  # where nothing has been written
        raise


def resume_run(
    place: Path, changes: list[str], mode: Mode, debug_nan: bool = False, also: Also | None = None, crew: Crew = ALONE
) -> int:
    """Continues a run from its newest whole checkpoint; gives the exit code. Changes go into its config.yaml.

    Raises:
        ConfigError: no run directory, one where a training is running, or a change other than of MAY_CHANGE.
        DataError: no whole checkpoint.
    """
    with ExitStack() as held:
        with crew.together():
            for change in changes:
                if change.partition("=")[0] not in MAY_CHANGE:
                    allowed = ", ".join(MAY_CHANGE)
                    raise ConfigError(f"--resume: {change}: only {allowed} may change when a run continues")
            path = load_config_of(place)
            if crew.leads:
                held.enter_context(locked(place))
            config = configuration.load(str(path), changes)
            run = build_run(config)
            assert run.config is not None
        run.checkpoints = crew.checkpoints(place, config.train.keep_checkpoints)
        if crew.leaders(run.checkpoints.exist()):
            crew.say(f"resuming {place} from checkpoint {run.checkpoints.restore(run)}")
        else:
            crew.say(f"{place} has no checkpoint yet: starting from its beginning")
        crew.check(run)
        with crew.together():
            if crew.leads:
                if changes:
                    directory.write_config(place, text(run.config))
                directory.write_environment(place)
                write_inputs(place, run.inputs)
        return _follow(run, config, mode, debug_nan, also, crew)


def _follow(run: Run, config: Config, mode: Mode, debug_nan: bool, also: Also | None, crew: Crew) -> int:
    assert run.checkpoints is not None
    place, quiet = run.checkpoints.directory, mode in ("json", "off")
    stoppable = crew.join(run, config.train.sync_batchnorm, quiet)
    listeners: list[Listener] = []
    if crew.leads:
        listeners = [directory.MetricsFile(place, run.checkpoints.events), listener(mode, run.epochs, run.steps)]
    last: Any = None
    try:
        with polite_stop(stoppable), hunting(run) if debug_nan else nullcontext():
            for event in fit(run):
                for listen in listeners:
                    listen(event)
                if also is not None:
                    also(event)
                last = event
    finally:
        for listen in listeners:
            listen.close()
    if crew.leads and not quiet:
        _conclude(run, place, last)
    return EXIT_CODES[run.stop] if run.stop is not None else 0


def _conclude(run: Run, place: Path, ended: Any) -> None:
    if run.stop is not None:
        print(
            f"stopped by {run.stop} after step {ended.step}; continue with: lenet train --resume {place}",
            file=sys.stderr,
        )
    if ended.reason in OVER_EARLY:
        print(OVER_EARLY[ended.reason].format(epoch=ended.epoch, step=ended.step, place=place), file=sys.stderr)
    best = ""
    if ended.best_epoch is not None and ended.loss is not None:
        figure = f"accuracy {ended.accuracy:.4f}" if ended.accuracy is not None else f"loss {ended.loss:.6g}"
        best = f"best epoch {ended.best_epoch}: test {figure}; "
    print(f"{best}{ended.seconds:.1f} s; run directory {place}")
