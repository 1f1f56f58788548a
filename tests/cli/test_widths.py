"""What commands draw fits the terminal, narrow or wide, and nothing of it is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from lenetcli.report.columns import Columns
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
    "watch {run}",
    "diff {run} configs/lenet.yaml",
    "find-lr configs/mlp.yaml --steps 20",
    "layers",
    "layers ReLU",
    "data list",
    "doctor",
]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("line", COMMANDS)
def test_it_fits_uncut_and_every_column_is_shown_or_named(
    line: str, columns: int, lenet: Lenet, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[Columns] = []
    drawing = Columns.__rich_console__

    def noted(self: Columns, *how: Any) -> Any:
        tables.append(self)
        return drawing(self, *how)

    monkeypatch.setattr(Columns, "__rich_console__", noted)
    monkeypatch.setenv("COLUMNS", str(columns))
    Path("r").symlink_to(run)
    words = line.format(run="r").split()
    done = lenet(*words)
    assert done.code == 0, done.err
    assert [text for text in done.out.splitlines() if cell_len(text) > columns] == []
    if not line.startswith("step"):  # which leaves words out of what it tells
        assert "…" not in done.out
    told = "".join(done.out.split())
    wanted = 0
    for table in tables:
        left_out = table.left_out(columns)
        if left_out:
            wanted = max(wanted, table.whole)
            assert "".join(f"(no room for {', '.join(left_out)}; COLUMNS={table.whole} makes room)".split()) in told
        for column in table.columns:
            assert (column.name or column.title) in left_out or "".join(column.title.split()[:1]) in told
    if wanted and not line.startswith(("time", "find-lr")):  # whose figures are others each time
        monkeypatch.setenv("COLUMNS", str(wanted))
        assert "no room" not in lenet(*words).out


@pytest.mark.parametrize("columns", [40, 80])
def test_the_lines_of_a_training_fit(columns: int, lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    *table, last = lenet("train", "configs/mlp.yaml", "train.epochs=2", "train.limit_batches=4").out.splitlines()
    assert last.startswith("best epoch")
    told = " ".join(line for line in table if line.split()[0] not in ("epoch", "1/2", "2/2"))
    assert (told != "") is (columns == 40)
    assert all(heading in told for heading in ("train loss", "lr", "COLUMNS=76")) or columns == 80
    table = [line for line in table if line.split()[0] in ("epoch", "1/2", "2/2")]
    assert [line.split()[0] for line in table] == ["epoch", "1/2", "2/2"]
    assert max(map(len, table)) <= columns
    assert ("train loss" in table[0]) is (columns == 80)
    assert "test acc" in table[0]
