"""Before a training begins: all ranks have the same configuration, versions and data, or none of them starts."""

from __future__ import annotations

import json
import platform
import zlib
from typing import Any

import numpy as np

from lenetcli import __version__
from lenetcli.errors import ConfigError
from lenetcli.parallel.communicator import Communicator
from lenetcli.runs.resume_rules import differences
from lenetcli.train.run import Run


def check(comm: Communicator, run: Run) -> None:
    """Refuses ranks that would not train the same run.

    Raises:
        ConfigError: on rank 0; it names the ranks and the first thing in which each of them differs.
    """
    own = json.loads(json.dumps(facts(run)))
    first = comm.all_gather(own if comm.rank == 0 else None)[0]
    with comm.barrier():
        for path, wanted, found in differences(first, own):
            raise ConfigError(f"{path} is {found}, but {wanted} on rank 0; all ranks have to train the same run")


def facts(run: Run) -> dict[str, Any]:
    """What has to be the same everywhere, as plain data."""
    return {
        "lenet": __version__,
        "numpy": np.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "config": run.config,
        "training samples": _content(run.train_loader.dataset),
        "test samples": _content(run.test_loader.dataset),
        "resumed from step": run.progress.step,
    }


def _content(dataset: Any) -> str:
    """How many samples, and a checksum of their targets where these are at hand."""
    targets = getattr(dataset, "targets", None)
    if targets is None:
        return str(len(dataset))
    return f"{len(dataset)} (targets {zlib.crc32(targets.tobytes()):08x})"
