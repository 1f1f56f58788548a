"""One of several ranks: trains one run after the other, or resumes those that are there; MPI starts once for all."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from lenetcli.cli.training import resume_run, start_run
from lenetcli.parallel.launch import joined

os.fsync = lambda handle: None  # as in tests/train
config, runs = sys.argv[1:]
with joined("auto") as group:
    for out, *changes in json.loads(runs):
        if Path(out).exists():
            assert resume_run(Path(out), changes, "off", group=group) == 0
        else:
            assert start_run(config, changes, Path(out), "off", group=group) == 0
