"""Every command into every kind of stream. `python -m tests.cli.streams --write` writes the table of docs/terminals.md.

A stream is a pipe of an encoding at a width, as COLUMNS says; or one that was closed before the program began.
"""

from __future__ import annotations

import functools
import io
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from rich.cells import cell_len

from lenetcli.cli.app import main
from lenetcli.cli.resume_check import check_resume
from lenetcli.display.characters import shown
from lenetcli.display.png import png
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "terminals.md"
ENCODINGS = ("cp1252", "cp437", "ascii", "utf-8")
WIDTHS = (60, 80, 200)
CLASSES = ("café", "猫", "βγ")  # of which cp1252 has one, cp437 all but one, ASCII none
RUN = "läufe/猫"
CONFIG = """\
version: 1
name: letters
model:
  input: [1, 8, 8]
  layers:
    - {type: Conv2d, out_channels: 2, kernel_size: 3}
    - {type: ReLU}
    - {type: Flatten}
    - {type: Linear, name: fc, out_features: 3}
data: {type: ImageFolder, root: bilder-猫, channels: 1}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.05, momentum: 0.9}
train: {epochs: 2, batch_size: 8}
"""

# a line of the table -> what is typed; {new} is a name that nothing has
COMMANDS = {
    "train": "train größe.yaml --out {new}",
    "train --resume": "train --resume {copy} train.epochs=3",
    "train --progress json": "train größe.yaml --out {new} --progress json",
    "eval": f"eval {RUN}",
    "eval --json": f"eval {RUN} --json",
    "predict": f"predict {RUN} bilder-猫/test",
    "predict --json": f"predict {RUN} bilder-猫/test --json",
    "predict --csv": f"predict {RUN} bilder-猫/test --csv",
    "export": f"export {RUN} --format npz -o {{new}}.npz",
    "export python": f"export {RUN} --format python -o {{new}}.py",
    "import": f"import {RUN}/model.safetensors --config größe.yaml --out {{new}}",
    "inspect-params": f"inspect-params {RUN}",
    "inspect-params --values": f"inspect-params {RUN} --values",
    "inspect-params --tree": f"inspect-params {RUN} --tree",
    "inspect-params --summary": f"inspect-params {RUN} --summary",
    "inspect-params --histogram": f"inspect-params {RUN} --histogram",
    "inspect-params --filters": f"inspect-params {RUN} --filters",
    "inspect-params --diff": f"inspect-params {RUN} --diff größe.yaml",
    "inspect-params --updates": f"inspect-params {RUN} --updates",
    "inspect-params --gradients": f"inspect-params {RUN} --gradients",
    "trace-grad": "trace-grad größe.yaml",
    "trace-grad --check": f"trace-grad {RUN} --check --depth 1",
    "trace-grad --html": "trace-grad größe.yaml --html {new}.html --steps 1",
    "gradcheck": "gradcheck größe.yaml",
    "step": "step größe.yaml --script",
    "step --at": f"step {RUN} --at 2 --script",
    "why": f"why {RUN} fc.bias[0]",
    "why --html": f"why {RUN} fc.bias[0] --html {{new}}.html",
    "whatif": f"whatif {RUN} --without 3",
    "landscape": f"landscape {RUN} --steps 3 --samples 8",
    "landscape --html": f"landscape {RUN} --steps 3 --samples 8 --html {{new}}.html",
    "lab": "lab",
    "lab LESSON": "lab lr-too-high größe.yaml",
    "find-lr": "find-lr größe.yaml --steps 12",
    "time": "time größe.yaml",
    "diff": f"diff {RUN} größe.yaml",
    "diff of runs": f"diff {RUN} läufe/zwei",
    "plot": f"plot {RUN} läufe/zwei",
    "plot --out": f"plot {RUN} -o {{new}}.svg",
    "watch": f"watch {RUN}",
    "watch of several": f"watch {RUN} läufe/zwei",
    "watch --html": f"watch {RUN} --html {{new}}.html",
    "report": f"report {RUN} -o {{new}}.html",
    "runs": "runs läufe",
    "sweep": "sweep größe.yaml optimizer.lr=[0.1,0.01] train.epochs=1 --out {new}",
    "validate": "validate größe.yaml",
    "show": "show größe.yaml",
    "schema": "schema",
    "doctor": "doctor",
    "init": "init {new}.yaml",
    "layers": "layers",
    "describe": "describe BatchNorm2d",
    "data list": "data list",
    "data check": "data check größe.yaml",
    "data show": "data show größe.yaml --count 3",
    "data suspects": f"data suspects {RUN} --count 3",
    "data suspects --csv": f"data suspects {RUN} --csv {{new}}.csv",
    "verify-resume": "verify-resume größe.yaml --kills 1",
    "--help": "--help",
    "train --help": "train --help",
    "a wrong option": "train --größe-猫 größe.yaml",
    "a wrong key": "train größe.yaml train.größe-猫=3",
    "a missing file": "train fehlt-猫.yaml",
}
FAILING = {"a wrong option": 2, "a wrong key": 2, "a missing file": 2}
SLOW = {
    "verify-resume",
    "sweep",
    "report",
    "watch --html",
    "plot --out",
    "layers",
    "describe",
    "time",
    "schema",
}  # these at one width


