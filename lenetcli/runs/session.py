"""A run in its directory, from its beginning or its newest checkpoint: what the command, a sweep and a notebook share.

run = build_run(config)
with locked(place):
    begin(config, run, place)      # or: run, checkpoint = go_on(place)
    ended = follow(run, place, [listener])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

from lenetcli import config as configuration
from lenetcli.build.parts import build_run, device_of, load_config_of
from lenetcli.config import Config
from lenetcli.config.user_code import blamed
from lenetcli.config.writing import text
from lenetcli.data.inputs import write_inputs
from lenetcli.runs import directory
from lenetcli.runs.crew import Crew
from lenetcli.train.divergence import place as at
from lenetcli.train.events import Ended, Event
from lenetcli.train.loop import fit
from lenetcli.train.nan_search import hunting
from lenetcli.train.run import Run
from lenetcli.train.signals import polite_stop

Listener = Callable[[Event], None]
ALONE = Crew()


def begin(config: Config, run: Run, place: Path, crew: Crew = ALONE) -> None:
    """Writes what stands in a run directory before the first step. The caller holds its lock.

    Args:
        crew: the processes that train the run, here and below; the leading one writes.

    Raises:
        ConfigError: another training has written there.
        LenetError: it cannot be written, or there is too little room.
    """
    with crew.together():
        if crew.leads:
            directory.check_new(place)
            directory.check_space(place, run.model, config.train.keep_checkpoints)
            _write_config(run, place)
            _describe(run, place, crew)
    run.checkpoints = crew.checkpoints(place, config.train.keep_checkpoints)


def go_on(place: Path, changes: Iterable[str] = (), crew: Crew = ALONE) -> tuple[Run, str | None]:
    """A run as its newest whole checkpoint has it, and what `restore` says of that; None where there is none yet.

    The caller holds the directory's lock.

    Args:
        changes: to its configuration; they go into config.yaml.

    Raises:
        ConfigError: no run directory, or its configuration is another than the checkpoint's.
        DataError: no whole checkpoint.
    """
    changes = list(changes)
    with crew.together():
        config = configuration.load(str(load_config_of(place)), changes)
        run = build_run(config, device_of(config))
    run.checkpoints = crew.checkpoints(place, config.train.keep_checkpoints)
    found = run.checkpoints.restore(run) if crew.leaders(run.checkpoints.exist()) else None
    crew.check(run)
    with crew.together():
        if crew.leads:
            if changes:
                _write_config(run, place)
            _describe(run, place, crew)
    return run, found


def follow(run: Run, place: Path, listeners: Iterable[Listener], debug_nan: bool = False, crew: Crew = ALONE) -> Ended:
    """Trains, writes the events down, then hands each to the listeners; gives the last one.

    Signals set `run.stop` while it goes on (see `polite_stop`).

    Raises:
        DivergedError: a loss, gradient or weight became NaN or infinite.
        LenetError: a file cannot be written, or a user's own file raised.
    """
    stoppable = crew.join(run)
    kept = None
    if crew.leads:
        kept = directory.MetricsFile(place, run.checkpoints.events if run.checkpoints is not None else 0)
    listeners = [*([kept] if kept is not None else []), *listeners]
    last: Event | None = None
    try:
        with polite_stop(stoppable), hunting(run) if debug_nan else nullcontext(), blamed(lambda: at(run)):
            for event in fit(run):
                for listener in listeners:
                    listener(event)
                last = event
    finally:
        if kept is not None:
            kept.close()
    assert isinstance(last, Ended), "a run's last event is its end"
    return last


def _write_config(run: Run, place: Path) -> None:
    assert run.config is not None, "build_run keeps the configuration"
    directory.write_config(place, text(run.config))


def _describe(run: Run, place: Path, crew: Crew) -> None:
    directory.write_environment(place, crew.size)
    write_inputs(place, run.inputs)
