"""Signals at random moments: what was trained is saved and goes on to the same bits, what was written is whole."""

from __future__ import annotations

import json
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.moments import END, EVALUATION, OVER, PHASES, SAVING, START, STEP
from tests.faults.outcome import GOES_ON, Found, exit_code
from tests.faults.table import Commands, content, unclear
from tests.train.small import difference

ENDING = ("TERM", "HUP", "USR2", "XCPU", "INT")
SINGLE = (*ENDING, "USR1", "STOP", "KILL")
SEVERAL = (
    ("TERM", "KILL"), ("XCPU", "KILL"), ("HUP", "HUP"), ("INT", "INT"), ("TERM", "TERM"), ("USR1", "TERM"),
    ("STOP", "HUP"), ("USR1", "USR1", "USR1", "KILL"),
)  # fmt: skip
AFTER = {START: (0.002, 0.15), STEP: (0, 0.012), EVALUATION: (0, 0.03), SAVING: (0, 0.003), END: (0, 0.03)}  # seconds
CONFIG = """
model:
  input: [1, 4, 4]
  layers:
    - {type: Conv2d, out_channels: 3, kernel_size: 3, padding: 1}
    - {type: BatchNorm2d}
    - {type: ReLU}
    - {type: Dropout, p: 0.3}
    - {type: Flatten}
    - {type: Linear, out_features: 3}
data: {type: Random, shape: [1, 4, 4], classes: 3, train: 41, test: 60}
loss: {type: CrossEntropyLoss}
optimizer: {type: Adam, lr: 0.01}
scheduler: {type: ReduceLROnPlateau, patience: 0}
train: {epochs: 3, batch_size: 4, keep_checkpoints: 2, eval_batch_size: 1}
"""
OPTIONS = (  # words of the command line
    "", "train.ema=0.9", "train.accumulate=3", "train.validation=0.3", "train.warmup=7", "train.clip_grad_norm=0.1",
    "train.clip_grad_value=0.01", "train.early_stopping={patience: 2}", "train.early_stopping={patience: 1}",
    "train.max_time=1h", "train.log_gradients=1", "train.log_gradients=null", "train.keep_checkpoints=1",
    "train.shuffle=false", "train.drop_last=true", "train.class_weights=balanced", "train.limit_batches=6",
    "train.limit_batches={eval: 9}", "scheduler={type: OneCycleLR, max_lr: 0.1, total_steps: 33}", "scheduler=null",
    "scheduler={type: StepLR, step_size: 1}", "optimizer={type: SGD, lr: 0.1, momentum: 0.9, nesterov: true}",
    "optimizer={type: Rprop, lr: 0.01}", "optimizer={type: RMSprop, lr: 0.01, centered: true}",
    "optimizer={type: AdamW, lr: 0.01, amsgrad: true}", "loss={type: MultiMarginLoss}", "train.batch_size=1",
    "train.batch_size=64", "train.eval_batch_size=7", "--progress json", "--progress plain", "--progress bar",
    "train.ema=0.99 train.accumulate=2 train.validation=0.2 train.warmup=3 train.keep_checkpoints=1",
    "seed=7 train.epochs=1",
)  # fmt: skip
OTHERS = {  # commands that train nothing of their own, or only for a look
    "eval": "eval R", "inspect-params": "inspect-params R --values", "trace-grad": "trace-grad R --html OUT",
    "report": "report R -o OUT", "plot": "plot R -o OUT.svg", "export npz": "export R --format npz -o OUT",
    "export onnx": "export R --format onnx -o OUT", "diff": "diff R R", "runs": "runs R", "step": "step R",
    "gradcheck": "gradcheck C", "time": "time C", "find-lr": "find-lr C", "lab": "lab C", "validate": "validate C",
    "verify-resume": "verify-resume C",
}  # fmt: skip


