"""Each part of a run directory is renamed, removed, emptied, replaced or linked at random moments of its training."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lenetcli.errors import LenetError
from tests.faults.moments import END, EVALUATION, OVER, PHASES, SAVING, STEP
from tests.faults.outcome import Found, exit_code
from tests.faults.signalled import AFTER, CONFIG
from tests.faults.table import Commands, complaint, content
from tests.train.small import difference

PARTS = (
    "lock", "config.yaml", "environment.json", "inputs.json", "metrics.jsonl", "model.safetensors", "code",
    "code/own.py", "checkpoints", "checkpoints/latest", "checkpoints/NEWEST", "checkpoints/NEWEST/state.json",
    "checkpoints/NEWEST/model.safetensors", "checkpoints/NEWEST/optimizer.safetensors", "tensorboard",
    "initial.safetensors",
)  # fmt: skip
HOWS = ("renamed", "removed", "emptied", "replaced", "linked")
OWN = """
from lenetcli import nn


class Same(nn.Module):
    def forward(self, x):
        return x
"""


def parts(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Every part in every way, and the directory itself."""
    draw = random.Random(seed)
    config, given = _prepared(place, call)
    whole = {kind: place / f"whole-{kind}" for kind in given}
    for kind, words in given.items():
        done = call(["train", *words(whole[kind]), "--progress", "off"], place, place)
        assert done["code"] == 0, done["err"]
    kinds = [(part, how) for part in PARTS for how in HOWS][seed % stride :: stride]
    for part, how in kinds:
        for phase in (STEP, EVALUATION, SAVING, END):
            kind = {"initial.safetensors": "imported", "tensorboard": "shown"}.get(part, "new")
            yield from _taken(part, how, phase, given[kind], whole[kind], draw, place, call)
    for how in ("renamed", "removed", "replaced", "linked", "another's", "above"):
        for phase in (STEP, EVALUATION, SAVING, END)[seed % stride :: stride]:
            for _ in range(2):
                yield from _directory(how, phase, config, whole["new"], draw, place, call)


def _prepared(place: Path, call: Commands) -> tuple[Path, dict[str, Any]]:
    """The configuration, and what makes a new run, and one of imported weights."""
    config = place / "moved.yaml"
    config.write_text(CONFIG.replace("    - {type: Flatten}", "    - {type: 'own.py:Same'}\n    - {type: Flatten}"))
    (place / "own.py").write_text(OWN)
    first = place / "first"
    done = call(["train", str(config), "train.epochs=1", "--out", str(first), "--progress", "off"], place, place)
    assert done["code"] == 0, done["err"]

    def imported(run: Path) -> list[str]:
        words = ["import", str(first / "model.safetensors"), "--config", str(config), "--out", str(run)]
        done = call(words, place, place)
        assert done["code"] == 0, done["err"]
        return ["--resume", str(run)]

    def new(run: Path) -> list[str]:
        return [str(config), "--out", str(run)]

    return config, {"new": new, "imported": imported, "shown": lambda run: [*new(run), "--tensorboard"]}


def _wish(phase: int, path: Path, how: str, draw: random.Random) -> dict[str, Any]:
    nth = 1 if phase == END else draw.randint(2, 3)
    return {"take": str(path), "how": how, "phase": phase, "nth": nth, "after": draw.uniform(*AFTER[phase])}


