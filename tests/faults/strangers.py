"""A stranger's configuration, run, weights and data: none of their code runs, nothing of theirs takes the memory."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.display.png import png
from tests.faults.crowds import ENVIRONMENT, PYTHON
from tests.faults.outcome import Found, exit_code
from tests.faults.table import Commands, clear, complaint
from tests.mutation import mutations
from tests.test_serialization import BAD
from tests.train.small import CONFIG

MEMORY = 1 << 30  # bytes
EVIL = """from pathlib import Path
from lenetcli import data, nn, optim

Path({marker!r}).write_text("imported")


class Net(nn.Flatten): ...


class Same(nn.CrossEntropyLoss): ...


class Data(data.Random): ...


class Best(optim.Adam): ...
"""
PLACES = {  # of a configuration that may name a class: what is there, and what it becomes
    "a layer": ("type: Flatten", "type: 'evil.py:Net'"),
    "a layer within one": ("{type: Flatten}", "{type: Sequential, layers: [{type: 'evil.py:Net'}]}"),
    "the data": ("type: Random", "type: 'evil.py:Data'"),
    "the loss": ("type: CrossEntropyLoss", "type: 'evil.py:Same'"),
    "the optimizer": ("type: Adam", "type: 'evil.py:Best'"),
    "the schedule": ("{type: ReduceLROnPlateau, patience: 0}", "{type: LambdaLR, lr_lambda: 'evil.py:Net'}"),
    "a section's file": ("optimizer: {type: Adam, lr: 0.01}", "optimizer: parts/optimizer.yaml"),
    "a folder below": ("type: Flatten", "type: 'parts/evil.py:Net'"),
    "its whole path": ("type: Flatten", "type: '{place}/evil.py:Net'"),
}
COMMANDS = (  # all but train CONFIG and sweep CONFIG, which are the word that it may run
    "validate C", "show C", "inspect-params C", "trace-grad C", "step C", "time C", "gradcheck C", "find-lr C",
    "lab lr-too-high C",
    "data check C", "data show C --png OUT", "verify-resume C", "diff C C", "diff C R", "inspect-params R",
    "trace-grad R",
    "step R", "report R -o OUT", "report R --json", "eval R", "predict R N", "plot R -o OUT.svg", "runs R", "diff R R",
    "diff R R --no-replay", "data check R", "data show R --png OUT", "export R -o OUT.npz",
    "export R --format huggingface -o OUTDIR", "import W --config C --out OUTDIR", "train --resume R",
    "train --resume R train.epochs=9", "inspect-params W", "inspect-params R --updates", "validate R/config.yaml",
    "inspect-params R --at 3", "inspect-params R --curvature", "trace-grad R --at 3", "step R --at 3",
    "step C --step 2",
    "why R fc1.weight[1,2]", "why R fc1.weight[1,2] --html OUT", "whatif R --without 1", "landscape R --steps 3",
    "data suspects R", "export R -o OUT.c", "inspect-params R --inside", "watch R",
    "watch R --html OUT", "runs R --csv", "report R R -o OUT",
)  # fmt: skip
PROGRAMS = {"lenet": [str(Path(sys.executable).with_name("lenet"))], "python -m lenetcli": PYTHON}
SHADOWS = ("yaml", "numpy", "typer", "rich", "pydantic", "PIL", "matplotlib", "optuna", "onnx", "safetensors", "mpi4py",
           "pyarrow", "sitecustomize", "usercustomize", "json", "lenetcli_native", "tensorboard", "evil")  # fmt: skip


def code(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Python that a configuration or a run names, and nobody has agreed to."""
    marker, run, plain = place / "marker", place / "R", place / "plain.yaml"
    plain.write_text(CONFIG)
    done = call(["train", str(plain), "train.epochs=1", "--out", str(run), "--progress", "off"], place, place)
    assert done["code"] == 0, done["err"]
    weights = shutil.copy(run / "model.safetensors", place / "W.safetensors")
    resolved = (run / "config.yaml").read_text()
    np.save(place / "N.npy", np.zeros((4, 2, 2), np.uint8))
    for folder in (place, place / "parts", run, run / "parts", run / "code"):
        folder.mkdir(exist_ok=True)
        (folder / "evil.py").write_text(EVIL.format(marker=str(marker)))
        (folder / "optimizer.yaml").write_text("type: 'evil.py:Best'\nlr: 0.01\n")
    for kind, (was, now) in PLACES.items():
        config, now = place / "C.yaml", now.replace("{place}", str(place))
        config.write_text(CONFIG.replace(was, now))
        name, evil = was.rpartition("type: ")[2].strip("{}").partition(",")[0], now
        (run / "config.yaml").write_text(_resolved(resolved, name, evil))
        names = {"C": str(config), "R": str(run), "W": str(weights), "N": str(place / "N.npy")}
        for line in COMMANDS[::stride]:
            words = [
                names.get(word, word.replace("R/", f"{run}/").replace("OUT", str(place / "OUT")))
                for word in line.split()
            ]
            done = call(words, place, place)
            clear(place)
            wrong = complaint(done)
            if marker.exists():
                marker.unlink()
                wrong = f"{line}: evil.py was imported"
            if done["code"] not in (0, 2, 3):
                wrong = wrong or f"{line}: exit code {done['code']}: {done['err'][-200:]}"
            yield Found(
                "Python of a stranger's", f"{len(COMMANDS)} commands", exit_code(done["code"]), wrong, kind, line
            )
    yield from _shadows(place, plain, run, marker)


