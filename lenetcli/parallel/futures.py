"""Processes that mpiexec started as one executor (mpi4py.futures): the first one submits, the others do the work."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lenetcli.errors import ConfigError
from lenetcli.kernels.environment import wanted_threads
from lenetcli.kernels.threads import processors, set_num_threads
from lenetcli.parallel.launch import INSTALL, launched


@contextmanager
def ranks(size: int) -> Iterator[Any]:
    """On the first process an executor; on the others None, once there is nothing left to do.

    Processes that share a machine divide its processors, where no number of threads was asked for.

    Args:
        size: how many processes the launcher started.

    Raises:
        ConfigError: there is no MPI, or another one than the launcher's.
    """
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPICommExecutor
    except (ImportError, RuntimeError) as error:  # mpi4py is missing, or the MPI library that it looks for
        if launched()[1]:  # one complains; a launcher ends all as soon as one has ended
            time.sleep(1)
            raise SystemExit(ConfigError.exit_code) from None
        raise ConfigError(f"{size} processes were started, but MPI cannot be used: {error}; {INSTALL}") from None
    comm = MPI.COMM_WORLD
    if comm.size != size:
        raise ConfigError(
            f"the launcher started {size} processes, but MPI sees {comm.size}: mpi4py has another MPI than the launcher"
        )
    rivals = comm.Split_type(MPI.COMM_TYPE_SHARED).size
    if not wanted_threads()[0]:
        set_num_threads(max(1, processors() // rivals))
    if comm.rank:
        for name in (signal.SIGINT, signal.SIGTERM):  # come to all; who trains saves, who waits is dismissed
            signal.signal(name, lambda number, frame: None)
    with MPICommExecutor(comm, root=0) as executor:
        yield executor
