"""A stranger's Python is not run by looking at what names it: every command, every place that may name a file."""

from __future__ import annotations

import hashlib
import json
import os
import py_compile
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lenetcli as lenet_package
from lenetcli import file_lock
from lenetcli.cli.consent_options import IMPORTING
from lenetcli.config import consent, user_code
from lenetcli.errors import ConfigError
from tests.cli.conftest import Lenet

CANARY = "from pathlib import Path\nPath(__file__).with_name('MARKER').touch()\n"
OWN = {
    "layer": "from lenetcli import nn\nclass Own(nn.ReLU):\n    pass\n",
    "loss": "from lenetcli import nn\nclass Own(nn.CrossEntropyLoss):\n    pass\n",
    "optimizer": "from lenetcli import optim\nclass Own(optim.SGD):\n    pass\n",
    "scheduler": "from lenetcli.optim.lr_scheduler import StepLR\nclass Own(StepLR):\n    pass\n",
    "data": "from lenetcli.data import Digits\nclass Own(Digits):\n    pass\n",
    "function": "def own(epoch: int) -> float:\n    return 0.5\n",
}
PARTS = {
    "layer": "ReLU", "loss": "CrossEntropyLoss", "optimizer": "SGD, lr: 0.1", "data": "Digits",
    "scheduler": "StepLR, step_size: 1", "function": "LambdaLR, lr_lambda: 'own.py:own'",
}  # fmt: skip
CONFIG = """\
name: x
model:
  input: [1, 8, 8]
  layers: [{{type: Flatten}}, {{type: {layer}}}, {{type: Linear, out_features: 10}}]
data: {{type: {data}}}
loss: {{type: {loss}}}
optimizer: {{type: {optimizer}}}
scheduler: {{type: {scheduler}}}
train: {{epochs: 1, batch_size: 256, limit_batches: 1}}
"""
# What is looked at: the words of a command, and whether it goes on without the import wherever the file is named.
COMMANDS = {
    "validate": (["validate", "s/x.yaml"], True),
    "validate RUN": (["validate", "s/run/config.yaml"], True),
    "show": (["show", "s/x.yaml"], True),
    "runs": (["runs", "s"], True),
    "plot": (["plot", "s/run", "-o", "p.png"], True),
    "watch": (["watch", "s/run"], True),
    "diff --no-replay": (["diff", "s/run", "s/run", "--no-replay"], True),
    "diff CONFIG": (["diff", "s/x.yaml", "s/x.yaml"], True),
    "inspect-params RUN": (["inspect-params", "s/run"], True),
    "inspect-params FILE": (["inspect-params", "s/run/model.safetensors"], True),
    "data check": (["data", "check", "s/x.yaml"], False),
    "data show": (["data", "show", "s/run"], False),
    "inspect-params": (["inspect-params", "s/x.yaml"], False),
    "inspect-params --tree": (["inspect-params", "s/run", "--tree"], False),
    "report": (["report", "s/run", "-o", "r.html"], False),
    "watch --html": (["watch", "s/run", "--html", "w.html"], False),
    "eval": (["eval", "s/run"], False),
    "predict": (["predict", "s/run", "x.npy"], False),
    "export": (["export", "s/run", "-o", "x.safetensors"], False),
    "export hub": (["export", "s/run", "--format", "huggingface", "-o", "hub"], False),
    "import": (["import", "s/run/model.safetensors", "--config", "s/x.yaml", "--out", "imported"], False),
    "diff": (["diff", "s/run", "s/run"], False),
    "verify-resume": (["verify-resume", "s/x.yaml", "--kills", "1"], False),
    "trace-grad": (["trace-grad", "s/x.yaml"], False),
    "step": (["step", "s/run"], False),
    "step --at": (["step", "s/run", "--at", "0"], False),
    "why": (["why", "s/run", "1.bias[0]"], False),
    "whatif": (["whatif", "s/run", "--without", "1"], False),
    "data suspects": (["data", "suspects", "s/run"], False),
    "landscape": (["landscape", "s/run", "--steps", "3", "--samples", "4"], False),
    "time": (["time", "s/x.yaml"], False),
    "gradcheck": (["gradcheck", "s/x.yaml"], False),
    "find-lr": (["find-lr", "s/x.yaml"], False),
    "lab": (["lab", "softmax-twice", "s/x.yaml"], False),
    "train --resume": (["train", "--resume", "s/run"], False),
}
LOOKING = {"data check": "data", "data show": "data"}  # they import for this part only


