"""Every file is written whole or not at all, by one function; what is no ordinary file is written to as it is."""

from __future__ import annotations

import ast
import errno
import os
import re
import shutil
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path

import pytest

from lenetcli import disk
from lenetcli.cli.app import main
from lenetcli.disk import writing
from lenetcli.errors import LenetError
from tests.conftest import ROOT
from tests.faults.table import content
from tests.train.faults import NO_ROOM, refusing
from tests.train.small import train, write_config

PACKAGE = ROOT / "lenetcli"

# Where files are written otherwise, and why that loses nothing
OTHERWISE = {
    "disk/writing.py": "the place itself",
    "file_lock.py": "a lock's file is its content",
    "runs/lock.py": "a lock's file says who holds it",
    "runs/directory.py": "metrics.jsonl grows by lines; a torn one is left out",
    "data/download.py": "a download's .part grows until its hash is right",
    "sweep/study.py": "the journal grows by lines; a torn one is cut off",
    "trainer/in_directory.py": "shutil.copytree into a directory that becomes a run with its last file",
    "export/html_file/tried.py": "a directory of Node's own, which is gone afterwards",
    "export/c_compiled.py": "a directory of the compiler's own, which is gone afterwards",
}
IN_MEMORY = {"report/data/contact_sheet.py", "export/weights.py", "data/pictures.py", "report/training/plot_file.py"}


def writes(path: Path) -> Iterator[str]:
    """Calls in a file that write one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or "os.devnull" in ast.unparse(node):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        strings = [a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
        modes = [text for text in strings if isinstance(text, str) and re.fullmatch("[rbt]*[wxa+][rwxabt+]*", text)]
        flags = re.search("O_(WRONLY|RDWR|CREAT)", ast.unparse(node))
        if name in ("write_text", "write_bytes", "tofile", "to_csv", "savetxt", "savez", "savez_compressed", "savefig",
                    "copytree", "copyfile", "copy2", "write_image", "ftruncate", "truncate"):  # fmt: skip
            yield f"{name} in line {node.lineno}"
        elif (name in ("open", "fdopen") and modes) or (name == "open" and flags):
            yield f"open to write in line {node.lineno}"


def test_no_file_is_written_beside_the_one_function() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = str(path.relative_to(PACKAGE))
        calls = list(writes(path))
        if calls and name not in OTHERWISE and name not in IN_MEMORY:
            found[name] = calls
    assert found == {}
    assert all((PACKAGE / name).exists() for name in (*OTHERWISE, *IN_MEMORY))


@pytest.fixture(scope="module", autouse=True)
def fonts_are_listed() -> None:
    """matplotlib writes a list of fonts when it is first imported: before a test takes the disk away."""
    with suppress(ImportError):
        import_module("matplotlib.font_manager")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run")
    config = place / "small.yaml"
    config.write_text((ROOT / "configs" / "lenet.yaml").read_text("utf-8"))
    assert train(config, place / "run", "train.epochs=1", "train.limit_batches=2") == 0
    return place / "run"


OUTPUTS = {  # commands that write a file that the user names
    "export npz": ["export", "RUN", "--format", "npz", "-o", "OUT"],
    "export onnx": ["export", "RUN", "--format", "onnx", "-o", "OUT"],
    "export python": ["export", "RUN", "--format", "python", "-o", "OUT"],
    "report": ["report", "RUN", "-o", "OUT"],
    "plot": ["plot", "RUN", "-o", "OUT.svg"],
    "data show": ["data", "show", "digits", "--png", "OUT"],
    "trace-grad --html": ["trace-grad", "RUN", "--html", "OUT"],
    "trace-grad --at": ["trace-grad", "RUN", "--at", "1", "--html", "OUT"],
    "trace-grad --svg": ["trace-grad", "RUN", "--svg", "OUT"],
    "trace-grad --dot": ["trace-grad", "RUN", "--dot", "OUT"],
    "trace-grad --mermaid": ["trace-grad", "RUN", "--mermaid", "OUT"],
    "inspect-params --filters": ["inspect-params", "RUN", "OUT.png", "--filters"],
    "show --html": ["show", "RUN/config.yaml", "--html", "OUT"],
    "report of two": ["report", "RUN", "RUN", "-o", "OUT"],
    "watch --html": ["watch", "RUN", "--html", "OUT"],
    "export c": ["export", "RUN", "--format", "c", "-o", "OUT"],
    "export safetensors": ["export", "RUN", "--format", "safetensors", "-o", "OUT.safetensors"],
    "why --html": ["why", "RUN", "fc1.weight[0,0]", "--html", "OUT"],
    "landscape --html": ["landscape", "RUN", "--steps", "3", "--samples", "8", "--html", "OUT"],
    "data suspects --csv": ["data", "suspects", "RUN", "--csv", "OUT"],
    "data suspects --png": ["data", "suspects", "RUN", "--png", "OUT.png"],
    "runs --plot": ["runs", "RUN", "--plot", "OUT.svg"],
}


def lenet(words: list[str], run: Path, out: Path, full: bool = False) -> int:
    """A command's exit code; with `full` the disk has no room for anything new."""
    words = [word.replace("RUN", str(run)).replace("OUT", str(out)) for word in words]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["lenet", *words])
        with refusing(1, NO_ROOM, lasting=True) if full else nullcontext(), pytest.raises(SystemExit) as ended:
            main()
    return int(str(ended.value.code or 0))


