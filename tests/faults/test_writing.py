"""Every file is written whole or not at all, by one function; what is no ordinary file is written to as it is."""

from __future__ import annotations

import ast
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lenetcli import disk
from lenetcli.errors import LenetError
from tests.conftest import ROOT
from tests.train.small import train, write_config

PACKAGE = ROOT / "lenetcli"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

# Where files are written otherwise, and why that loses nothing
OTHERWISE = {
    "disk.py": "the place itself",
    "file_lock.py": "a lock's file is its content",
    "runs/lock.py": "a lock's file says who holds it",
    "runs/directory.py": "metrics.jsonl grows by lines; a torn one is left out",
    "data/download.py": "a download's .part grows until its hash is right",
    "sweep/study.py": "the journal grows by lines; a torn one is cut off",
    "trainer.py": "shutil.copytree into a directory that becomes a run with its last file",
}
IN_MEMORY = {"report/data/contact_sheet.py", "export/weights.py", "data/pictures.py", "report/training/plot_file.py"}


def writes(path: Path) -> Iterator[str]:
    """Calls in a file that write one."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or "os.devnull" in ast.unparse(node):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        strings = [a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
        modes = [s for s in strings if isinstance(s, str) and len(s) < 4 and set(s) <= set("rwxabt+") and set(s) & set("wxa+")]
        flags = "O_WRONLY" in ast.unparse(node) or "O_RDWR" in ast.unparse(node) or "O_CREAT" in ast.unparse(node)
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
    "trace-grad --svg": ["trace-grad", "RUN", "--svg", "OUT"],
    "trace-grad --dot": ["trace-grad", "RUN", "--dot", "OUT"],
    "trace-grad --mermaid": ["trace-grad", "RUN", "--mermaid", "OUT"],
    "inspect-params --filters": ["inspect-params", "RUN", "--filters", "-o", "OUT.png"],
}


def lenet(words: list[str], run: Path, out: Path, limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """A command; `limit` is the greatest file that it may write, in bytes, so that a larger one ends as on a full disk."""
    words = [str(run) if word == "RUN" else word.replace("OUT", str(out)) for word in words]

    def limited() -> None:
        import resource

        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "lenetcli", *words], env=ENVIRONMENT, capture_output=True, text=True, check=False,
        preexec_fn=limited,
    )  # fmt: skip


def named(name: str, place: Path) -> tuple[list[str], Path, Path]:
    """A command, what stands for its file, and the file."""
    words = OUTPUTS[name]
    end = next(word.removeprefix("OUT") for word in words if word.startswith("OUT"))
    return words, place / "out", place / f"out{end}"


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits and pipes")
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_full_disk_leaves_the_old_file_and_nothing_else(name: str, run: Path, tmp_path: Path) -> None:
    words, out, path = named(name, tmp_path)
    path.write_text("old")
    done = lenet(words, run, out, limit=16)
    assert done.returncode == 1, done.stderr
    assert "cannot write" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits and pipes")
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_pipe_s_reader_gets_it_and_a_link_stays(name: str, run: Path, tmp_path: Path) -> None:
    words, out, path = named(name, tmp_path)
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    assert lenet(words, run, out).returncode == 0
    reader.join()
    assert len(got[0]) > 100
    assert stat.S_ISFIFO(path.stat().st_mode)
    path.unlink()
    target = tmp_path / "target"
    target.write_text("old")
    path.symlink_to(target)
    assert lenet(words, run, out).returncode == 0
    assert path.is_symlink()
    assert len(target.read_bytes()) > 100
    path.unlink()
    path.symlink_to("/dev/full")
    done = lenet(words, run, out)
    assert (done.returncode, path.is_symlink()) == (1, True)
    assert "No space left on device" in done.stderr
    path.unlink()
    path.symlink_to("/dev/null")
    assert lenet(words, run, out).returncode == 0
    assert os.readlink(path) == "/dev/null"


@pytest.mark.skipif(os.name == "nt", reason="no pipes of that kind")
def test_what_cannot_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "PATIENCE", 0.1)
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


@pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
def test_init_and_import_leave_nothing_on_a_full_disk(run: Path, tmp_path: Path) -> None:
    done = lenet(["init", "OUT.yaml"], run, tmp_path / "new", limit=16)
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
    weights, config = str(run / "model.safetensors"), str(run / "config.yaml")
    for limit in (0, 300, 2000, 10_000, 100_000):  # bytes: before the lock's owner, the configuration, the weights
        done = lenet(["import", weights, "--config", config, "--out", "OUT"], run, tmp_path / "imported", limit=limit)
        assert (done.returncode, list(tmp_path.iterdir())) == (1, []), (limit, done.stderr)
    (tmp_path / "empty").mkdir()
    done = lenet(["import", weights, "--config", config, "--out", "OUT"], run, tmp_path / "empty", limit=2000)
    assert (done.returncode, list((tmp_path / "empty").iterdir())) == (1, [])


def test_a_copy_of_a_run_is_whole_or_not_there(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lenetcli import Trainer

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    trainer = Trainer.open(run)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", full)
        with pytest.raises(LenetError, match="cannot copy .*: No space left on device"):
            trainer.save(tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
    assert Trainer.open(trainer.save(tmp_path / "copy")).evaluate().count > 0


def test_a_config_that_lenet_has_written_can_be_opened_however_long(tmp_path: Path) -> None:
    """1,700 layers, fully resolved, have more bytes than a config by hand may have."""
    layers = "".join("    - {type: Dropout, p: 0.0}\n" for _ in range(4500))
    config = write_config(tmp_path)
    text = config.read_text().replace("    - {type: BatchNorm1d}\n", layers)
    config.write_text(text)
    assert train(config, tmp_path / "run", "train.epochs=1") == 0
    size = (tmp_path / "run" / "config.yaml").stat().st_size
    if size <= 256 * 1024:
        config.write_text(text.replace("{type: Dropout, p: 0.0}", "{type: LeakyReLU, negative_slope: 0.012345678}"))
        shutil.rmtree(tmp_path / "run")
        assert train(config, tmp_path / "run", "train.epochs=1") == 0
        size = (tmp_path / "run" / "config.yaml").stat().st_size
    assert size > 256 * 1024
    done = lenet(["eval", "RUN", "--json"], tmp_path / "run", tmp_path)
    assert done.returncode == 0, done.stderr[-300:]
    done = lenet(["train", "--resume", "RUN", "train.epochs=2"], tmp_path / "run", tmp_path)
    assert done.returncode == 0, done.stderr[-300:]
    done = lenet(["runs", str(tmp_path), "--json"], tmp_path / "run", tmp_path)
    assert '"status": "finished"' in done.stdout
