"""Goes through the table of faults: python tools/faults.py [reads] [writes] [signals] [mutations] [--stride N].

reads      each read of a run fails, for every command that reads one, with EIO, EACCES and ESTALE
writes     each write of a training fails, once or from then on, with ENOSPC, EIO and EACCES
signals    300 signals at random moments of trainings with many options; each is gone on with to the same bits
mutations  1,000 run directories with bytes changed, through commands that look: no hang, no traceback, under 1 GiB

Prints a line for each kind and what went wrong; exit code 1 where something did. Linux, with a C compiler.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.faults import table  # noqa: E402  # the path comes first
from tests.faults.table import READERS, READING, READS, SHORT, WRITES, WRITING  # noqa: E402
from tests.mutation import mutations  # noqa: E402
from tests.train.small import difference, write_config  # noqa: E402
from tests.train.test_random_kills import CONFIG  # noqa: E402

SIGNALS = ("KILL", "TERM", "HUP", "USR1", "USR2", "STOP", "XCPU", "INT")
OPTIONS = ((), ("train.ema=null",), ("train.accumulate=1", "train.validation=null"), ("train.eval_batch_size=1",))
LOOKING = (
    "show R/config.yaml", "runs R", "eval R", "inspect-params R", "report R -o OUT.html", "plot R -o OUT.svg",
    "diff R R", "train --resume R --progress off",
)  # fmt: skip
Wrong = Iterator[tuple[str, str | None]]


def reads(place: Path, stride: int) -> Wrong:
    """Commands that cannot read at one place, and a run that goes on."""
    config = write_config(place)
    with table.commands(place) as call:
        end = place / "end"
        call(["train", str(config), *SHORT, "--out", str(end), "--progress", "off"], place, end)
        start = table.begun(config, place, call)
        for at in range(1, table.reads_of_resuming(start, place, call) + 1, stride):
            for name, error in READING.items():
                yield f"resume, {name} at read {at}", table.resuming(start, end, place, call, error, at)
        for command, line in READERS.items():
            words = [{"R": str(end), "ROOT": str(end)}.get(word, word) for word in line]
            for at in range(1, call(words, place, end, READS)["calls"] + 1, stride):
                for name, error in READING.items():
                    yield f"{command}, {name} at read {at}", table.reading(words, end, place, call, error, at)


def writes(place: Path, stride: int) -> Wrong:
    """A training that cannot write at one place."""
    config, end = write_config(place), place / "end"
    with table.commands(place) as call:
        words = ["train", str(config), *SHORT, "--out", str(end), "--progress", "off"]
        for at in range(1, call(words, place, end, WRITES)["calls"] + 1, stride):
            for name, error in WRITING.items():
                for lasting in (False, True):
                    wrong = table.writing(config, end, place, call, error, at, lasting)
                    yield f"train, {name} at write {at}{' and on' * lasting}", wrong


def signals(place: Path, stride: int, seed: int) -> Wrong:
    """Signals at random moments, from the start to after the end."""
    draw, environment = random.Random(seed), {**os.environ, "PYTHONPATH": str(ROOT)}
    config = place / "config.yaml"
    config.write_text(CONFIG)
    program = [sys.executable, "-m", "lenetcli", "train"]
    sent = 0
    while sent < 300 // stride:
        options = draw.choice(OPTIONS)
        whole = place / f"whole{OPTIONS.index(options)}"
        if not whole.exists():
            subprocess.run(
                [*program, config, *options, "--out", whole, "--progress", "off"], env=environment, check=True
            )
        run = place / "run"
        shutil.rmtree(run, ignore_errors=True)
        code: int | None = 1
        while code != 0:
            begun = (run / "config.yaml").exists()
            words = ["--resume", run] if begun else [config, *options, "--out", run]
            if run.exists() and not begun:
                shutil.rmtree(run)
            running = subprocess.Popen(
                [*program, *words, "--progress", "off"], env=environment, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            name = draw.choice(SIGNALS) if sent < 300 // stride else None
            if name is not None:
                time.sleep(draw.uniform(0.3, 4.0))
                running.send_signal(getattr(signal, f"SIG{name}"))
                sent += 1
                if name == "STOP":
                    time.sleep(0.1)
                    running.send_signal(signal.SIGCONT)
            said, code = running.communicate()[1], running.returncode
            number = 0 if name is None else int(getattr(signal, f"SIG{name}"))
            good = {0, 128 + number, *((-number,) if name in ("KILL", "USR1") else ())}  # USR1: before Python had begun
            if name == "INT":
                good |= {-number}
            wrong = None if code in good and "Traceback" not in said else f"exit code {code}: {said[-300:]}"
            yield f"{name} with {' '.join(options) or 'all options'}", wrong
            if wrong:
                break
        else:
            yield f"bits after signals with {' '.join(options) or 'all options'}", difference(whole, run)


def mutated(place: Path, stride: int, seed: int) -> Wrong:
    """Run directories with something changed, through commands that look at them."""
    config, end = write_config(place), place / "end"
    with table.commands(place) as call:
        call(["train", str(config), *SHORT, "--out", str(end), "--progress", "off"], place, end)
        files = [path.relative_to(end) for path in sorted(end.rglob("*")) if path.is_file()]
        draw = random.Random(seed)
        for number in range(0, 1000, stride):
            run, file, line = place / "run", draw.choice(files), LOOKING[number // stride % len(LOOKING)]
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(end, run)
            data = (run / file).read_bytes()
            made = list(mutations(data, 1, draw.randrange(2**32)))
            (run / file).write_bytes(made[0])
            words = [word.replace("OUT", str(place / "out")) for word in line.split()]
            words = [
                word.replace("R/", f"{run}/") if word.startswith("R/") else str(run) if word == "R" else word
                for word in words
            ]
            done = call(words, place, run)
            largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
            wrong = table.complaint(done) or (f"{largest} KiB" if largest > 1 << 20 else None)
            yield f"{line} of {file}, mutation {number}", wrong


def main() -> int:
    """All that is asked for, or everything."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("kinds", nargs="*", help="reads, writes, signals, mutations")
    asked.add_argument("--stride", type=int, default=1, help="take every Nth")
    asked.add_argument("--seed", type=int, default=0)
    told = asked.parse_args()
    failed = 0
    kinds = {
        "reads": lambda place: reads(place, told.stride), "writes": lambda place: writes(place, told.stride),
        "signals": lambda place: signals(place, told.stride, told.seed),
        "mutations": lambda place: mutated(place, told.stride, told.seed),
    }  # fmt: skip
    for kind in told.kinds or kinds:
        count = bad = 0
        with tempfile.TemporaryDirectory() as place:
            for what, wrong in kinds[kind](Path(place)):
                count += 1
                if wrong:
                    bad += 1
                    print(f"{kind}: {what}: {wrong}", flush=True)
        print(f"{kind}: {count} faults, {bad} with an outcome that should not be", flush=True)
        failed += bad
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
