"""Commands, faults and what has to come of them: a call to the system fails at each place where one is made.

A read that fails is an error of its own: exit 1 or 3, one line, nothing on disk is changed, and what could be read is
not taken for damaged. A write that fails is exit 1; what was saved before is whole, and the run goes on from there to
the same bits.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

import lenetcli
from lenetcli.display.png import png
from tests.commands import run as run_command
from tests.conftest import ROOT
from tests.faults.outcome import GOES_ON, exit_code
from tests.train.small import CONFIG, difference

READS, WRITES = 1, 2
READING = {"EIO": errno.EIO, "EACCES": errno.EACCES, "ESTALE": errno.ESTALE}
WRITING = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}
SHORT = ("train.epochs=2", "train.batch_size=7", "train.keep_checkpoints=2", "train.ema=0.9")  # 2 epochs of 2 steps

ONE_AT_A_TIME = Lock()  # a command that runs in this process takes its stdout and its working directory
BROKEN = (70, 71, -6, -7, -8, -11)  # exit codes that no command has

READERS = {  # commands that read a run, R, its parts or the weights of others in it; they write nothing into it
    "eval": ["eval", "R"],
    "eval --json": ["eval", "R", "--json"],
    "inspect-params": ["inspect-params", "R"],
    "inspect-params --updates": ["inspect-params", "R", "--updates"],
    "trace-grad": ["trace-grad", "R", "--json"],
    "step": ["step", "R", "--json"],
    "inspect-params --curvature": ["inspect-params", "R", "--curvature"],
    "inspect-params --at": ["inspect-params", "R", "--at", "3", "--json"],
    "trace-grad --at": ["trace-grad", "R", "--at", "3", "--json"],
    "step --at": ["step", "R", "--at", "3", "--json"],
    "why": ["why", "R", "fc1.weight[1,2]", "--json"],
    "why --html": ["why", "R", "fc1.weight[1,2]", "--html", "OUT.html"],
    "whatif": ["whatif", "R", "--without", "1", "--controls", "1", "--json"],
    "data suspects": ["data", "suspects", "R", "--json"],
    "landscape": ["landscape", "R", "--steps", "3", "--html", "OUT.html"],
    "inspect-params --inside": ["inspect-params", "R", "--inside"],
    "export c": ["export", "R", "-o", "OUT.c"],
    "watch": ["watch", "R"],
    "watch --html": ["watch", "R", "--html", "OUT.html"],
    "report": ["report", "R", "-o", "OUT.html"],
    "plot": ["plot", "R", "-o", "OUT.png"],
    "diff": ["diff", "R", "R"],
    "export npz": ["export", "R", "-o", "OUT.npz"],
    "export huggingface": ["export", "R", "--format", "huggingface", "-o", "OUTDIR"],
    "runs": ["runs", "R"],
    "runs --csv": ["runs", "R", "--csv"],
    "runs --group": ["runs", "R", "--group", "seed"],
    "predict": ["predict", "R", "D/four.npy"],
    "validate": ["validate", "R/config.yaml"],
    "show": ["show", "R/config.yaml"],
    "data check": ["data", "check", "R/config.yaml"],
    "inspect-params FILE": ["inspect-params", "R/model.safetensors"],
    "import": ["import", "R/model.safetensors", "--config", "R/config.yaml", "--out", "OUTDIR"],
    "export onnx": ["export", "R", "--format", "onnx", "-o", "OUT"],
    "lab": ["lab", "lr-too-high", "R/config.yaml"],
    "gradcheck": ["gradcheck", "R/config.yaml"],
    "train CONFIG": ["train", "R/config.yaml", "--out", "OUTDIR", "--progress", "off"],
    "sweep": ["sweep", "R/config.yaml", "seed=[1,2]", "train.epochs=1", "--out", "OUTDIR", "--progress", "off"],
    "find-lr": ["find-lr", "R/config.yaml", "--steps", "3"],
    "time": ["time", "R/config.yaml", "--json"],
    "verify-resume": ["verify-resume", "R/config.yaml", "train.epochs=1"],
    "data show": ["data", "show", "R/config.yaml", "--png", "OUT"],
    "report of two": ["report", "R", "R", "-o", "OUT.html"],
    "diff FILE FILE": ["diff", "R/model.safetensors", "R/foreign/net.pth"],
    "diff RUN FILE": ["diff", "R", "R/foreign/net.npz"],
    "inspect-params FILE.pth": ["inspect-params", "R/foreign/net.pth"],
    "inspect-params FILE.onnx": ["inspect-params", "R/foreign/net.onnx", "--diff", "R/foreign/net.npz"],
    "import FILE.pth": ["import", "R/foreign/net.pth", "--config", "R/config.yaml", "--out", "OUTDIR"],
    "import FILE.npz": ["import", "R/foreign/net.npz", "--config", "R/config.yaml", "--out", "OUTDIR"],
    "import FILE.onnx": ["import", "R/foreign/net.onnx", "--out", "OUTDIR"],
    "import FILE.onnx --config": ["import", "R/foreign/net.onnx", "--config", "R/config.yaml", "--out", "OUTDIR"],
    "import FILE.keras": ["import", "R/foreign/lenet.keras", "--config", "R/foreign/keras.yaml", "--out", "OUTDIR"],
    "train model.init": ["train", "R/config.yaml", "model.init=R/foreign/net.pth", "--out", "OUTDIR"],
}  # fmt: skip
WRITERS = {  # commands that write beside a run
    "export npz": ["export", "R", "--format", "npz", "-o", "OUT"],
    "export onnx": ["export", "R", "--format", "onnx", "-o", "OUT"],
    "export huggingface": ["export", "R", "--format", "huggingface", "-o", "OUTDIR"],
    "report": ["report", "R", "-o", "OUT"],
    "plot": ["plot", "R", "-o", "OUT.svg"],
    "trace-grad": ["trace-grad", "R", "--html", "OUT"],
    "trace-grad --at": ["trace-grad", "R", "--at", "3", "--svg", "OUT"],
    "watch --html": ["watch", "R", "--html", "OUT"],
    "import": ["import", "R/model.safetensors", "--config", "R/config.yaml", "--out", "OUTDIR"],
    "import FILE.onnx": ["import", "R/foreign/net.onnx", "--out", "OUTDIR"],
    "export python": ["export", "R", "--format", "python", "-o", "OUT"],
    "export c": ["export", "R", "-o", "OUT.c"],
    "why --html": ["why", "R", "fc1.weight[1,2]", "--html", "OUT"],
    "landscape": ["landscape", "R", "--steps", "3", "--html", "OUT"],
    "data suspects --csv": ["data", "suspects", "R", "--csv", "OUT"],
    "data suspects --png": ["data", "suspects", "R", "--png", "OUT.png"],
    "export safetensors": ["export", "R", "--format", "safetensors", "-o", "OUT.safetensors"],
    "data show": ["data", "show", "R/config.yaml", "--png", "OUT"],
    "runs --plot": ["runs", "R", "--plot", "OUT.svg"],
    "init": ["init", "OUT.yaml"],
    "sweep": ["sweep", "R/config.yaml", "seed=[1,2]", "train.epochs=1", "--out", "OUTDIR", "--progress", "off"],
    "runs": ["runs", "R"],
}


DATA = {  # each kind that lies in files
    "npz": "{type: NPZ, path: x.npz}",
    "csv": "{type: CSV, path: x.csv, shape: [1, 2, 2]}",
    "pictures": "{type: ImageFolder, root: pictures, channels: 1, broken: skip}",
    "idx": "{type: MNIST, root: idx}",
    "parquet": "{type: Parquet, root: tables, channels: 1, broken: skip}",
}
READERS |= {f"data check {name}": ["data", "check", f"R/foreign/{name}.yaml"] for name in DATA}
KERAS = """
model:
  input: [1, 12, 12]
  layers:
    - {type: Conv2d, out_channels: 3, kernel_size: 3}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Conv2d, out_channels: 4, kernel_size: 3}
    - {type: ReLU}
    - {type: Flatten}
    - {type: Linear, out_features: 6}
    - {type: ReLU}
    - {type: Linear, out_features: 4}