def named(name: str, place: Path) -> tuple[list[str], Path, Path]:
    """A command, what stands for its file, and the file."""
    end = next(word.removeprefix("OUT") for word in OUTPUTS[name] if word.startswith("OUT"))
    return OUTPUTS[name], place / "out", place / f"out{end}"


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, out, path = named(name, tmp_path)
    path.write_text("old")
    assert lenet(words, run, out, full=True) == 1
    *_, said = capsys.readouterr().err.splitlines()  # before it, of --at, what was made again
    assert said == f"error: cannot write {path}: No space left on device; nothing was changed there"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes and devices")
@pytest.mark.parametrize("name", OUTPUTS)
def test_pipes_devices_and_links_are_written_through(
    name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, out, path = named(name, tmp_path)
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    reader.start()
    assert lenet(words, run, out) == 0
    reader.join(30)
    assert len(got[0]) > 100
    assert stat.S_ISFIFO(path.stat().st_mode)
    path.unlink()
    target = tmp_path / "target"
    target.write_text("old")
    path.symlink_to(target)
    assert lenet(words, run, out) == 0
    assert path.is_symlink()
    assert len(target.read_bytes()) > 100
    for device, code in (("/dev/full", 1), ("/dev/null", 0)):
        path.unlink()
        path.symlink_to(device)
        assert lenet(words, run, out) == code
        assert os.readlink(path) == device
    assert f"error: cannot write {path}: No space left on device\n" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="no pipes of that kind")
def test_what_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LenetError, match="a pipe that nobody reads"):
        disk.write_file(tmp_path / "pipe", b"data")
    with pytest.raises(LenetError, match="not a regular file; nothing was changed there"):
        disk.write_atomically(tmp_path / "pipe", b"data")
    for path in (tmp_path, tmp_path / "absent" / "file", tmp_path / "n\0l"):
        with pytest.raises(LenetError, match="cannot write"):
            disk.write_file(path, b"data")
    (tmp_path / "there").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        disk.write_once(tmp_path / "there", b"new")
    disk.write_once(tmp_path / "new", b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "pipe", "there"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_output_replaces_a_file_of_a_run(name: str, run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    before = content(copy)
    newest = (copy / "checkpoints" / "latest").read_text()
    files = [
        "config.yaml",
        "metrics.jsonl",
        "environment.json",
        "model.safetensors",
        f"checkpoints/{newest}/state.json",
    ]
    command = ["OUT" if word.startswith("OUT.") else word for word in OUTPUTS[name]]
    for file in files:
        assert lenet(command, copy, copy / file) == 2
    assert content(copy) == before


@pytest.mark.parametrize("failures", [1, 2])
def test_a_second_name_that_cannot_be_removed_is_told(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def unlink(name: str, real: Callable[[str], None] = os.unlink) -> None:
        tried.append(name)
        if len(tried) <= failures:
            raise PermissionError(errno.EACCES, "Permission denied")
        real(name)

    monkeypatch.setattr(os, "unlink", unlink)
    with nullcontext() if failures == 1 else pytest.raises(LenetError, match=r"new: written, but .* cannot be removed"):
        disk.write_once(tmp_path / "new", b"new")
    assert (tmp_path / "new").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == failures


def test_init_and_import_leave_nothing_on_a_full_disk(run: Path, tmp_path: Path) -> None:
    assert lenet(["init", "OUT.yaml"], run, tmp_path / "new", full=True) == 1
    assert list(tmp_path.iterdir()) == []
    weights, config = str(run / "model.safetensors"), str(run / "config.yaml")
    words = ["lenet", "import", weights, "--config", config, "--out"]
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "imported", tmp_path / "empty"):
        number, code = 0, 1
        while code == 1:
            number += 1
            with pytest.MonkeyPatch.context() as patch, refusing(number, NO_ROOM, lasting=True):
                patch.setattr(sys, "argv", [*words, str(place)])
                with pytest.raises(SystemExit) as ended:
                    main()
            code = int(str(ended.value.code or 0))
            left = list(place.iterdir()) if place.exists() else []
            assert code == 0 or left == [], (number, left)
            assert code == 0 or place.exists() is (place.name == "empty")
        assert number > 10
        assert code == 0


def test_a_copy_of_a_run_is_whole_or_not_there(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lenetcli import Trainer

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    trainer = Trainer.open(run)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", full)
        with pytest.raises(LenetError, match=r"cannot copy .*: No space left on device"):
            trainer.save(tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
    assert Trainer.open(trainer.save(tmp_path / "copy")).evaluate().count > 0


def test_a_config_that_lenet_has_written_can_be_opened_however_long(tmp_path: Path) -> None:
    """4,000 layers, fully resolved, have more bytes than a config by hand may have."""
    layers = "".join("    - {type: LeakyReLU, negative_slope: 0.0123456789012345}\n" for _ in range(4000))
    config = write_config(tmp_path)
    text = config.read_text().replace("    - {type: BatchNorm1d}\n", layers)
    config.write_text(text)
    assert train(config, tmp_path / "run", "train.epochs=1") == 0
    size = (tmp_path / "run" / "config.yaml").stat().st_size
    assert size > 256 * 1024
    assert lenet(["eval", "RUN", "--json"], tmp_path / "run", tmp_path) == 0
    assert lenet(["train", "--resume", "RUN", "train.epochs=2"], tmp_path / "run", tmp_path) == 0
    assert lenet(["runs", str(tmp_path), "--json"], tmp_path / "run", tmp_path) == 0