@pytest.fixture(autouse=True)
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user who has agreed to nothing yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(consent, "_process", consent._Process())
    yield
    forget()


def forget() -> None:
    """As in a new process: what was agreed to in this one is forgotten."""
    consent._process = consent._Process()
    user_code._imported.clear()
    for name in user_code._beside:
        sys.modules.pop(name, None)
    user_code._beside.clear()


def write(place: Path, part: str, code: str = "") -> Path:
    """A configuration that names own.py for a part, and own.py, which leaves a mark where it is run."""
    (place / "s").mkdir(exist_ok=True)
    (place / "s" / "own.py").write_text(CANARY + (code or OWN[part]))
    options = PARTS[part].partition(",")[1:]
    named = {
        name: f"'own.py:Own'{''.join(options)}" if name == part else text
        for name, text in PARTS.items() if name != "function"
    }  # fmt: skip
    if part == "function":
        named["scheduler"] = PARTS["function"]
    (place / "s" / "x.yaml").write_text(CONFIG.format(**named))
    np.save(place / "x.npy", np.zeros((8, 8), np.float32))
    return place / "s" / "MARKER"


def trained(lenet: Lenet, place: Path, part: str) -> Path:
    """A stranger's run, and the mark that must not come again."""
    marker = write(place, part)
    done = lenet("train", "s/x.yaml", "--out", "s/run", "--progress", "off")
    assert done.code == 0, done.err
    marker.unlink()
    forget()
    return marker


def strange(place: Path) -> None:
    shutil.rmtree(place / "config")
    forget()


@pytest.mark.parametrize("part", OWN)
def test_no_command_runs_a_strangers_python(lenet: Lenet, place: Path, part: str) -> None:
    marker = trained(lenet, place, part)
    strange(place)
    digest = hashlib.sha256((place / "s" / "own.py").read_bytes()).hexdigest()
    for name, (words, looks) in COMMANDS.items():
        done = lenet(*words)
        assert not marker.exists(), name
        if looks or LOOKING.get(name, part) != part:
            assert done.code == 0, (name, done.err)
        else:
            assert done.code == 2, (name, done.code, done.err)
            assert all(text in done.err for text in ("own.py", digest, "--allow-code")), (name, done.err)
    assert not (place / "config" / "lenet").exists()


def test_every_command_that_may_import_is_in_the_sweep() -> None:
    named = {" ".join(words[:2]) if words[0] == "data" else words[0] for words, _ in COMMANDS.values()}
    assert named >= IMPORTING


@pytest.mark.parametrize("part", OWN)
def test_what_was_trained_is_remembered_wherever_it_lies(lenet: Lenet, place: Path, part: str) -> None:
    marker = trained(lenet, place, part)
    known = json.loads((place / "config" / "lenet" / "trusted.json").read_text())["files"]
    assert list(known) == [hashlib.sha256((place / "s" / "own.py").read_bytes()).hexdigest()]
    for words in (["eval", "s/run"], ["show", "s/x.yaml"], ["train", "--resume", "s/run", "train.epochs=2"]):
        forget()
        assert lenet(*words).code == 0
        assert marker.exists()
        marker.unlink()


@pytest.mark.parametrize("part", OWN)
def test_allow_code_is_for_once(lenet: Lenet, place: Path, part: str) -> None:
    marker = trained(lenet, place, part)
    strange(place)
    for words in (["eval", "s/run"], ["validate", "s/x.yaml"], ["train", "--resume", "s/run", "train.epochs=2"]):
        done = lenet(*words, "--allow-code")
        assert done.code == 0, done.err
        assert marker.exists()
        marker.unlink()
        forget()
    assert not (place / "config" / "lenet").exists()
    assert lenet("eval", "s/run").code == 2


def test_training_tells_the_file_and_its_hash(lenet: Lenet, place: Path) -> None:
    write(place, "layer")
    digest = hashlib.sha256((place / "s" / "own.py").read_bytes()).hexdigest()
    for words in (["train", "s/x.yaml"], ["sweep", "s/x.yaml", "optimizer.lr=[0.1,0.2]"]):
        done = lenet(*words)
        assert (done.code, done.err.count(f"{place / 's' / 'own.py'}, sha256 {digest}")) == (0, 1)
        strange(place)


