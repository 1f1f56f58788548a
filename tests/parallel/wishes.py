"""One of several ranks that signals come to: trains one run, and tells what it saw: its saves, its end, its exit code.

python -m tests.parallel.wishes CONFIG OUT '{"1": [[7, "SIGUSR1"]]}' '{}' train.epochs=3    # to rank 1, after step 7

[7, "SIGUSR1", "evaluation"] comes while that rank evaluates what step 7 has made. The '{}' may name runs to train
afterwards, each with its changes, in which nobody asks for anything: MPI starts once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lenetcli.cli.training import resume_run, start_run
from lenetcli.parallel.launch import joined
from lenetcli.parallel.mpi_group import MPIProcessGroup
from lenetcli.train import evaluate_best
from lenetcli.train.events import Ended, Event, Saved, Step

os.fsync = lambda handle: None  # as in tests/train
config, out, signals, undisturbed, *changes = sys.argv[1:]
seen: list[list[object]] = []
sent: list[list[Any]] = []


made: list[int] = []  # steps
real = evaluate_best.moved


def ask(when: list[str]) -> None:
    """Sends this rank what is due now, once."""
    for wish in own:
        if wish not in sent and wish[0] == made[-1] and wish[2:] == when:
            sent.append(wish)
            os.kill(os.getpid(), getattr(signal, wish[1]))


def moved(batches: Any, device: str) -> Iterator[Any]:
    """Before each batch of an evaluation."""
    for batch in real(batches, device):
        ask(["evaluation"])
        yield batch


evaluate_best.moved = moved


def listen(event: Event) -> None:
    """Sends this rank its signals; keeps saves and the end."""
    if isinstance(event, Step):
        made.append(event.step)
        ask([])
    elif isinstance(event, Saved):
        seen.append(["saved", event.step])
    elif isinstance(event, Ended):
        seen.append([event.reason, event.step])


with joined("auto") as group:
    assert isinstance(group, MPIProcessGroup)
    own = json.loads(signals).get(str(group.comm.rank), [])
    if Path(out).exists():
        code = resume_run(Path(out), changes, "off", also=listen, group=group)
    else:
        code = start_run(config, changes, Path(out), "off", also=listen, group=group)
    told = group.comm.all_gather([code, seen])
    if group.rank == 0:
        print("told " + json.dumps(told))
    for place, more in json.loads(undisturbed).items():
        assert start_run(config, more, Path(place), "off", group=group) == 0
