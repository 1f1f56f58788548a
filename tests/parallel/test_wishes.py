"""What one rank is asked, by a signal or the clock, all do after the same step."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.parallel.ranks import ended, needs_mpi, start, write_config
from tests.train.small import difference

pytestmark = needs_mpi


def wishes(
    place: Path, ranks: int, signals: dict[int, list[tuple[int | str, ...]]], *changes: str, whole: str = ""
) -> tuple[list[Any], str]:
    """Trains `place`/run, or goes on with it; what each rank saw, and what was complained about.

    With `whole`, a change of the configuration, the same ranks then train `place`/whole, too, which nothing interrupts.
    """
    command = [sys.executable, "-m", "tests.parallel.wishes", str(write_config(place)), str(place / "run")]
    undisturbed = {str(place / "whole"): [whole]} if whole else {}
    words = [*command, json.dumps(signals), json.dumps(undisturbed), *changes]
    code, printed, complained = ended(start(words, ranks=ranks))
    assert code == 0, f"{printed}\n{complained}"
    (line,) = [line for line in printed.splitlines() if line.startswith("told ")]
    return json.loads(line.removeprefix("told ")), complained


@pytest.mark.parametrize(("ranks", "asked"), [(2, 1), (3, 2)])
def test_sigusr1_to_any_rank_saves_on_all_and_goes_on(ranks: int, asked: int, tmp_path: Path) -> None:
    """Five steps make an epoch; the rank is asked after the second, so that all save after the third."""
    told, _ = wishes(tmp_path, ranks, {asked: [(2, "SIGUSR1")]}, "train.epochs=2", whole="train.epochs=2")
    saves = [["saved", 3], ["saved", 5], ["saved", 10], ["finished", 10]]
    assert told == [[0, saves]] * ranks
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["ranks"] == ranks
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_what_sigusr1_has_saved_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """Saved after step 3 for one rank, stopped after step 4 for another one, then gone on with from step 3."""
    told, complained = wishes(tmp_path, 2, {1: [(2, "SIGUSR1")], 0: [(3, "SIGTERM")]}, "train.epochs=2")
    assert told == [[143, [["saved", 3], ["saved", 4], ["interrupted", 4]]]] * 2
    assert complained.count("stopped by SIGTERM") == 0  # the run was quiet
    (tmp_path / "run" / "checkpoints" / "000004" / "model.safetensors").write_bytes(b"torn")
    told, complained = wishes(tmp_path, 2, {}, whole="train.epochs=2")
    assert "from checkpoint 000003; skipped: " in complained
    assert told == [[0, [["saved", 5], ["saved", 10], ["finished", 10]]]] * 2
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_signals_to_all_ranks_at_different_steps_are_heard_once_each(tmp_path: Path) -> None:
    signals = {0: [(1, "SIGUSR1")], 1: [(1, "SIGUSR1"), (6, "SIGUSR1")], 2: [(8, "SIGINT")]}
    told, _ = wishes(tmp_path, 3, signals, "train.epochs=4")
    saves = [["saved", 2], ["saved", 5], ["saved", 7], ["saved", 9], ["interrupted", 9]]
    assert told == [[130, saves]] * 3


def test_time_is_up_for_all_after_the_same_step(tmp_path: Path) -> None:
    ranks = 3
    told, complained = wishes(tmp_path, ranks, {}, "train.epochs=100000", "train.max_time=0.3")
    code, (*_, (reason, step)) = told[0]
    assert told == [told[0]] * ranks
    assert (code, reason) == (0, "out of time")
    assert told[0][1][-2] == ["saved", step]
    assert (tmp_path / "run" / "checkpoints" / "latest").read_text() == f"{step:06d}"
    again, _ = wishes(tmp_path, ranks, {})  # there is still no time
    assert again == [[0, [["out of time", step]]]] * ranks
    epochs = f"train.epochs={step // 5 + 2}"
    more, complained = wishes(tmp_path, ranks, {}, epochs, "train.max_time=1h", whole=epochs)
    assert [entry[1][-1][0] for entry in more] == ["finished"] * ranks
    assert f"from checkpoint {step:06d}" in complained
    last = {run: (tmp_path / run / "checkpoints" / "latest").read_text() for run in ("run", "whole")}
    assert last["run"] == last["whole"]
    weights = [tmp_path / run / "checkpoints" / last[run] / "model.safetensors" for run in last]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.parametrize("asked", [0, 1])
def test_a_signal_to_a_rank_that_evaluates_stops_all_and_the_epoch_is_saved(asked: int, tmp_path: Path) -> None:
    """It comes before the rank's first batch: the others wait for no answer that never comes."""
    told, _ = wishes(tmp_path, 2, {asked: [(5, "SIGTERM", "evaluation")]}, "train.epochs=2")
    assert told == [[143, [["saved", 5], ["interrupted", 5]]]] * 2
    assert not (tmp_path / "run" / "model.safetensors").exists()
    told, _ = wishes(tmp_path, 2, {}, whole="train.epochs=2")
    assert told == [[0, [["saved", 5], ["saved", 10], ["finished", 10]]]] * 2
    assert difference(tmp_path / "whole", tmp_path / "run") is None