def test_validate_says_what_it_would_import_and_checks_the_rest(lenet: Lenet, place: Path) -> None:
    write(place, "layer")
    done = lenet("validate", "s/x.yaml")
    assert (done.code, done.out) == (0, "s/x.yaml: ok but for own.py:Own, not imported\n")
    assert "would import" in done.err
    text = (place / "s" / "x.yaml").read_text()
    (place / "s" / "x.yaml").write_text(text.replace("lr: 0.1", "lr: -1"))
    assert lenet("validate", "s/x.yaml").code == 2


def test_a_home_that_cannot_be_written_is_said_once(lenet: Lenet, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, "layer")
    (place / "taken").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "taken"))
    done = lenet("train", "s/x.yaml")
    assert (done.code, done.err.count("not remembered")) == (0, 1)
    assert lenet("eval", "runs/x/001").code == 0  # in the process that trained; a new one asks
    forget()
    assert lenet("eval", "runs/x/001").code == 2


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1, "files": []}', '{"format": 9}', "\0" * 100])
def test_a_damaged_memory_refuses_and_is_left_as_it_is(lenet: Lenet, place: Path, content: str) -> None:
    trained(lenet, place, "layer")
    file = place / "config" / "lenet" / "trusted.json"
    file.write_text(content)
    assert lenet("eval", "s/run").code == 2
    done = lenet("train", "s/x.yaml")
    assert done.code == 0
    assert "delete it" in done.err
    assert file.read_text() == content


