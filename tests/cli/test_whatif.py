"""`lenet whatif` and `lenet data suspects`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet


def test_the_samples_of_the_head_of_the_ranking_are_left_out(small_run: Path, lenet: Lenet, tmp_path: Path) -> None:
    sheet, table = tmp_path / "s.png", tmp_path / "s.csv"
    made = lenet("data", "suspects", str(small_run), "--json", "--csv", str(table), "--png", str(sheet), "--count", "4")
    head = json.loads(made.out)["suspects"]
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == json.loads(made.out)["samples"] == 1442
    assert [row["index"] for row in rows[:4]] == [str(row["index"]) for row in head]
    assert [float(row["loss"]) for row in rows] == sorted((float(row["loss"]) for row in rows), reverse=True)
    assert sheet.read_bytes().startswith(b"\x89PNG")
    found = json.loads(lenet("whatif", str(small_run), "--worst", "4", "--json", "--images", "3").out)
    assert found["without"] == sorted(row["index"] for row in head)
    assert (found["steps"], len(found["images"]), len(found["controls"])) == (184, 3, 1)
    assert 4 <= found["batches"] <= 16
    assert {"index", "target", "loss", "predicted", "actual"} == set(found["images"][0])
    shown = lenet("whatif", str(small_run), "--without", "7, 7,3", "--controls", "0").out
    assert shown.startswith("without 2 samples: 3, 7; in ")
    assert "by chance" not in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "which samples? Give one of --without 4711,4712 and --worst 20"),
        (["--without", "1", "--worst", "2"], "which samples? Give one of"),
        (["--without", "1,b"], "--without 1,b: wanted numbers of samples, such as 4711,4712"),
        (["--without", ","], "--without ,: wanted numbers of samples, such as 4711,4712"),
        (["--without", "-1"], "--without -1: wanted numbers"),
        (["--without", "99999"], "--without 99999: wanted numbers of samples that the run trains on, from 0 to 1,441"),
        (["--worst", "0"], "'--worst': Input should be greater than or equal to 1"),
    ],
)
def test_what_is_no_sample_is_refused(options: list[str], said: str, small_run: Path, lenet: Lenet) -> None:
    lenet("whatif", str(small_run), *options).assert_refused(2, said)


def test_what_is_no_run_and_no_place_for_a_file_is_refused(small_run: Path, lenet: Lenet, tmp_path: Path) -> None:
    lenet("data", "suspects", "configs/mlp.yaml").assert_refused(2, "configs/mlp.yaml")
    lenet("whatif", "configs/mlp.yaml", "--worst", "1").assert_refused(2, "configs/mlp.yaml")
    lenet("data", "suspects", str(small_run), "--png", "x.jpg").assert_refused(
        2, "--png x.jpg: wanted a name that ends"
    )
    lenet("data", "suspects", str(small_run), "--csv", str(tmp_path)).assert_refused(2, "a directory")
