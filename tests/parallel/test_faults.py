"""Ranks that stop, diverge, differ, come late, hang or die: all end alike, with a message and a whole checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parallel.ranks import LENET, ended, needs_mpi, processes, start, train_all, wait_for, write_config
from tests.train.small import difference

pytestmark = needs_mpi

LONG = "train.epochs=5000"


def begun(place: Path, ranks: int, **variables: str) -> tuple[subprocess.Popen[str], Path, list[int]]:
    """A training of many epochs that has saved, its directory, and its ranks."""
    out = place / "run"
    command = [*LENET, "train", str(write_config(place)), LONG, "--out", str(out)]
    team = start(command, ranks=ranks, **variables)
    wait_for(lambda: (out / "checkpoints" / "latest").exists() or team.poll() is not None)
    assert team.poll() is None, team.communicate()
    return team, out, processes(out)


def test_a_signal_to_one_rank_stops_all_after_the_same_step(tmp_path: Path) -> None:
    team, out, (_, second) = begun(tmp_path, 2)
    os.kill(second, signal.SIGTERM)
    code, _, complained = ended(team)
    assert code == 143
    step = int((out / "checkpoints" / "latest").read_text())
    assert f"stopped by SIGTERM after step {step}" in complained
    assert complained.count("stopped by") == 1
    more = f"train.epochs={step // 5 + 2}"
    train_all(2, tmp_path / "small.yaml", {out: [more], tmp_path / "whole": [more]})
    assert difference(tmp_path / "whole", out) is None


def test_a_killed_rank_leaves_a_whole_checkpoint_that_fewer_ranks_continue(tmp_path: Path) -> None:
    team, out, ranks = begun(tmp_path, 3)
    os.kill(ranks[1], signal.SIGKILL)
    code, printed, complained = ended(team)
    assert code not in (0, 130)
    assert "KILLED" in (printed + complained).upper()  # the launcher says so
    wait_for(lambda: not processes(out))
    step = int((out / "checkpoints" / "latest").read_text())
    train_all(2, tmp_path / "small.yaml", {out: [f"train.epochs={step // 5 + 1}"]})
    assert json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])["reason"] == "finished"


def test_a_rank_that_hangs_is_given_up(tmp_path: Path) -> None:
    team, out, ranks = begun(tmp_path, 2, LENET_MPI_TIMEOUT="2")
    os.kill(ranks[1], signal.SIGSTOP)
    code, _, complained = ended(team)
    assert code not in (0, 130)
    assert "rank 0 on " in complained
    assert (
        "no answer from the other ranks for 2 s (LENET_MPI_TIMEOUT): one hangs or has died; all ranks end" in complained
    )
    assert f"is whole, to continue: lenet train --resume {out}" in complained
    wait_for(lambda: not processes(out))


def test_all_ranks_diverge_together(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    code, _, complained = ended(
        start([*LENET, "train", str(config), "optimizer.lr=1e30", "--out", str(tmp_path / "run")], ranks=2)
    )
    assert code == 4
    assert complained.count("became") == 1


@pytest.mark.parametrize(
    ("second", "code", "message"),
    [
        ("train.batch_size=20", 2, "config.train.batch_size is 20, but 10 on rank 0"),
        ("data=other.yaml", 3, "nowhere.npz"),
    ],
    ids=["configuration", "data"],
)
def test_ranks_that_differ_are_refused_before_they_train(second: str, code: int, message: str, tmp_path: Path) -> None:
    config, out = write_config(tmp_path), tmp_path / "run"
    (tmp_path / "other.yaml").write_text("type: NPZ\npath: nowhere.npz\n")
    command = [*LENET, "train", str(config), "--out", str(out)]
    given, _, complained = ended(start(command, [*command, second]))
    assert given == code
    assert "rank 1 on " in complained
    assert message in complained
    assert not out.exists()


def test_ranks_of_other_versions_are_refused(tmp_path: Path) -> None:
    code = (
        "import os, sys, lenetcli\n"
        "rank = os.environ.get('PMI_RANK', os.environ.get('OMPI_COMM_WORLD_RANK'))\n"
        "lenetcli.__version__ += '+other' if rank == '1' else ''\n"
        f"sys.argv = ['lenet', 'train', {str(write_config(tmp_path))!r}, '--out', {str(tmp_path / 'run')!r}]\n"
        "from lenetcli.cli.app import main\n"
        "main()\n"
    )
    (tmp_path / "other.py").write_text(code)
    exit_code, _, complained = ended(start([sys.executable, str(tmp_path / "other.py")], ranks=2))
    assert exit_code == 2
    assert "+other, but" in complained
    assert "on rank 0; all ranks have to train the same run" in complained
    assert not (tmp_path / "run").exists()
