"""What commands draw fits the terminal, narrow or wide, and nothing of it is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.conftest import Lenet

COMMANDS = [
    "eval {run}",
    "inspect-params {run}",
    "inspect-params configs/lenet.yaml --tree",
    "inspect-params configs/lenet.yaml --summary",
    "inspect-params configs/lenet.yaml --histogram",
    "inspect-params {run} --diff configs/mlp.yaml",
    "inspect-params {run} --updates",
    "inspect-params {run} --gradients",
    "trace-grad configs/tutorial.yaml",
    "trace-grad configs/tutorial.yaml --depth 1",
    "trace-grad {run} --check",
    "gradcheck {run}",
    "step {run} --script",
    "time {run}",
    "lab",
    "lab lr-too-high configs/mlp.yaml",
    "lab bad-init configs/mlp.yaml",
    "plot {run}",
    "diff {run} configs/lenet.yaml",
    "find-lr configs/mlp.yaml --steps 20",
    "layers",
    "layers ReLU",
    "data list",
    "doctor",
]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("line", COMMANDS)
def test_it_fits(line: str, columns: int, lenet: Lenet, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    link = Path("r")
    link.symlink_to(run)
    done = lenet(*line.format(run=link).split())
    assert done.code == 0, done.err
    wide = [text for text in done.out.splitlines() if cell_len(text) > columns]
    assert wide == []
    if not line.startswith("step"):  # which leaves words out of what it tells
        assert "…" not in done.out


@pytest.mark.parametrize("columns", [40, 80])
def test_the_lines_of_a_training_fit(columns: int, lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    *table, last = lenet("train", "configs/mlp.yaml", "train.epochs=2", "train.limit_batches=4").out.splitlines()
    assert last.startswith("best epoch")
    assert [line.split()[0] for line in table] == ["epoch", "1/2", "2/2"]
    assert max(map(len, table)) <= columns
    assert ("train loss" in table[0]) is (columns == 80)
    assert "test acc" in table[0]


def test_the_verdict_on_resuming_fits(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    small = ("data={type: Random, shape: [1, 8, 8], train: 40, test: 8}", "train.batch_size=8", "train.epochs=1")
    done = lenet("verify-resume", "configs/mlp.yaml", *small, "--kills", "2")
    assert done.code == 0, done.err
    assert max(map(len, done.out.splitlines())) <= 80
    assert "same to the last bit" in " ".join(done.out.split())
