"""A run while it trains: built, in a directory that is locked, begun or resumed, followed to its end.

with Session.new(config, out) as session:            # or Session.resume(place, changes)
    ended = session.follow([listener])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli.build.parts import build_run, config_of_run, device_of, load_config_of
from lenetcli.config import Config, consent
from lenetcli.config.user_code import blamed, made_of
from lenetcli.config.writing import text
from lenetcli.data.inputs import write_inputs
from lenetcli.disk import Unreadable, has_content, make_way, write_atomically
from lenetcli.errors import DataError, LenetError
from lenetcli.runs import directory, resume_rules
from lenetcli.runs import lock as locks
from lenetcli.runs.beginning import INITIAL, begin, check_init, keep_given
from lenetcli.runs.process_group import ProcessGroup
from lenetcli.tensors.serialization import to_bytes
from lenetcli.train.divergence import detect_nan
from lenetcli.train.divergence import place as at
from lenetcli.train.events import Ended, Event
from lenetcli.train.loop import fit
from lenetcli.train.run import Place, Run
from lenetcli.train.signals import polite_stop

Listener = Callable[[Event], None]
ALONE = ProcessGroup()


@dataclass
class Session:
    """A run that can be followed. `Session(run)` trains in memory; `new` and `resume` have a run directory, too.

    Args:
        run: what is trained.
        directory: where it is written down; another place, where it is moved while it trains.
        checkpoint: what it was resumed from, in words.
        group: the processes that train it; rank 0 holds the lock and writes.
        notes: what should be said before it trains: where it goes on from, and what its data is like.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.data import DataLoader, Digits
        >>> data, model = Digits(), lenet.nn.Sequential(lenet.nn.Flatten(), lenet.nn.Linear(64, 10))
        >>> train, test = DataLoader(data.train, 32), DataLoader(data.test, 32)
        >>> sgd = lenet.optim.SGD(model.parameters(), lr=0.1)
        >>> Session(Run(model, lenet.nn.CrossEntropyLoss(), sgd, train, test, epochs=1)).follow().reason
        'finished'
    """

    run: Run
    directory: Path | None = None
    config: Config | None = None
    checkpoint: str | None = None
    group: ProcessGroup = ALONE
    notes: tuple[str, ...] = ()

    @classmethod
    @contextmanager
    def new(
        cls,
        config: Config,
        out: Path | None = None,
        *,
        run: Run | None = None,
        lock: bool = True,
        group: ProcessGroup = ALONE,
        accept_changed: bool = False,
    ) -> Iterator[Session]:
        """A run at its beginning, in a new directory.

        Args:
            out: the directory, new or empty; None: the next free runs/<name>/<NNN>.
            run: what was built of the configuration; None: it is built here.
            lock: False where `out` is there and the caller holds its lock.
            accept_changed: begin though the configuration is a run's, and the weights of model.init are not what they
                were.

        Raises:
            ConfigError: the configuration does not work, or the directory is not empty.
            DataError: its data cannot be read, or its weights are not those of the run whose configuration it is.
            LenetError: the directory cannot be written, or there is too little room.
        """
        with ExitStack() as held:
            with group.barrier():
                run = build_run(config, device_of(config)) if run is None else run
                assert run.config is not None, "build_run keeps the configuration"
                directory.check_config(text(run.config))
                init = None if run.initial is None else run.initial()
                if init is not None and config.document is not None and not accept_changed:
                    check_init(config.document.path.parent, init)
            group.check(run)
            place = out or Path()
            with group.barrier():
                if group.rank == 0 and lock:
                    place = held.enter_context(_created(config.name, out))
            place = Path(group.broadcast(str(place)))
            with group.barrier():
                if group.rank == 0:
                    directory.check_new(place)
                    directory.check_space(place, run.model, config.train.keep_checkpoints)
                    if init is not None:
                        write_atomically(place / INITIAL, to_bytes(run.model.state_dict()))
                    _write_config(run, place)
                    _describe(run, place, group, init=init)
            run.checkpoints = group.checkpoints(place, config.train.keep_checkpoints)
            yield cls(run, place, config, group=group, notes=run.notes)

    @classmethod
    @contextmanager
    def resume(
        cls, place: Path, changes: Iterable[str] = (), *, lock: bool = True, group: ProcessGroup = ALONE,
        accept_changed: bool = False,
    ) -> Iterator[Session]:  # fmt: skip
        """A run as its newest whole checkpoint has it, or at its beginning where there is none yet.

        Where there are weights but no checkpoint, imported ones, training begins from them, and they are kept; see
        `lenetcli.runs.beginning`.

        Args:
            changes: to its configuration; they go into config.yaml.
            lock: False where the caller holds the directory's lock.
            accept_changed: go on though the data or the run's own Python is not what it was.

        Raises:
            ConfigError: no run directory, one where another process trains, or a configuration that is not the
                checkpoint's.
            DataError: no whole checkpoint, or other data or Python than the run began with.
        """
        changes = list(changes)
        with ExitStack() as held:
            if group.size > 1:
                consent.agree(group.broadcast(list(consent.remembered())))
            held.enter_context(consent.under(accept_changed=accept_changed or consent.rules().accept_changed))
            with group.barrier():
                load_config_of(place)
                if group.rank == 0 and lock:
                    held.enter_context(locks.locked(place))
            with group.barrier():
                config = config_of_run(place, changes)
                run = build_run(config, device_of(config))
                data = run.fingerprint() if run.fingerprint is not None and group.rank == 0 else None
                if not consent.rules().accept_changed:
                    resume_rules.check_data(place, _environment(place), data)
            run.checkpoints = group.checkpoints(place, config.train.keep_checkpoints)
            found = run.checkpoints.restore(run) if group.broadcast(run.checkpoints.exist()) else None
            begins = f"resuming {place} from checkpoint {found}"
            if found is None:
                with group.barrier():
                    if group.rank == 0:
                        keep_given(place)
                with group.barrier():
                    begins = begin(run, place)
            group.check(run)
            with group.barrier():
                if group.rank == 0:
                    if changes:
                        _write_config(run, place)
                    _describe(run, place, group, data)
            yield cls(run, place, config, found, group, (begins, *run.notes))

    def follow(self, listeners: Iterable[Listener] = (), debug_nan: bool = False) -> Ended:
        """Trains, writes the events down, then hands each to the listeners; gives the last one.

        Signals set `run.stop` while it goes on (see `polite_stop`).

        Raises:
            DivergedError: a loss, gradient or weight became NaN or infinite.
            LenetError: a file cannot be written, or a user's own file raised.
        """
        run, last, listeners = self.run, None, list(listeners)
        with ExitStack() as opened:
            stoppable = self.group.distribute(run)
            if self.directory is not None and self.group.rank == 0:
                opened.enter_context(self._written_down(self.directory, listeners))
            run.tell = self.group.log
            opened.enter_context(polite_stop(stoppable))
            if debug_nan:
                opened.enter_context(detect_nan(run))
            opened.enter_context(blamed(lambda: at(run)))
            for event in fit(run):
                for listener in listeners:
                    listener(event)
                last = event
        assert isinstance(last, Ended), "a run's last event is its end"
        return last

    @contextmanager
    def _written_down(self, place: Path, listeners: list[Listener]) -> Iterator[None]:
        """Within the block, events go to metrics.jsonl first, and the run directory stays whole.

        It is found where it has been moved to, and files of it that were taken away are put back, before each save and
        at the end.
        """
        run, held = self.run, locks.held(place)
        checkpoints, written = run.checkpoints, run.config

        def find() -> Place:
            nonlocal written
            self.directory = name = place if held is None else held.place()
            way = name if held is None else held.way
            if run.config is not None and (run.config is not written or not has_content(way / "config.yaml")):
                make_way(way / "config.yaml")
                _write_config(run, way)
                written = run.config
            _describe(run, way, self.group)
            return Place(name, way, file.sync(way))

        with ExitStack() as opened:
            if held is not None:
                opened.enter_context(held.called_by_name())
            file = directory.MetricsFile(place, checkpoints.events if checkpoints is not None else 0)
            opened.enter_context(closing(file))
            listeners.insert(0, file)
            if checkpoints is not None:
                checkpoints.before_save = find
                opened.callback(checkpoints.settle)
            yield
            find()


@contextmanager
def _created(name: str, out: Path | None) -> Iterator[Path]:
    """A new run directory, locked within the block."""
    place = directory.create(name, out)
    try:
        with locks.locked(place):
            yield place
    except LenetError:
        with suppress(OSError):
            place.rmdir()  # where nothing has been written
        raise


def _environment(place: Path) -> dict[str, Any]:
    """What environment.json says; a damaged or missing one says nothing, and stops no run.

    Raises:
        Unreadable: it is there and cannot be read just now.
    """
    try:
        return directory.read_environment(place)
    except Unreadable:
        raise
    except DataError:
        return {}


def _write_config(run: Run, place: Path) -> None:
    assert run.config is not None, "build_run keeps the configuration"
    directory.write_config(place, text(run.config))


def _describe(
    run: Run, place: Path, group: ProcessGroup, data: dict[str, Any] | None = None, init: dict[str, Any] | None = None
) -> None:
    """Writes what the run is made with, where that is missing.

    Args:
        data: the hash of its data, where it is known.
        init: the file of the weights that it begins with, and its hash.
    """
    if not has_content(place / directory.ENVIRONMENT):
        make_way(place / directory.ENVIRONMENT)
        if data is None and run.fingerprint is not None:
            data = run.fingerprint()
        directory.write_environment(place, group.size, data, run.left_out, made_of(run.config), init)
    write_inputs(place, run.inputs)
