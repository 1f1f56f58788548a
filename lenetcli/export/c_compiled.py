"""An exported C file, compiled and run: whether it gives what the engine gives."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.errors import CheckFailed
from lenetcli.export.graph import Array

STANDARD = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2")
PATIENCE = 300.0  # seconds for a compiler
LARGEST = 100_000_000  # characters of a source that is tried: compilers take gigabytes for more


def compiler() -> list[str] | None:
    """The C compiler of this machine, as `CC` names it or as it is usually called; None where there is none."""
    with suppress(ValueError):  # quotes without an end
        if (words := shlex.split(os.environ.get("CC", ""))) and shutil.which(words[0]):
            return words
    return next(([name] for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def runner(
    source: str, name: str, outputs: Sequence[Sequence[int]], options: Sequence[str] = STANDARD
) -> Callable[..., Any] | None:
    """Runs the file's example program on samples; None where nothing can compile it.

    Args:
        name: what the file's functions begin with.
        outputs: the shapes of what comes out.
        options: for the compiler.

    Raises:
        CheckFailed: the compiler refuses it.
    """
    words = compiler()
    if words is None or len(source) > LARGEST:
        return None
    try:
        place = Path(tempfile.mkdtemp(prefix="lenet-c-"))
    except OSError:  # no room, for example
        return None
    program = place / "program"
    command = [*words, *options, f"-D{name.upper()}_MAIN", "net.c", "-o", str(program), "-lm"]
    try:
        (place / "net.c").write_text(source)
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):  # nothing is known of the file by that
        shutil.rmtree(place, ignore_errors=True)
        return None
    if done.returncode:
        shutil.rmtree(place, ignore_errors=True)
        said = " ".join(done.stderr.split())[:300]
        raise CheckFailed(f"the C file does not compile: not written; {words[0]} says: {said}")

    def run(x: Array) -> list[Array]:
        given = np.ascontiguousarray(x, np.float32).tobytes()
        done = subprocess.run(
            [program, "-f"], cwd=place, input=given, capture_output=True, timeout=PATIENCE, check=False
        )
        if done.returncode:
            raise CheckFailed(f"the C file's program ends with {done.returncode}: not written")
        size = sum(map(math.prod, outputs))
        numbers = [line.split()[-size:] for line in done.stdout.decode().splitlines()]
        rows = np.array(numbers, np.float32).reshape(-1, size)
        ends = np.cumsum([math.prod(shape) for shape in outputs])[:-1]
        parts = np.split(rows, ends, axis=1)
        return [part.reshape(-1, *shape[1:]) for part, shape in zip(parts, outputs)]

    weakref.finalize(run, shutil.rmtree, place, ignore_errors=True)
    return run
