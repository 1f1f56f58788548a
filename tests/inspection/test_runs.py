"""Runs side by side: what their files say, what they differ in, and an index that never says anything else."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from lenetcli.errors import ConfigError, DataError
from lenetcli.runs import index as run_index
from lenetcli.runs.index import NAME, list_runs
from lenetcli.runs.lock import is_locked, locked
from lenetcli.runs.table import RunRow, chosen, differences, find, ordered
from tests.inspection.test_metrics import evaluated, run_of, step

CONFIG = """
version: 1
name: {name}
model:
  input: [1, 2, 2]
  layers:
  - {{type: Flatten}}
  - {{type: Linear, name: fc1, in_features: {width}, out_features: {width}}}
optimizer: {optimizer}
train: {{epochs: 3, batch_size: 4}}
"""
SGD = "{type: SGD, lr: 0.1, momentum: 0.9}"
ENDED = {"event": "ended", "epoch": 2, "step": 4, "reason": "finished", "seconds": 7.5, "best_epoch": 2, "loss": 0.5}


def make(place: Path, *events: Any, name: str = "net", width: int = 5, optimizer: str = SGD) -> Path:
    """A run directory with these events."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.yaml").write_text(CONFIG.format(name=name, width=width, optimizer=optimizer))
    (place / "environment.json").write_text("{}")
    return run_of(place, *events) if events else place


