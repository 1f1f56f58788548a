"""Workers in other processes, as the executors that existing engines offer: dask.distributed and mpi4py.futures.

Workers of this machine that are started by hand (the same command, several times) need none: see work.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from lenetcli.errors import ConfigError, LenetError, in_a_line
from lenetcli.kernels.environment import wanted_threads
from lenetcli.kernels.threads import processors
from lenetcli.parallel.futures import ranks
from lenetcli.sweep.trial import Record, Task

HERE = ("local", "slurm")  # clusters that are made for one sweep; else the address of a scheduler
ANSWER = 30  # seconds in which a scheduler answers, at first and after it was lost
DEATHS = 10  # of workers, after which a trial is no longer given to another one
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # Ctrl-C is for the command, which has them save
INSTALL_DASK = "python -m pip install 'lenet[cluster]'"


@dataclass
class Pool:
    """Workers.

    Args:
        submit: has a worker perform a task.
        workers: how many there are just now.
        description: of them, for the user.
    """

    submit: Callable[[Callable[[Task], Record], Task], Future[Record]]
    workers: Callable[[], int]
    description: str = ""


@contextmanager
def dask(cluster: str, jobs: int | None = None) -> Iterator[Pool]:
    """Workers of a dask.distributed scheduler: an address, or one that lives within the block.

    Args:
        cluster: "local", "slurm", or the address, such as tcp://head:8786.
        jobs: how many workers a cluster of its own gets.

    Raises:
        ConfigError: dask is not installed, or no scheduler answers there.
    """
    try:
        settings, distributed = import_module("dask"), import_module("distributed")
        parse = import_module("distributed.comm").get_address_host_port
    except ImportError:
        raise ConfigError(f"--cluster needs dask.distributed: {INSTALL_DASK}") from None
    with ExitStack() as opened:
        opened.enter_context(settings.config.set({"distributed.scheduler.allowed-failures": DEATHS}))
        place: Any = cluster
        if cluster == "local":
            place = opened.enter_context(_local(distributed, jobs or processors()))
        elif cluster == "slurm":
            place = opened.enter_context(_slurm(jobs or 1))
        try:
            if place is cluster:
                parse(cluster)
            client = opened.enter_context(distributed.Client(place, timeout=ANSWER, set_as_default=False))
        except (OSError, ValueError, TypeError) as error:  # of an address that is none, or where nobody answers
            what = in_a_line(error)
            raise ConfigError(
                f"--cluster {cluster}: no scheduler answers there ({what}); start one with: dask scheduler"
            ) from None
        executor = client.get_executor(pure=False)

        def submit(function: Callable[[Task], Record], task: Task) -> Future[Record]:
            if client.status not in ("running", "connecting"):
                raise LenetError(f"--cluster {cluster}: the scheduler is gone; the same command goes on with the sweep")
            return executor.submit(function, task)

        def workers() -> int:
            with suppress(OSError, RuntimeError):  # while it looks for a scheduler that went away
                return sum(client.nthreads().values())
            return 0

        none = "no workers yet" + (f"; to start one: dask worker {cluster}" if place is cluster else "")
        description = f"{workers()} workers" if workers() else none
        if _has_dashboard():
            description += f"; dashboard: {client.dashboard_link}"
        yield Pool(submit, workers, f"--cluster {cluster}: {description}")


def _local(distributed: Any, jobs: int) -> Any:
    threads = {} if wanted_threads()[0] else {"LENET_THREADS": str(max(1, processors() // jobs))}
    return distributed.LocalCluster(
        n_workers=jobs, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0, env=threads,
        preload=DEAF,
        dashboard_address="127.0.0.1:0" if _has_dashboard() else None,
    )  # fmt: skip


def _slurm(jobs: int) -> Any:
    try:
        jobqueue = import_module("dask_jobqueue")
    except ImportError:
        raise ConfigError(f"--cluster slurm needs dask-jobqueue: {INSTALL_DASK}") from None
    try:
        cluster = jobqueue.SLURMCluster()
        cluster.scale(jobs=jobs)
    except Exception as error:  # its own checks, of its own file, have many types
        what = in_a_line(error, 300)
        raise ConfigError(f"--cluster slurm: {what}; dask-jobqueue's settings are in ~/.config/dask") from None
    return cluster


def _has_dashboard() -> bool:
    return find_spec("bokeh") is not None


@contextmanager
def mpi(size: int) -> Iterator[Pool | None]:
    """The processes that mpiexec started: the first one shares out, the others work and get None when all is done.

    Raises:
        ConfigError: there is no MPI, or another one than the launcher's.
    """
    with ranks(size) as executor:
        yield None if executor is None else Pool(executor.submit, lambda: size - 1, f"{size - 1} workers over MPI")