data: {type: Random, shape: [1, 12, 12], classes: 4, train: 8, test: 4}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.1}
train: {epochs: 1}
"""


class Commands:
    """Commands whose calls to the system can be made to fail."""

    def __init__(self, shim: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(ROOT), "LENET_THREADS": "1"}
        environment["OPENBLAS_NUM_THREADS"] = "1"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd=ROOT,
        )  # fmt: skip

    def __call__(
        self, argv: list[str], cwd: Path, root: Path, kinds: int = 0, error: int = 0, at: int = 0,
        lasting: bool = False, signals: Sequence[Mapping[str, Any]] = (), memory: int = 0,
    ) -> dict[str, Any]:  # fmt: skip
        told = {
            "argv": argv, "cwd": str(cwd), "root": str(root), "kinds": kinds, "error": error, "at": at,
            "lasting": lasting, "signals": list(signals), "memory": memory,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        """Ends the process that runs them."""
        self._process.communicate()


@contextmanager
def commands(place: Path) -> Iterator[Commands]:
    """Compiles the shim and starts; raises FileNotFoundError where there is no compiler."""
    shim = place / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True)
    found = Commands(shim)
    try:
        yield found
    finally:
        found.close()


def content(run: Path) -> dict[str, str]:
    """What lies in a directory, but for the lock."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if name != "lock" and not name.startswith(".lenet-runs"):  # the index of `lenet runs` decides nothing
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
    return found


