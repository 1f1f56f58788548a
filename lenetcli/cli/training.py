"""Starting and resuming runs: build, listen, save, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lenetcli import config as configuration
from lenetcli.build.parts import build_run, device_of, load_config_of
from lenetcli.build.scheduler import hints
from lenetcli.config import Config
from lenetcli.errors import ConfigError, LenetError
from lenetcli.report.training.progress import Mode, listener
from lenetcli.report.training.tensorboard import TensorBoard, check_installed
from lenetcli.runs import directory
from lenetcli.runs.crew import Crew
from lenetcli.runs.lock import locked
from lenetcli.runs.resume_rules import MAY_CHANGE
from lenetcli.runs.session import ALONE, Listener, begin, follow, go_on
from lenetcli.train.events import Ended
from lenetcli.train.run import Run
from lenetcli.train.signals import EXIT_CODES

OVER_EARLY = {
    "stopped early": "stopped early after epoch {epoch}: no improvement for train.early_stopping.patience epochs",
    "out of time": "out of time after step {step}; for more: lenet train --resume {place} train.max_time=2h",
}


def start_run(
    path: str, changes: list[str], out: Path | None, mode: Mode, debug_nan: bool = False, also: Listener | None = None,
    tensorboard: bool = False, crew: Crew = ALONE,
) -> int:  # fmt: skip
    """Trains from a configuration in a new run directory; gives the exit code.

    Args:
        also: gets each event of the run after the others.
        tensorboard: write files for TensorBoard, too.
        crew: the processes that train the run.
    """
    with crew.together():
        if tensorboard:
            check_installed()
        config = configuration.load(path, changes)
        run = build_run(config, device_of(config))
    crew.check(run)
    with ExitStack() as held:
        with crew.together():
            place = held.enter_context(_new(config.name, out)) if crew.leads else Path()
        place = Path(crew.leaders(str(place)))
        begin(config, run, place, crew)
        _give_hints(config, run, mode, crew)
        return _follow(run, place, mode, debug_nan, also, tensorboard, crew)


@contextmanager
def _new(name: str, out: Path | None) -> Iterator[Path]:
    """A new run directory, locked within the block."""
    place = directory.create(name, out)
    try:
        with locked(place):
            yield place
    except LenetError:
        with suppress(OSError):
            place.rmdir()  # where nothing has been written
        raise


def resume_run(
    place: Path, changes: list[str], mode: Mode, debug_nan: bool = False, also: Listener | None = None,
    tensorboard: bool = False, crew: Crew = ALONE,
) -> int:  # fmt: skip
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
            load_config_of(place)
            if tensorboard:
                check_installed()
            if crew.leads:
                held.enter_context(locked(place))
        run, found = go_on(place, changes, crew)
        if found is not None:
            crew.say(f"resuming {place} from checkpoint {found}")
        else:
            crew.say(f"{place} has no checkpoint yet: starting from its beginning")
        _give_hints(configuration.load(str(load_config_of(place)), changes), run, mode, crew)
        return _follow(run, place, mode, debug_nan, also, tensorboard, crew)


def _give_hints(config: Config, run: Run, mode: Mode, crew: Crew) -> None:
    if mode not in ("json", "off"):
        for hint in hints(config, run.steps):
            crew.say(hint)


def _follow(
    run: Run, place: Path, mode: Mode, debug_nan: bool, also: Listener | None, tensorboard: bool, crew: Crew
) -> int:
    quiet = mode in ("json", "off")
    if crew.text and not quiet:
        crew.say(crew.text)
    shown = listener(mode if crew.leads else "off", run.epochs, run.steps)
    board = TensorBoard(run, place) if tensorboard and crew.leads else None
    try:
        listeners = [shown, board, also]
        ended = follow(run, place, [each for each in listeners if each is not None], debug_nan, crew)
    finally:
        shown.close()
        if board is not None:
            board.close()
    if crew.leads and not quiet:
        _conclude(run, place, ended)
    return EXIT_CODES[run.stop] if run.stop is not None else 0


def _conclude(run: Run, place: Path, ended: Ended) -> None:
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
