"""Whether this process is one of several that were started together: the launcher's variables tell that without MPI."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from lenetcli.errors import ConfigError
from lenetcli.runs.process_group import ProcessGroup

Mode = Literal["auto", "mpi", "off"]

# number of processes, and this one's, as set by Open MPI's mpiexec; by MPICH's and Intel's; by srun for its steps
VARIABLES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)
INSTALL = "python -m pip install 'lenet[mpi]', or mpi4py alone where the system has MPI"


def launched(environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """(processes that were started together, number of this one); (1, 0) for a process of its own.

    Example:
        >>> launched({"PMI_SIZE": "4", "PMI_RANK": "3"})
        (4, 3)
    """
    for size, rank in VARIABLES:
        texts = environment.get(size, ""), environment.get(rank, "")
        if all(map(str.isdecimal, texts)) and int(texts[0]) > 1:
            return int(texts[0]), int(texts[1])
    return 1, 0


@contextmanager
def joined(mode: Mode) -> Iterator[ProcessGroup]:
    """Within the block this process is one of a group.

    Args:
        mode: auto joins where a launcher has started several processes, mpi always, off never.

    Raises:
        ConfigError: there is no MPI, or another one than the launcher's.
    """
    size, rank = launched()
    if mode == "off" or (mode == "auto" and size == 1):
        yield ProcessGroup()
        return
    try:
        from lenetcli.parallel.communicator import Communicator
        from lenetcli.parallel.mpi_group import MPIProcessGroup

        comm = Communicator()
    except (ImportError, RuntimeError) as error:  # mpi4py is missing, or the MPI library that it looks for
        if rank:  # one complains; a launcher ends all as soon as one has ended
            time.sleep(1)
            raise SystemExit(ConfigError.exit_code) from None
        what = f"{size} processes were started to train together" if size > 1 else "--parallel mpi"
        raise ConfigError(
            f"{what}, but MPI cannot be used: {error}. To install it: {INSTALL}. --parallel off trains without"
        ) from None
    if size not in (1, comm.size):
        raise ConfigError(
            f"the launcher started {size} processes, but MPI sees {comm.size}: mpi4py uses another MPI "
            f"({comm.library}) than the launcher. Take that one's mpiexec, or srun with --mpi=pmix or --mpi=pmi2"
        )
    with comm.answering():
        yield MPIProcessGroup(comm)