def trainings(place: Path, call: Commands, seed: int, stride: int = 1) -> Iterator[Found]:
    """Each signal, and several in a row, for each set of options."""
    config, draw = place / "signals.yaml", random.Random(seed)
    config.write_text(CONFIG)
    for options in OPTIONS[::stride]:
        words = _words(options)
        whole = place / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        done = call(["train", str(config), *words, "--out", str(whole)], place, place)
        assert done["code"] == 0, done["err"]
        wishes: list[tuple[str, ...]] = [(name,) for name in SINGLE]
        wishes += draw.sample(SEVERAL, 4)
        draw.shuffle(wishes)
        yield from _train(config, words, whole, wishes, draw, place, call)


def _words(options: str) -> list[str]:
    """The command's words: a change may have blanks."""
    words: list[str] = []
    for word in options.split():
        if words and (words[-1].count("{") > words[-1].count("}") or words[-1] == "--progress"):
            words[-1] += f" {word}"
        else:
            words.append(word)
    words = [part for word in words for part in (word.split() if word.startswith("--") else [word])]
    return words if "--progress" in words else [*words, "--progress", "off"]


def _train(
    config: Path, words: list[str], whole: Path, wishes: list[tuple[str, ...]], draw: random.Random, place: Path,
    call: Commands,
) -> Iterator[Found]:  # fmt: skip
    """A training that gets the signals, one process after the other, until there are none left."""
    run, sent = place / "run", list[Found]()
    shutil.rmtree(run, ignore_errors=True)
    shown = words[words.index("--progress") :][:2]
    for names in [*wishes, (), ()]:
        begun = (run / "config.yaml").exists()
        argv = ["train", "--resume", str(run), *shown] if begun else ["train", str(config), *words, "--out", str(run)]
        phase = draw.choice((START, STEP, STEP, EVALUATION, EVALUATION, SAVING, SAVING, SAVING, END))
        nth = draw.randint(1, 2) if phase not in (START, END) else 1
        signals = [
            {"signal": name, "phase": phase, "nth": nth, "after": draw.uniform(*AFTER[phase]) / (1 + 3 * number)}
            for number, name in enumerate(names)
        ]
        steps = _steps(run)
        done = call(argv, place, run, signals=signals)
        came = [(name, phase) for name, phase in zip(names, done["phases"]) if phase is not None]
        if came:
            wrong = _judged(done, came, shown[1] in ("plain", "bar"))
            if done["code"] >= 0 and not _at_once(came) and _steps(run) != steps:  # it has made some
                wrong = wrong or _unsaved(run)
            sent.append(
                Found(
                    "+".join(name for name, _ in came), "train --resume" if begun else "train", exit_code(done["code"]),
                    wrong and f"{' '.join(words)}: {wrong}", came[0][1], " ".join(words),
                )
            )  # fmt: skip
        elif done["code"]:
            sent.append(Found("no signal", "train", exit_code(done["code"]), done["err"][-300:]))
        if done["code"] == 0 or (sent and sent[-1].wrong):
            end = difference(whole, run) or _left(run) if done["code"] == 0 else "not gone on with"
            yield from _concluded(sent, end)
            sent = []
            shutil.rmtree(run, ignore_errors=True)
    assert not sent, "the last processes come to the end"


def _concluded(sent: list[Found], end: str | None) -> Iterator[Found]:
    """The signals of a run, once it is known how it ended."""
    for found in sent:
        outcome = f"{found.outcome}, {GOES_ON}" if end is None else found.outcome
        wrong = found.wrong or (end and f"{found.detail}: at the end: {end}")
        yield Found(found.fault, found.command, outcome, wrong, found.moment, found.detail)