def _resolved(text: str, name: str, evil: str) -> str:
    """A run's config.yaml that names the stranger's class, if its form allows that."""
    what = evil.rpartition("type: ")[2].strip("{}[] ").partition(",")[0] if "evil" in evil else "'evil.py:Best'"
    return text.replace(f"type: {name}\n", f"type: {what}\n", 1)


def _shadows(place: Path, config: Path, run: Path, marker: Path) -> Iterator[Found]:
    """Files in the working directory that have the names of modules: the program does not look for modules there."""
    shadowed = place / "shadows"
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("evil.py:", "other.py:"))
    for line in (f"eval {run}", f"plot {run} -o out.svg", f"export {run} -o out.onnx", f"train {config}",
                 f"data show {config}", f"verify-resume {config} train.epochs=1"):  # fmt: skip
        for command, program in PROGRAMS.items():
            code, imported = beside_shadows([*program, *line.split()], shadowed, marker)
            wrong = f"{line}: {imported}.py was imported" if imported else None
            yield Found("modules' names in the working directory", command, exit_code(code), wrong, detail=line)


def beside_shadows(words: list[str], at: Path, marker: Path) -> tuple[int, str]:
    """A program in a directory with files of the names of modules; its exit code, and which of them was imported."""
    at.mkdir(exist_ok=True)
    for name in SHADOWS:
        (at / f"{name}.py").write_text(f"from pathlib import Path\nPath({str(marker)!r}).write_text({name!r})\n")
    (at / "matplotlibrc").write_text("backend: module://evil\n")
    done = subprocess.run(words, cwd=at, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    imported = marker.read_text() if marker.exists() else ""
    marker.unlink(missing_ok=True)
    return done.returncode, imported


def hostile(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Files of weights, arrays, tables and pictures that are not what they say."""
    marker = place / "marker"
    files = [
        *(("safetensors", name, data) for name, data in _weights(seed)),
        *(("npz", name, data) for name, data in _arrays(str(marker), seed)),
        *(("csv", name, data) for name, data in _tables(seed)),
        *(("pictures", name, data) for name, data in _pictures(seed)),
    ]
    for kind, name, data in files[::stride]:
        words = _taken_up(kind, data, place)
        done = call(words, place, place, memory=MEMORY)
        wrong = complaint(done)
        if marker.exists():
            marker.unlink()
            wrong = "code of the file was run"
        if done["seconds"] > 30:
            wrong = wrong or f"took {done['seconds']:.0f} s"
        if done["code"] not in (0, 2, 3):
            wrong = wrong or f"exit code {done['code']}: {done['err'][-200:]}"
        yield Found(f"hostile {kind}", words[0], exit_code(done["code"]), wrong, detail=name)


def _taken_up(kind: str, data: Any, place: Path) -> list[str]:
    """The command that takes a file up."""
    if kind == "safetensors":
        (place / "w.safetensors").write_bytes(data)
        return ["inspect-params", str(place / "w.safetensors")]
    config = place / "data.yaml"
    section = {"npz": "{type: NPZ, path: x.npz}", "csv": "{type: CSV, path: x.csv, shape: [1, 2, 2]}",
               "pictures": "{type: ImageFolder, root: x, resize: [2, 2]}"}[kind]  # fmt: skip
    old = "{type: Random, shape: [1, 2, 2], classes: 3, train: 14, test: 4}"
    config.write_text(CONFIG.replace(old, section))
    if kind == "pictures":
        shutil.rmtree(place / "x", ignore_errors=True)
        for number, split in enumerate(("train/a", "train/b", "test/a", "test/b")):
            (place / "x" / split).mkdir(parents=True)
            (place / "x" / split / "sound.png").write_bytes(png(np.full((2, 2), number, np.uint8)))
        name, content = data
        (place / "x" / "train" / "a" / name).write_bytes(content)
    else:
        (place / f"x.{kind}").write_bytes(data)
    return ["data", "check", str(config)]


def _weights(seed: int) -> Iterator[tuple[str, bytes]]:
    yield from BAD.items()
    sound = (np.zeros(2, np.float32)).tobytes()
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    for number, data in enumerate(mutations(len(header).to_bytes(8, "little") + header + sound, 20, seed)):
        yield f"mutation {number}", data


class _Runs:
    """Pickled, it runs a command where it is unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


def _arrays(marker: str, seed: int) -> Iterator[tuple[str, bytes]]:
    names = ("x_train", "y_train", "x_test", "y_test")
    sound: dict[str, Any] = {
        "x_train": np.zeros((9, 1, 2, 2), np.uint8), "y_train": np.arange(9) % 3,
        "x_test": np.zeros((3, 1, 2, 2), np.uint8), "y_test": np.arange(3),
    }  # fmt: skip
    evil = np.array([_Runs(marker)], object)
    odd = {
        "objects": evil, "no size": np.zeros((0, 1, 2, 2)), "NaN": np.full((9, 1, 2, 2), np.nan),
        "texts": np.array(["a"] * 9),
        "complex": np.zeros((9, 1, 2, 2), complex), "five axes": np.zeros((9, 1, 2, 2, 2)), "one number": np.float64(3),
        "dates": np.zeros(9, "M8[s]"), "records": np.zeros(9, [("a", "f4")]), "negative": np.full(9, -3),
        "huge": np.full(9, 2**62),
    }  # fmt: skip
    for name, array in odd.items():
        for key in names:
            file = BytesIO()
            np.savez(file, allow_pickle=True, **{**sound, key: array})
            yield f"{name} as {key}", file.getvalue()
    yield "a pickle", pickle.dumps(_Runs(marker))
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x_train.npy", "w") as entry:
        for _ in range(300):
            entry.write(bytes(1 << 20))
    yield "a bomb", bomb.getvalue()
    file = BytesIO()
    np.savez_compressed(file, **sound)
    for number, data in enumerate(mutations(file.getvalue(), 25, seed)):
        yield f"mutation {number}", data


def _tables(seed: int) -> Iterator[tuple[str, bytes]]:
    sound = b"label,a,b,c,d\n" + b"".join(b"%d,1,2,3,4\n" % (i % 3) for i in range(15))
    yield from {
        "empty": b"", "NUL": b"\0" * 5000, "one line": b"1,2,3,4,5", "no numbers": b"a,b,c,d,e\n" * 20,
        "a quote that never ends": b'1,"' + b"x" * 100_000, "a long line": b"1," * 500_000,
        "UTF-16": "1,2,3,4,5\n".encode("utf-16") * 9,
        "huge numbers": b"1,1e999,2,3,4\n" * 20, "formulas": b'=cmd|"/c calc"!A1,2,3,4,5\n' * 9,
        "many classes": b"999999999,1,2,3,4\n" * 9,
        "NaN": b"1,nan,2,3,4\n" * 20, "ragged": b"1,2,3\n1,2,3,4,5,6\n" * 9, "carriage returns": b"1,2,3,4,5\r" * 20,
        "digits": b"1" * 10_000_000,
    }.items()  # fmt: skip
    for number, data in enumerate(mutations(sound, 24, seed)):
        yield f"mutation {number}", data


def _pictures(seed: int) -> Iterator[tuple[str, tuple[str, bytes]]]:
    sound = png(np.zeros((2, 2), np.uint8))
    wide = sound[:16] + (100_000).to_bytes(4, "big") * 2 + sound[24:]
    yield from {
        "empty": ("a.png", b""), "no picture": ("a.png", b"x" * 1000), "a wide one": ("a.png", wide),
        "text": ("a.jpg", b"hello"),
        "bytes after the end": ("a.png", sound + b"PK\x03\x04" * 100), "a name with markup": ("<img src=x>.png", sound),
        "a name of escapes": ("\x1b[31m.png", sound),
        "PostScript": ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    }.items()  # fmt: skip
    draw = random.Random(seed)
    for number, data in enumerate(mutations(sound, 24, draw.randrange(2**32))):
        yield f"mutation {number}", ("a.png", data)
