"""Several processes that train one run: each has its part of every batch, rank 0 writes and prints."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lenetcli.data import DataLoader, Subset
from lenetcli.errors import ConfigError
from lenetcli.kernels.environment import wanted_threads
from lenetcli.kernels.threads import get_num_threads, set_num_threads
from lenetcli.nn.module import Module
from lenetcli.nn.syncbatchnorm import SyncBatchNorm
from lenetcli.parallel import agreement
from lenetcli.parallel.communicator import Communicator
from lenetcli.parallel.reducer import MPIReducer, Wishes
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.runs.process_group import ProcessGroup, T
from lenetcli.train.run import CheckpointStore, Run


class MPIProcessGroup(ProcessGroup):
    """The processes that MPI has started."""

    def __init__(self, comm: Communicator) -> None:
        self.comm, self.rank, self.size = comm, comm.rank, comm.size
        self.description = f"{comm.size} ranks on {_machines(comm)}, {get_num_threads()} thread(s) each"

    @contextmanager
    def barrier(self) -> Iterator[None]:
        with self.comm.barrier():
            yield

    def broadcast(self, value: T) -> T:
        found: T = self.comm.all_gather(value if self.rank == 0 else None)[0]
        return found

    def checkpoints(self, place: Path, keep: int) -> Checkpoints:
        return SharedCheckpoints(self.comm, place, keep)

    def check(self, run: Run) -> None:
        with self.comm.barrier():
            if any(p.device.type != "cpu" for p in run.model.parameters()):
                raise ConfigError("device: several processes train on the CPU only; take --parallel off, or device=cpu")
        agreement.check(self.comm, run)

    def distribute(self, run: Run) -> Wishes:
        comm, checkpoints = self.comm, run.checkpoints
        if run.config is not None and run.config["train"]["sync_batchnorm"]:
            SyncBatchNorm.convert_sync_batchnorm(run.model, comm.all_reduce)
        run.train_loader.part = comm.rank, comm.size
        run.test_loader = _blocks(run.test_loader, comm)
        if run.validation_loader is not None:
            run.validation_loader = _blocks(run.validation_loader, comm)
        models = [run.model] if run.average is None else [run.model, run.average.module]
        comm.broadcast([tensor.array for model in models for tensor in model.state_dict().values()])
        reducer = run.reducer = MPIReducer(comm, run)
        comm.stopped = lambda: reducer.wishes.stop
        if checkpoints is not None:
            comm.advice = lambda: f" After step {run.progress.step}: {_advice(checkpoints)}"
        return reducer.wishes


class SharedCheckpoints(Checkpoints):
    """Checkpoints that rank 0 writes; the other ranks wait until they are whole.

    Args:
        comm: joins the ranks.
        directory, keep: as those of Checkpoints.
    """

    def __init__(self, comm: Communicator, directory: Path, keep: int = 3) -> None:
        super().__init__(directory, keep)
        self._comm = comm

    def save(self, run: Run, best: bool) -> str:
        with self._comm.barrier():
            return super().save(run, best) if self._comm.rank == 0 else str(self.root)

    def load_best(self, model: Module) -> None:
        with self._comm.barrier():
            if self._comm.rank == 0:
                super().load_best(model)
        self._comm.broadcast([tensor.array for tensor in model.state_dict().values()])

    def restore(self, run: Run) -> str:
        """As `Checkpoints.restore`; the other ranks read what rank 0 has found whole."""
        found = ""
        for turn in (self._comm.rank == 0, self._comm.rank != 0):
            with self._comm.barrier():
                if turn:
                    found = super().restore(run) if self._comm.rank == 0 else self.look(run)
        return found


def _machines(comm: Communicator) -> str:
    """Gives each rank its share of the cores that it has in common with others; tells on how many machines they are.

    A number that was asked for (--threads, LENET_THREADS, OMP_NUM_THREADS) stays.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    places = comm.all_gather([comm.host, cores])
    rivals = sum(host == comm.host and not set(cores).isdisjoint(theirs) for host, theirs in places)
    if not wanted_threads()[0]:
        set_num_threads(max(1, min(get_num_threads(), len(cores) // rivals)))
    machines = len({host for host, _ in places})
    return "1 machine" if machines == 1 else f"{machines} machines"


def _blocks(loader: DataLoader, comm: Communicator) -> DataLoader:
    """This rank's share of the batches to evaluate: whole ones, so that each is what it is for one process."""
    first, end = (len(loader) * i // comm.size * loader.batch_size for i in (comm.rank, comm.rank + 1))
    return DataLoader(Subset(loader.dataset, range(first, min(end, len(loader.dataset)))), loader.batch_size)


def _advice(checkpoints: CheckpointStore) -> str:
    names = checkpoints.names()
    if not names:
        return f"{checkpoints.directory} has no checkpoint yet"
    return f"checkpoint {names[-1]} is whole, to continue: lenet train --resume {checkpoints.directory}"
