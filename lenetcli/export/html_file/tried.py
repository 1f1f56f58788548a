"""A page's program outside of a browser, under Node: whether it gives what the engine gives."""

from __future__ import annotations

import base64
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.display.markup import script_json
from lenetcli.errors import CheckFailed
from lenetcli.export.graph import Array
from lenetcli.export.html_file.program import Program

PLACE = Path(__file__).parent
ENGINE = ("walks.js", "functions.js", "windows.js", "steps.js", "net.js")  # what a program needs to run
PATIENCE = 300.0  # seconds


def engine() -> str:
    """The text of the functions that run a program."""
    return "\n".join((PLACE / name).read_text("utf-8") for name in ENGINE)


@dataclass(frozen=True)
class Job:
    """A program and what it is to run on.

    Args:
        samples: (N, ...) of its input.
        seeds: gradients of its outputs, (N, ...) each, where gradients are wanted.
    """

    program: Program
    samples: Array
    seeds: Sequence[Array] = ()

    def record(self) -> dict[str, Any]:
        """As plain data."""
        rows = [part.reshape(len(self.samples), -1) for part in (self.samples, *self.seeds)]
        numbers = np.ascontiguousarray(np.concatenate(rows, axis=1), np.float32)
        texts = (base64.b64encode(part).decode() for part in (self.program.content(), numbers.tobytes()))
        weights, samples = texts
        return {"program": self.program.record(), "weights": weights, "samples": samples, "gradients": bool(self.seeds)}

    def split(self, rows: Array) -> dict[str, Array]:
        """What came out, (N, ...) each: outputs by name, then "input" and weights by name for gradients."""
        program = self.program
        shapes = [(f"output {output['name']}", tuple(output["shape"][1:])) for output in program.outputs]
        if self.seeds:
            shapes.append(("input", tuple(self.samples.shape[1:])))
            shapes += [(weight["name"], tuple(weight["shape"])) for weight in program.weights if weight["trained"]]
        found, at = {}, 0
        for name, shape in shapes:
            size = math.prod(shape)
            found[name] = rows[:, at : at + size].reshape(-1, *shape)
            at += size
        return found


def runner(program: Program) -> Callable[[Array], list[Array]] | None:
    """Runs the program on samples, one after the other: the outputs of all; None where there is no Node.

    Raises:
        CheckFailed: it ends with an error.
    """
    if shutil.which("node") is None:
        return None

    def run(x: Array) -> list[Array]:
        return [*results([Job(program, x)])[0].values()]

    with suppress(OSError, subprocess.TimeoutExpired):  # nothing is known of the program by that
        run(np.zeros(program.graph.input.sizes_of(1), np.float32))
        return run
    return None


def results(jobs: Sequence[Job]) -> list[dict[str, Array]]:
    """What comes of each job, in one process.

    Raises:
        CheckFailed: it ends with an error.
    """
    given = script_json([job.record() for job in jobs])
    script = "\n".join([engine(), f"const jobs = {given};", (PLACE / "tried.js").read_text("utf-8")])
    with tempfile.TemporaryDirectory(prefix="lenet-html-") as place:
        file = Path(place) / "net.js"
        file.write_text(script, "utf-8")
        done = subprocess.run(["node", file], capture_output=True, timeout=PATIENCE, check=False)
    if done.returncode:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        raise CheckFailed(f"the page's program ends with an error: not written; Node says: {said}")
    rows = [np.frombuffer(base64.b64decode(line), np.float32) for line in done.stdout.splitlines()]
    return [job.split(row.reshape(len(job.samples), -1)) for job, row in zip(jobs, rows)]
