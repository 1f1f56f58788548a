"""A full disk under stdout, and a reader that has gone: every command says that it could not show what it found."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.faults.crowds import ENVIRONMENT, PYTHON
from tests.faults.outcome import Found, exit_code
from tests.faults.table import Commands
from tests.train.small import difference, write_config

COMMANDS = {
    "train": "train C --out OUT", "train --progress json": "train C --out OUT --progress json",
    "train --resume": "train --resume T train.epochs=4", "eval": "eval R", "eval --json": "eval R --json",
    "predict": "predict R N", "predict --json": "predict R N --json", "export": "export R -o OUT.npz",
    "import": "import R/model.safetensors --config R/config.yaml --out OUT", "inspect-params": "inspect-params R",
    "inspect-params --json": "inspect-params R --json", "trace-grad": "trace-grad R",
    "trace-grad --at": "trace-grad R --at 3", "step --at": "step R --at 3",
    "inspect-params --at": "inspect-params R --at 3", "inspect-params --curvature": "inspect-params R --curvature",
    "why": "why R fc1.weight[1,2]", "why --json": "why R fc1.weight[1,2] --json", "watch": "watch R",
    "why --html": "why R fc1.weight[1,2] --html OUT.html", "whatif": "whatif R --without 1 --controls 1",
    "landscape": "landscape R --steps 3", "landscape --html": "landscape R --steps 3 --html OUT.html",
    "data suspects": "data suspects R", "export c": "export R -o OUT.c",
    "inspect-params --inside": "inspect-params R --inside",
    "watch --html": "watch R --html OUT.html", "gradcheck": "gradcheck C",
    "step": "step R", "lab": "lab lr-too-high C", "find-lr": "find-lr C", "time": "time C", "diff": "diff R C",
    "plot": "plot R -o OUT.svg",
    "report": "report R -o OUT.html", "report --json": "report R --json", "runs": "runs R",
    "runs --json": "runs R --json", "runs --csv": "runs R --csv",
    "sweep": "sweep C seed=[1,2] train.epochs=1 --out OUT", "validate": "validate C", "show": "show C",
    "schema": "schema",
    "doctor": "doctor", "init": "init OUT.yaml", "layers": "layers", "layers NAME": "layers Conv2d",
    "describe": "describe Conv2d", "data list": "data list", "data check": "data check C",
    "data show": "data show C --png OUT.png", "verify-resume": "verify-resume C train.epochs=1", "--help": "--help",
    "--version": "--version", "train --help": "train --help",
}  # fmt: skip
TRAINING = ("train", "train --progress json", "train --resume")


def full(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Each command with its output to /dev/full, and into a pipe that nobody reads any more."""
    config, run = write_config(place), place / "run"
    for out, epochs in ((run, 3), (place / "T", 3), (place / "whole", 4)):
        words = ["train", str(config), f"train.epochs={epochs}", "--out", str(out), "--progress", "off"]
        assert call(words, place, place)["code"] == 0
    np.save(place / "N.npy", np.zeros((4, 2, 2), np.uint8))
    names = {"C": str(config), "R": str(run), "N": str(place / "N.npy")}
    for command, line in list(COMMANDS.items())[::stride]:
        for fault in ("stdout on a full disk", "stdout that nobody reads"):
            at = place / fault.replace(" ", "-")
            at.mkdir(exist_ok=True)
            names["T"] = str(place / "T") if "full" in fault else str(run)
            words = [
                names.get(word, word.replace("R/", f"{run}/").replace("OUT", str(at / "out"))) for word in line.split()
            ]
            yield _shown(command, words, fault, at, place)
            for left in at.glob("out*"):
                subprocess.run(["rm", "-rf", str(left)], check=True)


def _shown(command: str, words: list[str], fault: str, at: Path, place: Path) -> Found:
    full = "full" in fault
    line = '"$@" > /dev/full' if full else '"$@" | :; exit ${PIPESTATUS[0]}'
    shell = ["bash", "-c", line, "bash", *PYTHON, *words]
    done = subprocess.run(shell, cwd=place, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    wrong = None
    if done.returncode == 2:
        wrong = f"exit code 2: {done.stderr[-300:]}"
    if full and done.returncode == 0:
        wrong = "exit code 0, though nothing could be shown"
    if full and not done.stderr.strip():
        wrong = wrong or "nothing said"
    if not full and command in TRAINING and done.returncode:
        wrong = f"exit code {done.returncode}: {done.stderr[-200:]}"
    if "Traceback" in done.stderr or "Exception ignored" in done.stderr:
        wrong = f"traceback: {done.stderr[-300:]}"
    if command in TRAINING and wrong is None:
        run = at / "out" if command != "train --resume" else Path(words[2])
        whole = place / ("whole" if command == "train --resume" else "run")
        wrong = difference(whole, run)
    return Found(fault, command, exit_code(done.returncode), wrong)