def rows_of(root: Path, **options: Any) -> list[RunRow]:
    def failed(error: DataError) -> None:
        raise error

    return list_runs(root, failed, **options)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are old enough for the index."""
    monkeypatch.setattr(run_index, "SETTLED", -1.0)


def test_a_run_is_what_its_files_say(tmp_path: Path) -> None:
    events = [step(1), evaluated(1, accuracy=0.5), step(2), evaluated(2, accuracy=0.9, loss=0.4), {**ENDED}]
    make(tmp_path / "runs" / "net" / "001", *events)
    (row,) = rows_of(tmp_path / "runs")
    assert (row.status, row.epoch, row.epochs, row.seconds) == ("finished", 2, 3, 7.5)
    assert (row.best.epoch, row.best.split, row.accuracy, row.loss) == (2, "test", 0.9, 0.4)  # type: ignore[union-attr]
    assert (row.test_loss, row.test_accuracy) == (None, None)
    assert row.run == str(tmp_path / "runs" / "net" / "001")


def test_where_a_validation_split_decides_the_test_figures_are_told_beside(tmp_path: Path) -> None:
    make(tmp_path / "a", step(1), evaluated(1, "validation", accuracy=0.7), {**ENDED, "accuracy": 0.6})
    (row,) = rows_of(tmp_path)
    assert (row.accuracy, row.test_accuracy, row.test_loss) == (0.7, 0.6, 0.5)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "killed"),
        ([step(1)], "killed"),
        ([step(1), {**ENDED, "reason": "diverged"}], "diverged"),
        ([step(1), ENDED, step(2)], "killed"),  # continued, then killed
    ],
)
def test_the_status_follows_from_the_events(tmp_path: Path, events: list[Any], status: str) -> None:
    make(tmp_path / "a", *events)
    assert [row.status for row in rows_of(tmp_path)] == [status]


def test_weights_without_a_training_are_imported(tmp_path: Path, settled: None) -> None:
    place = make(tmp_path / "a")
    assert [row.status for row in rows_of(tmp_path)] == ["killed"]
    (place / "model.safetensors").touch()
    assert [row.status for row in rows_of(tmp_path)] == ["imported"]


def test_a_run_that_trains_is_running_and_looking_does_not_disturb_it(tmp_path: Path) -> None:
    place = make(tmp_path / "a", step(1))
    with locked(place):
        assert is_locked(place)
        assert [row.status for row in rows_of(tmp_path)] == ["running"]
    assert not is_locked(place)
    assert [row.status for row in rows_of(tmp_path)] == ["killed"]


def test_runs_are_found_at_any_depth_in_natural_order_and_links_are_not_followed(tmp_path: Path) -> None:
    for name in ("a/10", "a/2", "b/sweep/1"):
        make(tmp_path / name)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "2" / "checkpoints").mkdir()
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "config.yaml").write_text("no run\n")
    assert [str(run.relative_to(tmp_path)) for run in find(tmp_path)] == ["a/2", "a/10", "b/sweep/1"]
    assert find(tmp_path / "a" / "2") == [tmp_path / "a" / "2"]


def test_only_what_differs_is_told(tmp_path: Path) -> None:
    make(tmp_path / "a", name="one")
    make(tmp_path / "b", name="other", width=7)
    make(tmp_path / "c", optimizer="{type: SGD, lr: 0.2, momentum: 0.9, dampening: 0}")
    found = differences(rows_of(tmp_path))
    assert found == {
        "model.layers[1].out_features": [5, 7, 5],
        "optimizer.lr": [0.1, 0.1, 0.2],
        "optimizer.dampening": [None, None, 0],
    }


def test_another_optimizer_is_one_difference_and_so_are_other_layers(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", optimizer="{type: Adam, lr: 0.1, eps: 1e-8}")
    rows = rows_of(tmp_path)
    assert differences(rows) == {"optimizer.type": ["SGD", "Adam"]}
    text = (tmp_path / "b" / "config.yaml").read_text().replace("  - {type: Flatten}\n", "")
    (tmp_path / "b" / "config.yaml").write_text(text)
    assert differences(rows_of(tmp_path))["model.layers"] == ["Flatten Linear", "Linear"]


@pytest.fixture
def three(tmp_path: Path) -> list[RunRow]:
    for name, lr, accuracy in (("a", 0.1, 0.5), ("b", 0.01, 0.9), ("c", 1, None)):
        events = [step(1)] if accuracy is None else [step(1), evaluated(1, accuracy=accuracy)]
        make(tmp_path / name, *events, optimizer=f"{{type: SGD, lr: {lr}}}")
    return rows_of(tmp_path)


def names(rows: list[RunRow]) -> str:
    return "".join(Path(row.run).name for row in rows)


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ([], "abc"),
        (["optimizer.lr<1"], "ab"),
        (["optimizer.lr <= 0.1", "accuracy > 0.6"], "b"),
        (["optimizer.type=SGD"], "abc"),
        (["optimizer.type != SGD"], ""),
        (["accuracy=null"], "c"),
        (["accuracy>0"], "ab"),
        (["model.layers.fc1.out_features==5"], "abc"),
        (["model.layers.-1.out_features>5"], ""),
        (["status=killed"], "abc"),
    ],
)
def test_conditions_choose(three: list[RunRow], conditions: list[str], kept: str) -> None:
    assert names(chosen(three, conditions)) == kept


@pytest.mark.parametrize(
    ("key", "reverse", "order"),
    [("run", False, "abc"), ("optimizer.lr", False, "bac"), ("optimizer.lr", True, "cab"), ("accuracy", False, "bac"),
     ("accuracy", True, "abc")],
)  # fmt: skip
def test_they_are_put_in_order_and_those_without_a_value_come_last(
    three: list[RunRow], key: str, reverse: bool, order: str
) -> None:
    assert names(ordered(three, key, reverse)) == order


def test_an_unknown_key_is_told_with_the_nearest(three: list[RunRow]) -> None:
    with pytest.raises(ConfigError, match=r"(?s)--filter lr: no run has that key.*did you mean optimizer.lr"):
        chosen(three, ["lr<1"])
    with pytest.raises(ConfigError, match="did you mean accuracy"):
        ordered(three, "acuracy")
    with pytest.raises(ConfigError, match="wanted a key, a sign and a value"):
        chosen(three, ["<1"])
    with pytest.raises(ConfigError, match="a number of 200 digits"):
        chosen(three, ["epoch<" + "9" * 200])


# The index


def test_rows_from_the_index_are_the_rows_from_the_files(tmp_path: Path, settled: None) -> None:
    make(tmp_path / "a", step(1), evaluated(1, "validation"), {**ENDED, "loss": float("nan")})
    make(tmp_path / "b")
    first = rows_of(tmp_path)
    assert (tmp_path / NAME).is_file()
    assert repr(rows_of(tmp_path)) == repr(first)
    assert repr(rows_of(tmp_path, rebuild=True)) == repr(first)


def test_the_index_saves_reading_again(tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a", step(1))
    rows_of(tmp_path)
    monkeypatch.setattr(run_index, "read_run", None)
    assert len(rows_of(tmp_path)) == 1
    with pytest.raises(TypeError):
        rows_of(tmp_path, rebuild=True)


def test_what_changes_is_read_again_and_what_is_gone_vanishes(tmp_path: Path, settled: None) -> None:
    a = make(tmp_path / "a", step(1), evaluated(1, accuracy=0.5))
    b = make(tmp_path / "b", step(1))
    rows_of(tmp_path)
    time_before = (a / "metrics.jsonl").stat().st_mtime_ns
    text = (a / "metrics.jsonl").read_text().replace("0.5", "0.6")  # of the same size
    (a / "metrics.jsonl").write_text(text)
    os.utime(a / "metrics.jsonl", ns=(time_before, time_before))  # and of the same time
    for file in b.iterdir():
        file.unlink()
    b.rmdir()
    assert [(names([row]), row.accuracy) for row in rows_of(tmp_path)] == [("a", 0.6)]
    with sqlite3.connect(tmp_path / NAME) as index:
        assert index.execute("SELECT run FROM runs").fetchall() == [("a",)]
    index.close()


def test_a_file_that_is_still_young_is_not_trusted_to_the_index(tmp_path: Path) -> None:
    make(tmp_path / "a", step(1))
    rows_of(tmp_path)
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("damage", ["garbage", "cut", "bit", "row", "table", "directory", "link"])
def test_a_damaged_index_never_gives_a_wrong_row(tmp_path: Path, settled: None, damage: str) -> None:
    for number in range(20):
        make(tmp_path / f"{number}", step(1), evaluated(1, accuracy=number / 100))
    right, path = rows_of(tmp_path), tmp_path / NAME
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        path.write_bytes(b"no index at all" * 100)
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "bit":
        spot = data.index(b'"accuracy": 0.1')
        data[spot + len(b'"accuracy": 0.')] = ord("9")
        path.write_bytes(data)
    elif damage in ("row", "table"):
        with sqlite3.connect(path) as index:
            index.execute("UPDATE runs SET row = 7" if damage == "row" else "DROP TABLE runs")
        index.close()
    elif damage == "directory":
        path.unlink()
        path.mkdir()
    else:
        path.unlink()
        (tmp_path / "precious").write_bytes(b"mine")
        path.symlink_to(tmp_path / "precious")
    assert rows_of(tmp_path) == right
    assert rows_of(tmp_path) == right
    if damage == "link":
        assert (tmp_path / "precious").read_bytes() == b"mine"


def test_an_index_that_another_process_writes_is_done_without(
    tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_index, "PATIENCE", 0.01)
    make(tmp_path / "a", step(1))
    right = rows_of(tmp_path)
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert rows_of(tmp_path) == right
    finally:
        other.close()


def test_a_thousand_runs_are_listed_in_a_moment(tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    row = RunRow("", {"optimizer": {"lr": 0.1}}, "finished", 1, 1, None, None, None, 1.0)
    monkeypatch.setattr(run_index, "read_run", lambda run: row)  # reading them the first time is not what is measured
    for number in range(1000):
        (tmp_path / f"{number}").mkdir()
        for name in ("config.yaml", "metrics.jsonl"):
            (tmp_path / f"{number}" / name).touch()
    rows_of(tmp_path)
    began = time.process_time()
    found = rows_of(tmp_path)
    assert len(found) == len(differences(ordered(found, "run"))) + 1000
    assert time.process_time() - began < 5  # a tenth of that on an idle machine


def test_damaged_runs_are_handed_over_and_left_out(tmp_path: Path) -> None:
    make(tmp_path / "a", b"no event")
    make(tmp_path / "b")
    (tmp_path / "b" / "config.yaml").write_text("a: [")
    make(tmp_path / "c")
    (tmp_path / "c" / "config.yaml").write_text(json.dumps([1]))
    make(tmp_path / "d")
    problems: list[str] = []
    found = list_runs(tmp_path, lambda error: problems.append(str(error)))
    assert names(found) == "d"
    assert [problem.count(str(tmp_path)) >= 1 for problem in problems] == [True] * 3