def _taken(
    part: str, how: str, phase: int, words: Any, whole: Path, draw: random.Random, place: Path, call: Commands
) -> Iterator[Found]:
    """One part of a run; what is there at the end, and whether it can go on."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    newest = "000022" if phase == END else "000011"
    wish = _wish(phase, run / part.replace("NEWEST", newest), how, draw)
    done = call(["train", *words(run), "--progress", "off"], place, run, signals=[wish])
    if done["phases"] == [None]:
        return
    came, wrong = exit_code(done["code"]), complaint(done)
    if done["code"] not in (0, 1):
        wrong = wrong or f"exit code {done['code']}: {done['err'][-300:]}"
    late = phase == END or done["phases"][0] in (PHASES[END], PHASES[OVER])  # which a busy machine may have come to
    if late and done["code"] == 0 and wrong is None and not _is_whole(run / part):
        came += ", all was over"
    elif done["code"] == 0 and wrong is None:
        wrong = _difference(whole, run)
        if part == "metrics.jsonl" and how == "emptied" and wrong == "metrics.jsonl":
            wrong, came = None, f"{came}, what was in it is lost"
        else:
            came += ", the same bits"
        missing = [name for name in ("config.yaml", "metrics.jsonl", "model.safetensors") if not (run / name).is_file()]
        wrong = wrong or (f"missing: {missing}" if missing else None)
        wrong = wrong or ("a lock is left" if (run / "lock").is_file() else None)
        again = call(["train", "--resume", str(run), "train.epochs=4", "--progress", "off"], place, run)
        wrong = wrong or (f"does not go on: {again['err'][-300:]}" if again["code"] else complaint(again))
        again = call(["eval", str(run), "--json"], place, run)
        wrong = wrong or (f"eval: {again['err'][-300:]}" if again["code"] else None)
    elif wrong is None:
        came += f": {_kind(done['err'])}"
    yield Found(f"{part} {how}", "train", came, wrong, done["phases"][0] or "", f"{phase}")


def _difference(whole: Path, run: Path) -> str | None:
    try:
        return difference(whole, run)
    except (OSError, ValueError, KeyError, LenetError) as error:
        return f"cannot be compared: {error}"


def _is_whole(path: Path) -> bool:
    """Whether what was taken is there again: the training was not over."""
    away = path.with_name(f"{path.name}-away")
    if not path.exists() or (away.exists() and path.is_dir() != away.is_dir()):
        return False
    return any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0


def _kind(err: str) -> str:
    """What an error says, in short."""
    line = err.strip().splitlines()[-1]
    for words in ("nothing more is written", "cannot save checkpoint", "cannot write", "refused", "cannot be read"):
        if words in line:
            return words
    return line[:100]


def _directory(
    how: str, phase: int, config: Path, whole: Path, draw: random.Random, place: Path, call: Commands
) -> Iterator[Found]:
    """The directory of a run."""
    above = place / "above"
    shutil.rmtree(above, ignore_errors=True)
    shutil.rmtree(place / "above-away", ignore_errors=True)
    above.mkdir()
    run = above / "run"
    taken = above if how == "above" else run
    wish = _wish(phase, taken, {"another's": "renamed", "above": "renamed"}.get(how, how), draw)
    if how == "another's":
        wish["other"] = str(whole)
    words = ["train", str(config), "--out", str(run), "--progress", "off"]
    done = call(words, place, run, signals=[wish])
    if done["phases"] == [None]:
        return
    came, wrong = exit_code(done["code"]), complaint(done)
    now = place / "above-away" / "run" if how == "above" else above / "run-away"
    if how == "removed":
        over = done["code"] == 0 and done["phases"][0] == PHASES[OVER]
        wrong = wrong or (None if done["code"] == 1 or over else f"exit code {done['code']}")
        came += ", all was over" if over else ""
        wrong = wrong or (f"left: {list(above.iterdir())}" if list(above.iterdir()) else None)
        came += f": {_kind(done['err'])}" if done["code"] else ""
    elif done["code"] == 0:
        came += ", the same bits in its new place"
        wrong = wrong or _difference(whole, now) or ("a lock is left" if (now / "lock").exists() else None)
    else:
        came += f": {_kind(done['err'])}"
        wrong = wrong or (None if done["code"] == 1 else f"exit code {done['code']}: {done['err'][-300:]}")
    if how == "another's":
        wrong = wrong or ("the other run was changed" if content(run) != content(whole) else None)
    if how == "replaced":
        wrong = wrong or (None if run.read_bytes() == b"something else" else "what is there now was changed")
    yield Found(f"run directory {how}", "train", came, wrong, done["phases"][0] or "", str(phase))