def prepare(place: Path) -> None:
    """Pictures, a configuration and two runs, called so that no old encoding has all of their names."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 2)):
        for i, name in enumerate(CLASSES):
            folder = place / "bilder-猫" / split / name
            folder.mkdir(parents=True)
            for k in range(count):
                pixels = rng.integers(0, 90, (8, 8)) + 80 * i
                picture = np.repeat(pixels[:, :, None], 3, 2).astype(np.uint8)
                (folder / f"bild-猫-{k}.png").write_bytes(png(picture))
    (place / "größe.yaml").write_text(CONFIG, "utf-8")
    for run, more in ((RUN, []), ("läufe/zwei", ["optimizer.lr=0.01"])):
        code, out = into("utf-8", 80, ["train", "größe.yaml", "--out", run, *more])
        assert code == 0, out


def into(encoding: str | None, width: int, words: list[str]) -> tuple[int, str]:
    """Exit code and all output of a command line, into pipes of an encoding; None: stdout is closed."""
    raw = io.BytesIO()
    out = None if encoding is None else io.TextIOWrapper(raw, encoding, write_through=True)
    err = io.TextIOWrapper(raw, encoding or "utf-8", errors="backslashreplace", write_through=True)
    before = sys.argv, sys.stdout, sys.stderr, os.environ.get("COLUMNS")
    sys.argv, sys.stdout, sys.stderr = ["lenet", *words], out, err  # type: ignore[assignment]  # None, as Python has it
    os.environ["COLUMNS"] = str(width)
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()
            if encoding is None:
                sys.stdout.close()
        sys.argv, sys.stdout, sys.stderr = before[:3]
        os.environ.pop("COLUMNS")
        if before[3] is not None:
            os.environ["COLUMNS"] = before[3]
    return code, raw.getvalue().decode(encoding or "utf-8")


_numbers = itertools.count()


def words_of(line: str, place: Path) -> list[str]:
    """What is typed for a line of the table."""
    number = next(_numbers)
    if "{copy}" in line:
        shutil.copytree(place / RUN, place / f"copy-{number}")
    return line.format(new=f"new-{number}", copy=f"copy-{number}").split()


def faults(name: str, encoding: str | None, width: int, place: Path) -> list[str]:
    """What is wrong with a command's output in a stream; nothing where it is as it should be."""
    code, out = into(encoding, width, words_of(COMMANDS[name], place))
    found = []
    if code != FAILING.get(name, 0):
        found.append(f"exit {code}: {out[-300:]}")
    found += [word for word in ("UnicodeEncodeError", "AttributeError", "Traceback") if word in out]
    if encoding is not None and not out.strip():
        found.append("nothing")
    if encoding is not None and name in DRAWN:
        found += [f"wider than {width}: {line}" for line in out.splitlines() if cell_len(line) > width]
    whole = WHOLE.get(name, "") if encoding is not None else ""
    if shown(whole, encoding or "utf-8") not in out:
        found.append(f"lacks {whole!r}")
    return found


DRAWN = {
    "eval", "predict", "inspect-params", "inspect-params --tree", "inspect-params --summary", "trace-grad", "gradcheck",
    "inspect-params --histogram", "inspect-params --diff", "inspect-params --updates", "inspect-params --gradients",
    "find-lr", "time", "lab", "runs", "watch", "watch of several", "layers", "doctor", "data list", "data show",
    "verify-resume",
}  # fmt: skip
WHOLE = {  # what the end of the output has
    "eval": "猫", "predict": "café", "inspect-params": "tensors,", "trace-grad": "after backward", "step": "update",
    "find-lr": "suggestion", "time": "The loader takes", "runs": "2 runs", "layers": "source", "train": "run directory",
    "show": "train:", "data check": "ok, 24 to train", "plot": "zwei", "data show": "caf",
    "watch": "confusion of test", "watch of several": "zwei",
    "a missing file": "fehlt-猫.yaml", "a wrong key": "größe-猫", "predict --csv": "bild-猫-0.png",
}  # fmt: skip


def streams(name: str, all_widths: bool) -> Iterator[tuple[str | None, int]]:
    """The streams that a command is tried in: every encoding, and unless at all, every width with one of them.

    Which width goes with which encoding differs from one command to the next, so that all pairs are tried.
    """
    turn = list(COMMANDS).index(name)
    for number, encoding in enumerate(ENCODINGS):
        if name in SLOW:
            yield encoding, WIDTHS[0]
        elif all_widths:
            yield from ((encoding, width) for width in WIDTHS)
        else:
            yield encoding, WIDTHS[(turn + number) % len(WIDTHS)]
    yield None, 80


def row(name: str, place: Path, all_widths: bool = True) -> str:
    """The command's line of the table; the working directory is the place."""
    cells: dict[str, list[str]] = {}
    verdict = functools.cache(lambda: check_resume("größe.yaml", [], kills=1, seed=0))  # which starts three processes
    with mock.patch("lenetcli.cli.resume_check.check_resume", side_effect=lambda *_: verdict()):
        for encoding, width in streams(name, all_widths):
            cells.setdefault(encoding or "closed", []).extend(faults(name, encoding, width, place))
    return f"| `{name}` | {' | '.join('; '.join(found) or 'ok' for found in cells.values())} |"


def table(rows: Iterable[str]) -> str:
    """The whole table."""
    heads = [f"| command | {' | '.join([*ENCODINGS, 'closed'])} |", "|---" * (len(ENCODINGS) + 2) + "|"]
    return "\n".join([*heads, *rows]) + "\n"


def written() -> str:
    """The table that the page has."""
    return "".join(line for line in PAGE.read_text("utf-8").splitlines(keepends=True) if line.startswith("|"))


if __name__ == "__main__":
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        prepare(Path(directory))
        found = table(row(each, Path(directory)) for each in COMMANDS)
        os.chdir(home)
    if "--write" in sys.argv:
        PAGE.write_text(PAGE.read_text("utf-8").replace(written(), found), "utf-8")
    else:
        print(found)