def test_compiled_code_beside_a_known_file_is_not_run(lenet: Lenet, place: Path) -> None:
    marker = write(place, "layer")
    lenet("train", "s/x.yaml", "--out", "s/run")
    known = (place / "s" / "own.py").read_text()
    (place / "s" / "own.py").write_text(f"from pathlib import Path\nPath({str(place / 'EVIL')!r}).touch()\n{known}")
    py_compile.compile(str(place / "s" / "own.py"), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    (place / "s" / "own.py").write_text(known)
    forget()
    marker.unlink()
    assert lenet("eval", "s/run").code == 0
    assert marker.exists()
    assert not (place / "EVIL").exists()


@pytest.mark.parametrize(
    ("helper", "way"),
    [
        ("helper.py", "import helper"),
        ("helper.py", "from helper import *"),
        ("helper/__init__.py", "import helper"),
        ("helper/inner.py", "import helper.inner"),
        ("helper/inner.py", "from helper import inner"),
        ("helper.py", "import importlib; importlib.import_module('helper')"),
        ("lib/helper.py", "import sys, os; sys.path.insert(0, os.path.dirname(__file__) + '/lib'); import helper"),
    ],
)
def test_what_lies_beside_a_known_file_needs_consent_as_well(
    lenet: Lenet, place: Path, monkeypatch: pytest.MonkeyPatch, helper: str, way: str
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (place / "s" / helper).parent.mkdir(parents=True, exist_ok=True)
    if helper.startswith("helper/"):
        (place / "s" / "helper" / "__init__.py").write_text("")
    write(place, "layer", f"{way}\n{OWN['layer']}")
    file = place / "s" / helper
    file.write_text("x = 1\n")
    assert lenet("train", "s/x.yaml", "--out", "s/run", "--progress", "off").code == 0
    recorded = [entry["copy"] for entry in json.loads((place / "s/run/environment.json").read_text())["code"]]
    assert recorded[0] == "code/own.py"
    assert f"code/{helper}" in recorded
    shutil.copytree(place / "s", place / "other", ignore=shutil.ignore_patterns("run", "MARKER"))
    (place / "other" / helper).write_text("from pathlib import Path\nPath(__file__).with_name('EVIL').touch()\n")
    forget()
    assert lenet("eval", "s/run").code == 0
    done = lenet("step", "other/x.yaml")
    assert (done.code, Path(helper).name in done.err) == (2, True)
    assert not list((place / "other").rglob("EVIL"))
    assert lenet("validate", "other/x.yaml").code == 0
    assert not list((place / "other").rglob("EVIL"))


def test_a_trainer_has_the_same_switch(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    marker = write(place, "layer")
    with pytest.raises(ConfigError, match="allow_code=True"):
        lenet_package.Trainer("s/x.yaml", allow_code=False)
    assert not marker.exists()
    trainer = lenet_package.Trainer("s/x.yaml", out="s/run")
    assert f"{place / 's' / 'own.py'}, sha256 " in capfd.readouterr().err
    trainer.fit(progress="off")
    forget()
    assert lenet_package.Trainer.open("s/run").evaluate().count
    strange(place)
    marker.unlink()
    with pytest.raises(ConfigError, match=r"own\.py"):
        lenet_package.Trainer.open("s/run")
    assert not marker.exists()
    assert lenet_package.Trainer.open("s/run", allow_code=True).evaluate().count


def test_the_model_card_tells_its_reader(lenet: Lenet, place: Path) -> None:
    trained(lenet, place, "layer")
    assert lenet("export", "s/run", "--format", "huggingface", "-o", "hub").code == 0
    card = (place / "hub" / "README.md").read_text()
    assert hashlib.sha256((place / "s" / "own.py").read_bytes()).hexdigest() in card
    assert "--allow-code" in card


def test_many_trainings_at_once_lose_no_hash(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lenetcli.config import consent\n"
        "for i in range(20):\n"
        "    consent._remember(Path('f.py'), f'{sys.argv[1]}-{i}')\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(i)], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )
        for i in range(4)
    ]
    assert [process.wait(120) for process in started] == [0] * 4
    assert len(consent.remembered()) == 80


def test_two_configurations_have_each_its_own_module_beside_it(lenet: Lenet, place: Path) -> None:
    write(place, "layer", "import helper\nfrom lenetcli import nn\nclass Own(nn.Sequential):\n    pass\n")
    code = "from lenetcli import nn\nimport helper\nclass Own(nn.ReLU):\n    def extra_repr(self): return helper.WHO\n"
    for name in ("one", "two"):
        shutil.copytree(place / "s", place / name)
        (place / name / "helper.py").write_text(f"WHO = 'beside {name}'\n")
        (place / name / "own.py").write_text(code)
    models = [repr(lenet_package.Trainer(f"{name}/x.yaml").model) for name in ("one", "two")]
    assert ["beside one" in models[0], "beside two" in models[1]] == [True, True]


def test_without_a_home_the_working_directory_is_none(
    lenet: Lenet, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = trained(lenet, place, "layer")
    (place / "config").rename(place / "kept")
    for home in ("relative", "~", ""):
        monkeypatch.setenv("XDG_CONFIG_HOME", home)
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)
        shutil.copytree(place / "kept", place / "~" / ".config", dirs_exist_ok=True)
        shutil.copytree(place / "kept", place / "relative", dirs_exist_ok=True)
        assert lenet("eval", "s/run").code == 2
        assert not marker.exists()
    assert "no home directory" in lenet("train", "s/x.yaml").err


def test_other_processes_import_nothing_from_the_working_directory(lenet: Lenet, place: Path) -> None:
    write(place, "layer")
    for name in ("json", "signal", "numpy", "lenetcli"):
        (place / f"{name}.py").write_text(f"open({str(place / 'EVIL')!r}, 'w')\n")
    words = ["verify-resume", "s/x.yaml", "model.layers.1={type: ReLU}", "--kills", "1"]
    assert lenet(*words).code == 0
    assert not (place / "EVIL").exists()


def test_no_damage_of_a_run_directory_is_consent(lenet: Lenet, place: Path) -> None:
    marker = trained(lenet, place, "layer")
    strange(place)
    draw = random.Random(0)
    run = place / "s" / "run"
    whole = {name: (run / name).read_bytes() for name in ("config.yaml", "environment.json", "metrics.jsonl")}
    for number in range(60):
        name = draw.choice(list(whole))
        content = bytearray(whole[name])
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(content))
            content[at : at + draw.randint(0, 9)] = draw.choice([b"", b"\0", b"'", b"{", b"sha256", content[:40]])
        (run / name).write_bytes(content)
        for words in (["eval", "s/run"], ["show", "s/run/config.yaml"], ["diff", "s/run", "s/run", "--no-replay"]):
            done = lenet(*words, *["--accept-changed"] * (number % 2 and words[0] == "eval"))
            assert done.code in (0, 2, 3), (number, words, done.err)
            assert not marker.exists(), number
        (run / name).write_bytes(whole[name])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_nothing_in_the_config_folder_makes_a_training_hang(
    lenet: Lenet, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, "layer")
    folder = place / "config" / "lenet"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "trusted.json")
    assert "not remembered" in lenet("train", "s/x.yaml").err
    (folder / "trusted.json").unlink()
    forget()
    monkeypatch.setattr(consent, "PATIENCE", 0.1)
    held = file_lock.take(folder / ".trusted.json.lock")
    assert held is not None
    try:
        assert lenet("train", "s/x.yaml").code == 0
    finally:
        os.close(held)
    assert len(consent.remembered()) == 1