def _judged(done: dict[str, Any], came: list[tuple[str, str]], loud: bool) -> str | None:
    """What is wrong with how a training took its signals."""
    names, phase = [name for name, _ in came], came[-1][1]
    ending = [name for name in names if name in ENDING]
    good = {128 + getattr(signal, f"SIG{name}") for name in ending[:2]}
    if "KILL" in names:
        good.add(-signal.SIGKILL)
    if not good or phase in (PHASES[END], PHASES[OVER]):
        good.add(0)
    if done["code"] not in good:
        return f"{names} in {phase}: exit code {done['code']}, wanted {good}: {done['err'][-300:]}"
    if done["code"] == -signal.SIGKILL:
        return None
    wrong = unclear(done)
    if wrong:
        return wrong
    lines = done["err"].strip().splitlines()
    if done["code"] and loud and not (lines or [""])[-1].startswith(("stopped by", "ended by", "interrupted")):
        return f"says {lines[-3:]}"
    return None


def _at_once(came: list[tuple[str, str]]) -> bool:
    """Whether a second signal asked for the end without a save."""
    return len([name for name, _ in came if name in ("INT", "TERM")]) > 1


def _unsaved(run: Path) -> str | None:
    """A step that metrics.jsonl knows of and no checkpoint has."""
    latest = run / "checkpoints" / "latest"
    last, saved = _steps(run), int(latest.read_text()) if latest.exists() else 0
    return f"step {last} is not saved, the newest checkpoint is {saved}" if saved < last else None


def _steps(run: Path) -> int:
    """The last step that metrics.jsonl knows of."""
    try:
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    except (OSError, ValueError):  # a kill may tear the last line
        return 0
    return max((line["step"] for line in lines if line["event"] == "step"), default=0)


def _left(run: Path) -> str | None:
    """What a run that has ended should not hold."""
    names = [str(path.relative_to(run)) for path in run.rglob("*")]
    left = [name for name in names if "/." in f"/{name}" or name == "lock" or name.endswith((".damaged", ".old"))]
    return f"left: {left}" if left else None


def others(place: Path, call: Commands, seed: int, stride: int = 1) -> Iterator[Found]:
    """Commands that are ended while they look or write: what was there before is there, whole."""
    config, run, draw = place / "signals.yaml", place / "looked", random.Random(seed)
    config.write_text(CONFIG)
    call(["train", str(config), "train.epochs=1", "--out", str(run), "--progress", "off"], place, place)
    before = content(run)
    for command, line in list(OTHERS.items())[::stride]:
        words = [{"R": str(run), "C": str(config)}.get(word, word) for word in line.split()]
        out = place / next((word for word in words if word.startswith("OUT")), "OUT")
        whole = call(words, place, place)
        assert whole["code"] in (0, 5), whole["err"]
        for name in (*ENDING, "KILL", "STOP", "USR1"):
            for _ in range(2):
                out.write_bytes(b"old")
                wish = {"signal": name, "phase": START, "nth": 1, "after": draw.uniform(0.002, whole["seconds"])}
                done = call(words, place, place, signals=[wish])
                if done["phases"] == [None]:
                    continue
                yield _looked(name, command, done, whole["code"], out, before, run, place)
                for left in place.glob("OUT*"):
                    left.unlink()


def _looked(
    name: str, command: str, done: dict[str, Any], usual: int, out: Path, before: dict[str, str], run: Path, place: Path
) -> Found:
    number = int(getattr(signal, f"SIG{name}"))
    good = {usual, 128 + number} if name in ENDING else {-number, usual} if name in ("KILL", "USR1") else {usual}
    wrong = None if done["code"] in good else f"exit code {done['code']}: {done['err'][-300:]}"
    if done["code"] >= 0:
        wrong = wrong or unclear(done)
        left = [path.name for path in place.glob(".*.tmp")]
        wrong = wrong or (f"left: {left}" if left else None)
    for path in place.glob(".*.tmp"):
        path.unlink()
    old = out.read_bytes() == b"old"
    wrong = wrong or (None if old or done["code"] in (usual, -9) else "its file is another, though it did not end")
    wrong = wrong or (None if content(run) == before else "the run was changed")
    return Found(f"SIG{name}", command, exit_code(done["code"]), wrong and f"{command}: {wrong}")
