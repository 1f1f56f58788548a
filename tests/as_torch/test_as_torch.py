"""A script written for torch runs unchanged: same numbers as in torch, a line for each thing that is missing."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import pytest

from tests.as_torch.scripts import SCRIPTS
from tests.conftest import ROOT

NUMBER = re.compile(r"[-+]?(?:\d+\.\d*(?:e[-+]?\d+)?|\d+)|nan|inf")


def as_torch(place: Path, source: str, *words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    (place / "script.py").write_text(textwrap.dedent(source), "utf-8")
    command = [sys.executable, "-m", "lenetcli.as_torch", *before, "script.py", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)


def numbers(text: str) -> list[float]:
    return [float(found) for found in NUMBER.findall(text)]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_what_it_prints_in_torch(
    torch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    done = as_torch(tmp_path, SCRIPTS[name])
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["script.py"])
    from lenetcli import vision  # torchvision may not be installed: the steps that the script takes are a tensor's

    for module in ("torchvision", "torchvision.transforms"):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    if "torchvision" in SCRIPTS[name]:
        sys.modules["torchvision"].transforms = in_torch(torch, vision.transforms)  # type: ignore[attr-defined]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(textwrap.dedent(SCRIPTS[name]), "script.py", "exec"), {"__name__": "__main__"})
    ours, theirs = numbers(done.stdout), numbers(printed.getvalue())
    assert len(theirs) >= 5
    assert ours == pytest.approx(theirs, 2e-4, 1e-4, nan_ok=True)


def in_torch(torch: Any, transforms: Any) -> Any:
    """The three transforms of the script, on torch's tensors."""
    made = types.SimpleNamespace()
    made.Compose = transforms.Compose
    made.ToTensor = lambda: lambda image: torch.from_numpy(image)[None].float() / 255
    made.Normalize = lambda mean, std: lambda image: (image - mean[0]) / std[0]
    made.RandomHorizontalFlip = lambda: lambda image: image.flip(-1) if torch.rand(1).item() < 0.5 else image
    return made


def test_arguments_and_exit_codes_are_the_scripts(tmp_path: Path) -> None:
    given = "import sys; import torch; print(sys.argv, __name__, __file__); sys.exit(int(sys.argv[1]))"
    done = as_torch(tmp_path, given, "7", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (
        7, f"['script.py', '7', '--check'] __main__ {tmp_path / 'script.py'}\n", ""
    )  # fmt: skip
    assert as_torch(tmp_path, "raise SystemExit('no such data')").stderr == "no such data\n"
    (tmp_path / "beside.py").write_text("import torch\nHERE = torch.ones(2).sum().item()\n")
    assert as_torch(tmp_path, "import beside; print(beside.HERE)").stdout == "2.0\n"


def test_an_installed_torch_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise SystemExit('the other torch')")
    source = "import torch, torch.nn.functional as F, sys\nprint(torch.nn.Linear.__module__, F.relu.__module__)"
    assert as_torch(tmp_path, source).stdout == "lenetcli.nn.linear lenetcli.ops.pointwise.relu\n"


ENDS = {  # a script, and the first lines of what is said about it
    "a missing name": (
        "import torch\nx = torch.ones(3)\nprint(torch.fft.fft(x))\ntorch.nothing()",
        "script.py:3: torch.fft is not here\n    print(torch.fft.fft(x))\nalso missing: torch.nothing (line 4)\n",
    ),
    "a missing function": (
        "import torch.nn.functional as F\nF.nothing(1)",
        "script.py:2: torch.nn.functional.nothing is not here\n    F.nothing(1)\n",
    ),
    "a missing module": (
        "import torch\nimport torch.fx",
        "script.py:2: torch.fx is not here\n    import torch.fx\n",
    ),
    "a name that is imported": (
        "from torchvision.transforms import Trivial",
        "script.py:1: torchvision.transforms.Trivial is not here\n    from torchvision.transforms import Trivial\n",
    ),
    "a method": (
        "import torch\ntorch.ones(2).lgamma_nothing()",
        "script.py:2: Tensor.lgamma_nothing is not here\n    torch.ones(2).lgamma_nothing()\n",
    ),
    "an error of its own": (
        "import torch\ntorch.ones(2) @ torch.ones(3)",
        'Traceback (most recent call last):\n  File "script.py", line 2, in <module>\n',
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_a_script_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    source, said = ENDS[name]
    done = as_torch(tmp_path, source)
    assert done.returncode == 1
    assert done.stderr.startswith(said), done.stderr
    assert "as_torch" not in done.stderr


def test_what_may_be_missing_may_be_asked_for(tmp_path: Path) -> None:
    source = """
        import torch
        print(hasattr(torch, "nothing"), getattr(torch.nn, "Nothing", 3))
        try:
            import torch.nothing
        except ImportError as error:
            print(error)
        try:
            from torch import nothing
        except ImportError as error:
            print(error)
    """
    done = as_torch(tmp_path, source)
    assert done.stdout.splitlines()[:2] == ["False 3", "torch.nothing is not in lenetcli"]
    assert done.stdout.splitlines()[2].startswith("cannot import name 'nothing' from 'torch'")
    assert done.returncode == 0


def test_what_was_not_torchs_own_is_told_at_the_end(tmp_path: Path) -> None:
    source = """
        import torch
        import torch.backends.cudnn as cudnn
        cudnn.benchmark = True
        net = torch.compile(torch.nn.DataParallel(torch.nn.Linear(2, 1)))
        scaler = torch.amp.GradScaler()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = net(torch.ones(1, 2)).sum()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()
        print(net.module.weight.grad.tolist(), torch.backends.mps.is_available(), torch.__version__)
    """
    done = as_torch(tmp_path, source)
    assert done.stdout == "[[1.0, 1.0]] False 2.13.0\n"
    assert done.stderr.splitlines() == [
        "",
        "answered by something that is not torch's own:",
        "  torch.amp.GradScaler: the scale is 1",
        "  torch.autocast: numbers keep their type: float32 is not made smaller",
        "  torch.compile: the module or function as it is",
        "  torch.nn.DataParallel: the module on one device",
    ]


def test_names_that_are_missing_are_listed_without_running(tmp_path: Path) -> None:
    source = "import torch as t\nfrom torch import fx, nn\nprint('ran')\nt.fft.fft(t.fft)\nnn.Linear(1, 1)\n"
    done = as_torch(tmp_path, source, before=("--check",))
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout == "script.py:2: torch.fx is not here\nscript.py:4: torch.fft is not here\n"
    assert as_torch(tmp_path, "import torch", before=("--check",)).returncode == 0


@pytest.mark.parametrize(
    ("source", "words", "said"),
    [
        (None, (), "usage: python -m lenetcli.as_torch [--check] SCRIPT [ARGS]\n"),
        (None, ("--chek", "script.py"), "usage: python -m lenetcli.as_torch [--check] SCRIPT [ARGS]\n"),
        (None, ("absent.py",), "absent.py: cannot be read: No such file or directory\n"),
        (None, (".",), ".: cannot be read: not a regular file\n"),
        (b"x = (", ("script.py",), "script.py:1: not a Python script: '(' was never closed\n"),
        (b"\x00", ("script.py",), "script.py: not a Python script: source code string cannot contain null bytes\n"),
    ],
)
def test_what_is_no_script_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    source: bytes | None, words: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    from lenetcli.as_torch.script import main

    monkeypatch.chdir(tmp_path)
    if source is not None:
        (tmp_path / "script.py").write_bytes(source)
    assert main(list(words)) == 2
    assert capsys.readouterr().err == said
