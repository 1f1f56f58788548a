"""Run directories that someone else made: links, absurd values under right hashes, damaged bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli.cli.app import main
from lenetcli.config.user_code import blamed
from lenetcli.errors import DataError, LenetError
from lenetcli.runs.checkpoint import MODEL, OPTIMIZER
from lenetcli.runs.state_json import LARGEST, decode, encode
from tests.mutation import largest_memory, mutations
from tests.train.small import at, resume, train, write_config


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped in its second epoch that has one checkpoint only: what is wrong with it cannot be passed over."""
    place = tmp_path_factory.mktemp("start")
    stop = at(6, lambda: os.kill(os.getpid(), signal.SIGINT))
    train(write_config(place), place / "run", "train.ema=0.9", also=stop)
    shutil.rmtree(place / "run" / "checkpoints" / "000004")
    return place / "run"


@pytest.fixture
def run(start: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(start, tmp_path / "run"))


def newest(run: Path) -> Path:
    return run / "checkpoints" / "000006"


def contents(place: Path) -> dict[str, bytes]:
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


# Links


@pytest.mark.parametrize(
    "name",
    [
        "checkpoints", "checkpoints/000006", "checkpoints/000006/model.safetensors", "checkpoints/000006/state.json",
        "model.safetensors", "metrics.jsonl", "config.yaml",
    ],
)  # fmt: skip
def test_a_link_out_of_the_run_directory_is_refused(name: str, run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (run / name).rename(outside)
    (run / name).symlink_to(outside)
    before = contents(tmp_path)
    with pytest.raises(DataError, match=r"a link that leads out of .*refused"):
        resume(run)
    assert contents(tmp_path) == before


def test_links_within_a_run_directory_and_to_it_are_followed(run: Path, tmp_path: Path) -> None:
    (run / "checkpoints").rename(run / "elsewhere")
    (run / "checkpoints").symlink_to("elsewhere")
    (tmp_path / "alias").symlink_to(run)
    assert resume(tmp_path / "alias") == 0


# Files of the user's own


OWN = """
from lenetcli import data, nn

{first}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
        {init}

    def forward(self, x):
        self.calls += 1
        {forward}
        return x


class Mine(data.Random):
    @property
    def train(self):
        raise KeyError("data")
"""
LATE = "if self.calls == 7: raise KeyError('late')"  # in the fifth step


@pytest.mark.parametrize(
    ("parts", "code", "message"),
    [
        ({"first": "raise KeyError('at once')"}, 2, r"cannot be imported: KeyError: 'at once' \(own\.py, line 4\)"),
        ({"first": "import nothing_such"}, 2, "ModuleNotFoundError: No module named 'nothing_such'"),
        ({"first": "def ("}, 2, r"SyntaxError: .* \(own\.py, line 4\)"),
        ({"first": "raise SystemExit(0)"}, 2, "SystemExit: 0"),
        ({"init": "raise KeyError('made')"}, 2, r"Net: KeyError: 'made' \(own\.py, line 10\)"),
        ({"init": "self.weight"}, 2, r"AttributeError: .* \(own\.py, line 10\)"),
        ({"forward": "raise KeyError('used')"}, 2, r"input of shape \[5\]: KeyError: 'used' \(own\.py, line 14\)"),
        ({"forward": "return self.forward(x)"}, 2, "RecursionError: maximum recursion depth exceeded"),
        ({"forward": "return None"}, 2, "gives NoneType, wanted one tensor"),
        ({"forward": LATE}, 1, r"KeyError: 'late' \(own\.py, line 14\) at step 5 \(epoch 1, batch 5\) with lr 0\.01"),
    ],
    ids=lambda value: str(next(iter(value.values()))) if isinstance(value, dict) else "",
)
def test_a_class_of_the_users_own_that_raises_is_named_with_its_line(
    parts: dict[str, str], code: int, message: str, tmp_path: Path
) -> None:
    config = write_config(tmp_path)
    (tmp_path / "own.py").write_text(OWN.format(**{"first": "", "init": "", "forward": "", **parts}))
    with pytest.raises(LenetError, match=message) as caught:
        train(config, tmp_path / "run", "model.layers.3={type: own.py:Net}", "train.batch_size=2")
    assert caught.value.exit_code == code
    assert (tmp_path / "run").exists() == (code == 1)


def test_data_of_the_users_own_that_raise_are_named_with_their_line(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    (tmp_path / "own.py").write_text(OWN.format(first="", init="", forward=""))
    with pytest.raises(LenetError, match=r"KeyError: 'data' \(own\.py, line 21\) while the run was built"):
        train(config, tmp_path / "run", "data.type=own.py:Mine")


def test_what_our_own_code_raises_is_not_blamed_on_a_users_file() -> None:
    with pytest.raises(ZeroDivisionError), blamed(lambda: "here"):
        _ = 1 / 0


# Values under right hashes


def rewrite(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Changes the state and gives it the hash that belongs to it."""
    path = newest(run) / "state.json"
    state = decode(path.read_bytes())
    change(state)
    for file, stated in state["files"].items() if isinstance(state["files"], dict) else ():
        if isinstance(stated, dict) and (newest(run) / file).exists() and stated.get("sha256") == "anew":
            import hashlib

            data = (newest(run) / file).read_bytes()
            state["files"][file] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path.write_bytes(encode(state))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in the state."""
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def outcome(run: Path) -> int:
    """The exit code of the resumed run, which takes a moment and fails, if it does, with a short message."""
    began, code, message = time.process_time(), 0, ""
    try:
        resume(run)
    except LenetError as error:
        code, message = error.exit_code, str(error)
    assert len(message) < 2000
    assert time.process_time() - began < 5
    return code


NASTY: list[Any] = [
    None, True, -1, 0, 2**53 + 1, 10**30, 1e308, float("nan"), float("-inf"), "", "../../x", "\ud800", [], {}, [[]] * 9,
    {"optimizer": {}},
]  # fmt: skip


def test_absurd_values_with_the_right_hash_are_refused_or_harmless(start: Path, tmp_path: Path) -> None:
    """A resumed run either says in a line why it cannot go on, or goes on to its end; and the memory stays small."""
    state = decode((newest(start) / "state.json").read_bytes())
    every = [path for path in places(state) if path[0] != "config"] + [
        ("config",),
        ("config", "model"),
        ("config", "train"),
    ]
    draw = random.Random(0)
    before, refused = largest_memory(), 0
    for path in every:
        value = draw.choice(NASTY)

        def put(state: dict[str, Any], path: tuple[Any, ...] = path, value: Any = value) -> None:
            for key in path[:-1]:
                state = state[key]
            state[path[-1]] = value

        run = Path(shutil.copytree(start, tmp_path / "run"))
        rewrite(run, put)
        code = outcome(run)
        refused += code != 0
        assert code in ((0, 2, 3, 4) if path[0] in ("config", "scheduler") else (0, 3)), f"{path} = {value!r}"
        shutil.rmtree(run)
    assert refused > len(every) / 2
    assert largest_memory() - before < 2**30


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "state.json: Expecting value"),
        (b"[" * 100_000, "state.json: nested too deep"),
        (b"[" * 500 + b"]" * 500, "state.json: wanted format 2, got list"),
        (b'{"format": 2, "x": NaN}', "state.json: NaN is no JSON"),
        (b'{"format": 2, "format": 2}', "state.json: a key appears twice"),
        (b'{"format": 1}', "state.json: wanted format 2, got 1"),
        (b'{"format": 2}', "state.json: damaged, its content does not have the hash"),
        (b'{"format": ' + b"9" * 5000 + b"}", "state.json: "),
        (b"\xff\xfe\x00", "state.json: "),
        (b" " * (LARGEST + 1), f"has {LARGEST + 1:,} bytes, more than the {LARGEST:,}"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_a_state_that_is_none_is_refused(text: bytes, message: str, run: Path) -> None:
    (newest(run) / "state.json").write_bytes(text)
    with pytest.raises(DataError, match=message):
        resume(run)


def test_a_huge_file_is_refused_by_its_size(run: Path) -> None:
    """Sparse: it takes no room on the disk, but would take a terabyte to read."""
    with (newest(run) / MODEL).open("r+b") as file:
        file.truncate(2**40)
    rewrite(run, lambda state: state["files"][MODEL].update(bytes=2**40))
    with pytest.raises(DataError, match=r"files\.model\.safetensors: absurd size"):
        resume(run)


@pytest.mark.parametrize("file", ["../000006/model.safetensors", "/etc/passwd", "config.yaml"])
def test_a_state_that_vouches_for_other_files_is_refused(file: str, run: Path) -> None:
    rewrite(run, lambda state: state["files"].update({file: {"bytes": 10, "sha256": "0"}}))
    with pytest.raises(DataError, match="files: wanted"):
        resume(run)


def test_best_weights_of_another_place_are_not_taken(run: Path) -> None:
    rewrite(run, lambda state: state["best"].update(checkpoint="../../elsewhere"))
    with pytest.raises(DataError, match="best: wanted a checkpoint and a hash"):
        resume(run)


def _drop(key: str) -> Callable[[dict[Any, Any]], Any]:
    return lambda state: state["state"][0].pop(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop("exp_avg"), "exp_avg"),
        (_drop("step"), "step"),
        (lambda state: state["state"][0].update(exp_avg=lenet.ones(3, 3)), "exp_avg of parameter 0 has shape"),
        (lambda state: state["state"][0].update(exp_avg="text"), "000006: does not fit"),
        (lambda state: state["param_groups"][0].update(lr="fast"), "lr: wanted a number"),
        (lambda state: state["param_groups"][0].update(params=[0, 0, 0, 0, 0, 0]), "optimizer: other parameters"),
        (lambda state: state["param_groups"].append({}), "optimizer: wanted 1 values"),
        (lambda state: state["param_groups"][0].pop("eps"), "wanted the keys"),
        (lambda state: state.pop("state"), "optimizer: no state of one"),
    ],
)
def test_optimizer_state_that_does_not_fit_is_refused(change: Callable[[Any], Any], message: str, run: Path) -> None:
    state = lenet.load(newest(run) / OPTIMIZER)
    change(state)
    lenet.save(state, newest(run) / OPTIMIZER)
    rewrite(run, lambda state: state["files"].update({OPTIMIZER: {"sha256": "anew"}}))
    with pytest.raises(DataError, match=message):
        resume(run)


@pytest.mark.parametrize(
    ("name", "value"), [("fc1.weight", lenet.ones(5, 4).int()), ("fc1.weight", lenet.ones(1)), ("more", lenet.ones(1))]
)
def test_weights_that_do_not_fit_are_refused(name: str, value: Any, run: Path) -> None:
    weights = lenet.load(newest(run) / MODEL)
    lenet.save({**weights, name: value}, newest(run) / MODEL)
    rewrite(run, lambda state: state["files"].update({MODEL: {"sha256": "anew"}}))
    with pytest.raises(DataError, match=name):
        resume(run)


# Bytes


@pytest.mark.parametrize("file", ["state.json", "model.safetensors", "optimizer.safetensors"])
def test_damaged_bytes_are_refused(file: str, start: Path, tmp_path: Path) -> None:
    """Under a right hash for the weights files, so that their own readers see the damage."""
    run = Path(shutil.copytree(start, tmp_path / "run"))
    content = (newest(run) / file).read_bytes()
    state = (newest(run) / "state.json").read_bytes()
    refused = 0
    for damaged in mutations(content, 60, seed=2):
        (newest(run) / "state.json").write_bytes(state)
        (newest(run) / file).write_bytes(damaged)
        if file != "state.json":
            rewrite(run, lambda state: state["files"].update({file: {"sha256": "anew"}}))
        code = outcome(run)
        refused += code != 0
        assert code in (0, 3, 4)
        shutil.rmtree(run)
        shutil.copytree(start, run)
    assert refused > 20


def test_a_damaged_metrics_file_is_cut_and_written_on(start: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(start, tmp_path / "run"))
    content = (run / "metrics.jsonl").read_bytes()
    for damaged in mutations(content, 40, seed=3):
        (run / "metrics.jsonl").write_bytes(damaged)
        assert resume(run) == 0
        last = (run / "metrics.jsonl").read_bytes().splitlines()[-1]
        assert json.loads(last)["event"] == "ended"
        shutil.rmtree(run)
        shutil.copytree(start, run)


def test_a_hostile_file_cannot_write_to_the_terminal(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(run, lambda state: state["files"].update({"\x1b[2J": {}}))
    (newest(run) / "state.json").write_text('{"format": "\\u001b[2J\\ud800"}')
    monkeypatch.setattr(sys, "argv", ["lenet", "train", "--resume", str(run)])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().err
    assert r"\x1b[2J\ud800" in told
    assert "\x1b" not in told
