"""Many processes at once: runs that begin together, rivals for one directory, sweeps whose workers die; long runs."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT
from tests.faults.outcome import Found, exit_code
from tests.faults.table import Commands
from tests.train.small import difference, write_config

PYTHON = [sys.executable, "-m", "lenetcli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "LENET_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RUNS, ROUNDS, RIVALS, TRIALS, KILLS, STOPS, EPOCHS = 30, 3, 6, 16, 50, 5, 10_000
LOOK = 0.02
GROWN = 4.0  # MiB that ten thousand epochs may take more than a hundred


def started(words: list[str], place: Path) -> subprocess.Popen[str]:
    """A command of its own."""
    return subprocess.Popen(
        [*PYTHON, *words], cwd=place, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def together(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Runs that begin at the same time, and rivals for the same directory."""
    config, whole = write_config(place), place / "whole"
    call(["train", str(config), "--out", str(whole), "--progress", "off"], place, place)
    processes = [started(["train", str(config), "--progress", "off"], place) for _ in range(RUNS // stride)]
    ended = [(process.communicate()[1], process.returncode) for process in processes]
    found = sorted(path for path in (place / "runs" / "small").iterdir() if path.name[0] != ".")
    wrong = None if len(found) == len(ended) else f"{len(found)} directories: {[path.name for path in found]}"
    for (said, code), run in zip(ended, found):
        bad = wrong or (f"exit code {code}: {said[-200:]}" if code else difference(whole, run))
        yield Found(f"{len(ended)} at once", "train", f"{exit_code(code)}, a directory of its own", bad)
    for number in range(max(1, ROUNDS // stride)):
        yield _rivals(
            ["train", str(config), "--out", str(place / f"out{number}")], place / f"out{number}", "--out", place
        )
        run = place / f"resumed{number}"
        shutil.copytree(whole, run)
        yield _rivals(["train", "--resume", str(run)], run, "--resume", place)


def _rivals(words: list[str], run: Path, what: str, place: Path) -> Found:
    """Several processes that want one directory: one trains, until it is told to end."""
    rivals = [started([*words, "train.epochs=100000", "--progress", "off"], place) for _ in range(RIVALS)]
    end = time.monotonic() + 120
    while sum(rival.poll() is None for rival in rivals) > 1 and time.monotonic() < end:
        time.sleep(LOOK)
    left = [rival for rival in rivals if rival.poll() is None]
    until = time.monotonic() + 60
    while left and not (run / "checkpoints" / "latest").exists() and time.monotonic() < until:
        time.sleep(LOOK)
    for rival in left:
        rival.send_signal(signal.SIGTERM)
    said = [rival.communicate()[1] for rival in rivals]
    codes = sorted(rival.returncode for rival in rivals)
    wrong = None if codes == [2] * (RIVALS - 1) + [143] else f"exit codes {codes}: {said}"
    words = [text for text, rival in zip(said, rivals) if rival.returncode == 2]
    clear = all("another training is running there" in text or "not an empty directory" in text for text in words)
    return Found(
        f"{RIVALS} with the same {what}",
        "train",
        "one trains, the others exit 2",
        wrong or (None if clear else str(words)),
    )


def sweeps(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """A sweep by three workers, of which many are killed and some stopped for a while."""
    config, draw, sweep = write_config(place), random.Random(seed), place / "sweep"
    words = ["sweep", str(config), "optimizer.lr=log(1e-4, 1e-1)", "--random", str(TRIALS), "train.epochs=40"]
    words += ["--out", str(sweep), "--progress", "off"]
    workers = [started(words, place) for _ in range(3)]
    faults = [signal.SIGKILL] * (KILLS // stride) + [signal.SIGSTOP] * max(1, STOPS // stride)
    draw.shuffle(faults)
    sent, codes, said = [], list[int](), ""
    while any(worker.poll() is None for worker in workers):
        time.sleep(draw.uniform(0.2, 1.6))
        number = draw.randrange(3)
        worker = workers[number]
        if worker.poll() is not None or not faults:
            if not faults:
                break
            continue
        fault = faults.pop()
        worker.send_signal(fault)
        sent.append(fault)
        if fault == signal.SIGSTOP:
            time.sleep(1)
            worker.send_signal(signal.SIGCONT)
        else:
            worker.communicate()
            workers[number] = started(words, place)
    for worker in workers:
        said += worker.communicate()[1]
        codes.append(worker.returncode)
    once = 0
    for number in range(1, TRIALS + 1):
        lines = (sweep / f"{number:04d}" / "metrics.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        steps = [event["step"] for event in events if event["event"] == "step"]
        ends = [event["reason"] for event in events if event["event"] == "ended"]
        once += steps == list(range(1, 161)) and ends == ["finished"]
    wrong = None if once == TRIALS and not any(codes) else f"{once} of {TRIALS} once, exit codes {codes}: {said[-300:]}"
    kills, outcome = sent.count(signal.SIGKILL), f"{once} of {TRIALS} trials once each"
    yield Found(f"{kills} SIGKILL and {len(sent) - kills} SIGSTOP", "sweep, 3 workers", outcome, wrong)


def long(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Ten thousand epochs take no more memory than a hundred."""
    config, largest = write_config(place), list[dict[str, float]]()
    for epochs in (100, EPOCHS // stride):
        words = ["train", str(config), f"train.epochs={epochs}", "train.batch_size=14", "--progress", "off"]
        process = started([*words, "--out", str(place / f"long{epochs}")], place)
        largest.append(_memory(process))
        said = process.communicate()[1]
        assert process.returncode == 0, said
    a, b = largest
    wrong = None if b["VmHWM"] < a["VmHWM"] + GROWN else f"{a['VmHWM']:.1f} MiB with 100 epochs"
    parts = f"{b['RssAnon']:.1f} its own, {b['RssFile']:.1f} of files that others may share"
    outcome = f"exit 0, {b['VmHWM']:.1f} MiB at most ({parts}); with 100 epochs {a['VmHWM']:.1f}"
    yield Found(f"{EPOCHS // stride:,} epochs", "train", outcome, wrong)


def _memory(process: subprocess.Popen[str]) -> dict[str, float]:
    """MiB of memory that a process took, as Linux had it last: what it says of an ended one (ru_maxrss) begins with
    that of the process that started it."""
    found = dict[str, float]()
    while process.poll() is None:
        with suppress(OSError):
            text = Path(f"/proc/{process.pid}/status").read_text()
            lines = re.findall(r"^(VmHWM|Rss\w+):\s+(\d+)", text, re.M)  # none of one that is just ending
            found = {name: int(kib) / 1024 for name, kib in lines} or found
        time.sleep(LOOK)
    return found