def with_foreign(run: Path) -> None:
    """Puts weights as others write them into a run's directory: torch's, NumPy's, an ONNX graph, Keras's."""
    place = run / "foreign"
    place.mkdir()
    lenetcli.save(lenetcli.load(run / "model.safetensors"), place / "net.pth")
    with ONE_AT_A_TIME:
        for name in ("net.npz", "net.onnx"):
            done = run_command(["export", str(run), "-o", str(place / name)], run)
            assert done.code == 0, done.err
    shutil.copy(ROOT / "tests" / "onnx_import" / "files" / "lenet.keras", place)
    (place / "keras.yaml").write_text(KERAS)
    _with_data(place)


def _with_data(place: Path) -> None:
    """Data of each kind, and a configuration for each."""
    pixels, labels = np.arange(32, dtype=np.uint8).reshape(8, 2, 2), np.arange(8) % 2
    np.savez(place / "x.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    rows = [",".join(map(str, [label, *image.ravel()])) for label, image in zip(labels, pixels)]
    (place / "x.csv").write_text("\n".join([*rows, *rows]) + "\n")
    for split in ("train", "test"):
        for number, image in enumerate(pixels):
            folder = place / "pictures" / split / "ab"[labels[number]]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.png").write_bytes(png(image))
        (folder / "link.png").symlink_to("7.png")
        images, classes = ("t10k", "t10k") if split == "test" else ("train", "train")
        for name, array in ((f"{images}-images-idx3-ubyte", pixels), (f"{classes}-labels-idx1-ubyte", labels)):
            (place / "idx").mkdir(exist_ok=True)
            head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            (place / "idx" / name).write_bytes(head + array.astype(np.uint8).tobytes())
    sections = dict(DATA)
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:  # an extra
        del sections["parquet"]
    else:
        (place / "tables").mkdir()
        cells = [{"bytes": png(image), "path": None} for image in pixels]
        for split in ("train", "test"):
            parquet.write_table(pa.table({"image": cells, "label": labels}), place / "tables" / f"{split}-0.parquet")
    for name, section in sections.items():
        text = CONFIG.replace("{type: Random, shape: [1, 2, 2], classes: 3, train: 14, test: 4}", section)
        text = text.replace("out_features: 3}", "out_features: 10}") if name == "idx" else text
        (place / f"{name}.yaml").write_text(text)


def complaint(done: dict[str, Any]) -> str | None:
    """What is wrong with how a command failed; None where it said in its own words what was the matter."""
    if done["code"] < 0 or done["code"] in BROKEN:
        return f"ended with {done['code']}: {done['err'][-600:]}"
    return unclear(done) or (f"exit code {done['code']} and nothing said" if _is_silent(done) else None)


def unclear(done: dict[str, Any]) -> str | None:
    """What a command has said that is not in its own words."""
    if "Traceback" in done["err"] or "--debug shows where" in done["err"]:
        return f"no message of its own: {done['err'][-600:]}"
    return None


def _is_silent(done: dict[str, Any]) -> bool:
    return bool(done["code"]) and not done["err"].strip()


Came = tuple[str, str | None]  # of a fault: in words, and what is wrong with it


_SOME = re.compile("[0-9.]+ ?(s|ms|us|GFLOP/s)?\\b")  # what is another each time


def reading(
    command: list[str], run: Path, place: Path, call: Commands, error: int, at: int, shown: str | None = None
) -> Came:
    """A command whose read number `at` fails.

    Args:
        shown: what it shows where none does.
    """
    before = content(run)
    done = call(command, place, run, READS, error, at)
    came = exit_code(done["code"])
    left = clear(place)
    if content(run) != before:
        return came, f"the run was changed (exit code {done['code']})"
    if done["code"] not in (0, 1, 2, 3):
        return came, complaint(done) or f"exit code {done['code']}: {done['err'][-300:]}"
    if done["code"] and not re.search("cannot (be )?(read|look|write|make|lock)|could not", done["err"]):
        return came, f"does not say that it cannot be read: {done['code']} {done['err'][-300:]}"
    if done["code"] and left and command[0] not in ("train", "sweep"):
        return came, f"left: {left}"
    if done["code"]:
        return f"{came}, nothing changed", complaint(done)
    if shown is not None and not done["err"] and _lines(done["out"]) != _lines(shown):
        return came, f"shows something else, and says nothing: {sorted(_lines(done['out']) ^ _lines(shown))[:6]}"
    return came, complaint(done)


def _lines(text: str) -> set[str]:
    """What is shown, but for times."""
    return {_SOME.sub("", line) for line in text.splitlines() if "seconds" not in line}


def clear(place: Path) -> list[str]:
    """Takes away what a command has written; gives its names."""
    found = [path for pattern in ("OUT*", ".OUT*") for path in place.glob(pattern)]
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return [path.name for path in found]


def begun(config: Path, place: Path, call: Commands) -> Path:
    """A run that has come half of its way."""
    start = place / "start"
    if not start.exists():
        words = ["train", str(config), *SHORT, "train.epochs=1", "--out", str(start), "--progress", "off"]
        done = call(words, place, start)
        assert done["code"] == 0, done["err"]
        path = start / "config.yaml"
        path.write_text(path.read_text().replace("epochs: 1", "epochs: 2"))
    return start


def reads_of_resuming(start: Path, place: Path, call: Commands) -> int:
    """How many reads there are, where a run goes on."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(start, run)
    done = call(["train", "--resume", str(run), "--progress", "off"], place, run, READS)
    assert done["code"] == 0, done["err"]
    count: int = done["calls"]
    return count


def resuming(start: Path, end: Path, place: Path, call: Commands, error: int, at: int) -> Came:
    """A run that goes on, and cannot read at one place: it goes on from its newest checkpoint, or changes nothing."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(start, run)
    before, newest = content(run), (run / "checkpoints" / "latest").read_text()
    done = call(["train", "--resume", str(run), "--progress", "off"], place, run, READS, error, at)
    came = exit_code(done["code"])
    wrong = complaint(done)
    if wrong:
        return came, wrong
    if "damaged" in done["err"] or any(run.rglob("*.damaged")):
        return came, f"taken for damaged: {done['err'][-300:]}"
    if done["code"] == 0:
        if f"from checkpoint {newest}" not in done["err"]:
            return came, f"went on from another checkpoint than {newest}: {done['err'][-300:]}"
        return f"{came}, the same bits", difference(end, run)
    if f"resuming {run}" in done["err"]:  # it had begun: what was saved is whole
        return _goes_on(came, run, end, place, call)
    if done["code"] != 3 and not (done["code"] == 1 and re.search("cannot write|not safely on disk", done["err"])):
        return came, f"exit code {done['code']}: {done['err'][-300:]}"
    if content(run) != before:
        changed = sorted(set(content(run).items()) ^ set(before.items()))[:4]
        return came, f"changed: {changed}: {done['err'][-300:]}"
    return f"{came}, nothing changed", None


def writing(config: Path, end: Path, place: Path, call: Commands, error: int, at: int, lasting: bool) -> Came:
    """A training that cannot write at one place: exit code 1, and it goes on from there to the same end."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = ["train", str(config), *SHORT, "--out", str(run), "--progress", "off"]
    done = call(command, place, run, WRITES, error, at, lasting)
    came = exit_code(done["code"])
    wrong = complaint(done)
    if wrong:
        return came, wrong
    if done["code"] not in (0, 1):
        return came, f"exit code {done['code']}: {done['err'][-300:]}"
    if done["code"] == 0:
        return f"{came}, the same bits", difference(end, run)
    if not (run / "config.yaml").exists():
        left = sorted(p.name for p in run.iterdir()) if run.exists() else []
        again = call(command, place, run)
        wrong = f"cannot begin again: {left}: {again['err']}" if again["code"] else difference(end, run)
        return f"{came}, begins again to the same bits", complaint(again) or wrong
    return _goes_on(came, run, end, place, call)


def resuming_unwritten(start: Path, end: Path, place: Path, call: Commands, error: int, at: int, lasting: bool) -> Came:
    """A run that goes on, and cannot write at one place."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(start, run)
    done = call(["train", "--resume", str(run), "--progress", "off"], place, run, WRITES, error, at, lasting)
    came = exit_code(done["code"])
    wrong = complaint(done) or (None if done["code"] in (0, 1) else f"exit code {done['code']}: {done['err'][-300:]}")
    if wrong:
        return came, wrong
    if done["code"] == 0:
        return f"{came}, the same bits", difference(end, run)
    return _goes_on(came, run, end, place, call)


def _goes_on(came: str, run: Path, end: Path, place: Path, call: Commands) -> Came:
    again = call(["train", "--resume", str(run), "--progress", "off"], place, run)
    if again["code"]:
        return came, f"does not go on: {again['code']}: {again['err'][-300:]}"
    return f"{came}, {GOES_ON}", difference(end, run)
