"""What a shell is offered after TAB, asked for as shells do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lenetcli.cli import completion
from tests.cli.conftest import Lenet
from tests.commands import run
from tests.conftest import ROOT
from tests.inspection.test_runs import make

PROGRAM = "import sys; sys.argv[0] = 'lenet'; from lenetcli.cli.app import main; main()"


@pytest.fixture
def full(place: Path) -> Path:
    """A place with runs, with a sweep, and with what is neither run nor configuration."""
    for name in ("runs/mlp/001", "runs/mlp/002", "runs/mlp/sweep-ab/0001", "elsewhere/best"):
        make(place / name)
    (place / "notes.yaml").write_text("a: 1\n")
    return place


def variables(line: str, shell: str) -> dict[str, str]:
    """What a shell that asks for the last word of a line sets in the environment."""
    asking = {"_LENET_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        return {**asking, "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return {**asking, "_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}


def asked(place: Path, line: str, shell: str = "bash") -> list[str]:
    """What the program offers for the last word of a line."""
    done = run([], place, **variables(line, shell))
    assert done.err == ""
    return done.out.split()


def asked_by_a_shell(place: Path, line: str, shell: str) -> list[str]:
    """The same, in a process of its own as a shell begins it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=place, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables(line, shell)},
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_are_offered(full: Path) -> None:
    assert asked(full, "lenet tra") == ["train", "trace-grad"]
    offered = asked_by_a_shell(full, "lenet ", "bash")
    assert {"runs", "sweep", "describe", "layers"} <= set(offered)
    assert offered == asked(full, "lenet ")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lenet train configs/len", ["configs/lenet-mnist.yaml", "configs/lenet.yaml", "configs/lenet5.yaml"]),
        ("lenet eval runs/", ["runs/mlp/001", "runs/mlp/002", "runs/mlp/sweep-ab/0001"]),
        ("lenet train --resume runs/mlp/00", ["runs/mlp/001", "runs/mlp/002"]),
        ("lenet describe Conv2", ["Conv2d"]),
        ("lenet layers Cross", ["CrossEntropyLoss"]),
        ("lenet init --preset len", ["lenet", "lenet-mnist", "lenet5"]),
        ("lenet lab softmax", ["softmax-twice"]),
    ],
)
def test_words_of_a_command_are_offered(full: Path, line: str, offered: list[str]) -> None:
    assert sorted(asked(full, line)) == offered


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_in_their_own_way(full: Path, shell: str) -> None:
    offered = asked_by_a_shell(full, "lenet describe Conv2", shell)
    assert any("Conv2d" in word for word in offered)
    assert offered == asked(full, "lenet describe Conv2", shell)


def test_the_scripts_for_the_shells_can_be_had(lenet: Lenet, full: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "--show-completion", shell],
            env={**os.environ, "PYTHONPATH": str(ROOT), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "_LENET_COMPLETE" in done.stdout


def test_files_are_found_where_they_are(full: Path) -> None:
    assert completion.runs("") == ["runs/mlp/001", "runs/mlp/002", "runs/mlp/sweep-ab/0001"]
    assert completion.runs("elsewhere/") == ["elsewhere/best"]
    assert completion.runs("nowhere/x") == []
    assert completion.runs(f"{full}/elsewhere/b") == [f"{full}/elsewhere/best"]
    assert "notes.yaml" not in completion.configs("")
    assert "configs/mlp.yaml" in completion.configs("")
    assert not any("runs/" in path or "optimizers" in path for path in completion.configs(""))
    assert completion.configs("./configs/ml") == ["./configs/mlp.yaml"]
    assert completion.either("configs/mlp") == ["configs/mlp.yaml"]


def test_a_great_many_runs_are_cut(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "MOST", 2)
    assert len(completion.runs("")) == 2
    assert len(completion.configs("")) == 2


def test_asking_imports_no_numpy(full: Path) -> None:
    code = "import sys; from lenetcli.cli import completion; completion.either(''); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=full, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)


def test_describe_says_what_layers_says(lenet: Lenet) -> None:
    done = lenet("describe", "Conv2d")
    assert (done.code, done.err) == (0, "")
    assert done.out == lenet("layers", "Conv2d").out
    wrong = lenet("describe", "Conv3")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean Conv" in wrong.err
    assert lenet("describe").code == 2


SHELLS = ["$(touch ran)", "`touch ran`", "a;touch ran", "a&touch ran", "a|b", "a b", "a'b", 'a"b', "a\\b", "a*", "a\nb"]
SHELLS += ["a>ran", "~", "-f", "a#b", "a!b", "{a,b}", "[a]", "\x1b[31m", "a\u2028b"]


@pytest.mark.parametrize("name", SHELLS)
def test_a_name_that_a_shell_would_take_apart_is_not_offered(full: Path, name: str) -> None:
    (full / f"{name}.yaml").write_text("model: {}\n")
    (full / "plain.yaml").write_text("model: {}\n")
    make(full / "runs" / "mlp" / name)
    make(full / "runs" / f"{name}-x" / "001")
    for shell in ("bash", "zsh", "fish"):
        for line in ("lenet train ", "lenet eval ", "lenet train --resume runs/", f"lenet step {name[:1]}"):
            found = " ".join(asked(full, line, shell))
            assert f"{name}.yaml" not in found
            assert f" {name}" not in f" {found}"
            assert name == "-f" or (f"mlp/{name}" not in found and f"{name}-x" not in found)
    assert "plain.yaml" in asked(full, "lenet train pl")
    assert not (full / "ran").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_is_not_opened(full: Path) -> None:
    os.mkfifo(full / "pipe.yaml")
    (full / "null.yaml").symlink_to("/dev/zero")
    (full / "loop.yaml").symlink_to("loop.yaml")
    assert asked(full, "lenet train p") == []
    offered = asked(full, "lenet train ")
    assert "configs/lenet.yaml" in offered
    assert not {"pipe.yaml", "null.yaml", "loop.yaml"} & set(offered)
