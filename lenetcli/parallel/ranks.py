"""Several processes that train one run: each has its part of every batch, and rank 0 leads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lenetcli.data import DataLoader, Subset
from lenetcli.errors import ConfigError
from lenetcli.kernels.threads import get_num_threads, set_num_threads, source
from lenetcli.nn.module import Module
from lenetcli.nn.syncbatchnorm import SyncBatchNorm
from lenetcli.parallel import agreement
from lenetcli.parallel.averaging import Averaging, Wishes
from lenetcli.parallel.team import Team
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.runs.crew import Crew, T
from lenetcli.train.run import CheckpointStore, Run


class Ranks(Crew):
    """The crew that a team makes."""

    def __init__(self, team: Team) -> None:
        self.team, self.leads, self.size = team, team.leads, team.size
        self.text = f"{team.size} ranks on {_machines(team)}, {get_num_threads()} thread(s) each"

    @contextmanager
    def together(self) -> Iterator[None]:
        with self.team.together():
            yield

    def leaders(self, value: T) -> T:
        found: T = self.team.gather(value if self.leads else None)[0]
        return found

    def checkpoints(self, place: Path, keep: int) -> Checkpoints:
        return SharedCheckpoints(self.team, place, keep)

    def check(self, run: Run) -> None:
        with self.team.together():
            if any(p.device.type != "cpu" for p in run.model.parameters()):
                raise ConfigError("device: several processes train on the CPU only; take --parallel off, or device=cpu")
        agreement.check(self.team, run)

    def join(self, run: Run) -> Wishes:
        team, checkpoints = self.team, run.checkpoints
        if run.config is not None and run.config["train"]["sync_batchnorm"]:
            SyncBatchNorm.convert_sync_batchnorm(run.model, team.sum)
        run.train_loader.part = team.rank, team.size
        run.test_loader = _blocks(run.test_loader, team)
        if run.validation_loader is not None:
            run.validation_loader = _blocks(run.validation_loader, team)
        models = [run.model] if run.average is None else [run.model, run.average.module]
        team.spread([tensor.array for model in models for tensor in model.state_dict().values()])
        averaging = run.others = Averaging(team, run)
        team.stopped = lambda: averaging.wishes.stop
        if checkpoints is not None:
            team.advice = lambda: f" After step {run.progress.step}: {_advice(checkpoints)}"
        return averaging.wishes


class SharedCheckpoints(Checkpoints):
    """Checkpoints that rank 0 writes; the other ranks wait until they are whole.

    Args:
        team: saves together.
        directory, keep: as those of Checkpoints.
    """

    def __init__(self, team: Team, directory: Path, keep: int = 3) -> None:
        super().__init__(directory, keep)
        self._team = team

    def save(self, run: Run, best: bool) -> Path:
        with self._team.together():
            return super().save(run, best) if self._team.leads else self.root

    def load_best(self, model: Module) -> None:
        with self._team.together():
            if self._team.leads:
                super().load_best(model)
        self._team.spread([tensor.array for tensor in model.state_dict().values()])

    def restore(self, run: Run) -> str:
        """As `Checkpoints.restore`; the other ranks read what rank 0 has found whole."""
        found = ""
        for turn in (self._team.leads, not self._team.leads):
            with self._team.together():
                if turn:
                    found = super().restore(run) if self._team.leads else self.look(run)
        return found


def _machines(team: Team) -> str:
    """Gives each rank its share of the cores that it has in common with others; tells on how many machines they are.

    A number that was asked for (--threads, LENET_THREADS, OMP_NUM_THREADS) stays.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    told = team.gather([team.host, cores])
    rivals = sum(host == team.host and not set(cores).isdisjoint(theirs) for host, theirs in told)
    if not source()[0]:
        set_num_threads(max(1, min(get_num_threads(), len(cores) // rivals)))
    machines = len({host for host, _ in told})
    return "1 machine" if machines == 1 else f"{machines} machines"


def _blocks(loader: DataLoader, team: Team) -> DataLoader:
    """This rank's share of the batches to judge by: whole ones, so that each is what it is for one process."""
    first, end = (len(loader) * i // team.size * loader.batch_size for i in (team.rank, team.rank + 1))
    return DataLoader(Subset(loader.dataset, range(first, min(end, len(loader.dataset)))), loader.batch_size)


def _advice(checkpoints: CheckpointStore) -> str:
    names = checkpoints.names()
    if not names:
        return f"{checkpoints.directory} has no checkpoint yet"
    return f"checkpoint {names[-1]} is whole, to continue: lenet train --resume {checkpoints.directory}"
