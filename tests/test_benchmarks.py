"""The benchmarks run, on next to nothing, and their pages keep what people wrote."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "benchmarks")):
            del sys.modules[name]


def test_a_part_of_a_page_is_replaced_and_the_rest_stays(benchmarks: None, tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("# Title\n<!-- one -->\nold\n<!-- end of one -->\nnotes\n<!-- two -->\n<!-- end of two -->\n")
    page: Any = import_module("page").Page(file)
    page.put("one", "new")
    page.put("two", "| table |")
    wanted = "# Title\n<!-- one -->\nnew\n<!-- end of one -->\nnotes\n<!-- two -->\n| table |\n<!-- end of two -->\n"
    assert file.read_text() == wanted
    with pytest.raises(ValueError, match="no part between <!-- three --> and <!-- end of three -->"):
        page.put("three", "")


@pytest.mark.usefixtures("torch")
def test_both_pages_have_all_parts(benchmarks: None) -> None:
    for name, parts in (
        ("RESULTS", import_module("versus_torch").PARTS),
        ("GROWTH", ("batch", "width", "image", "layers")),
    ):
        text = (ROOT / "benchmarks" / f"{name}.md").read_text("utf-8")
        for part in parts:
            assert text.index(f"<!-- {part} -->") < text.index(f"<!-- end of {part} -->") < text.index("## Notes")


@pytest.mark.usefixtures("torch")
def test_parts_give_tables(benchmarks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    versus: Any = import_module("versus_torch")
    memory: Any = import_module("memory")
    monkeypatch.setattr(import_module("rounds"), "SECONDS", 0.001)
    monkeypatch.setattr(versus, "WORK", versus.WORK[:1])
    monkeypatch.setattr(memory, "NETS", memory.NETS[:1])
    monkeypatch.setattr(memory, "SIDES", {"NumPy, without reuse": memory.SIDES["NumPy, without reuse"]})
    arguments = argparse.Namespace(rounds=1, data=None)
    for part in ("steps", "ops", "memory"):
        table = [line for line in versus.PARTS[part](arguments) if line.startswith("|")]
        assert len({line.count("|") for line in "\n".join(table).splitlines()}) == 1, part
        assert "LeNet, batch 64" in table[-1] or "LeNet as Sequential, batch 64" in table[-1] or "conv2d" in table[-1]


@pytest.mark.usefixtures("torch")
def test_a_process_is_measured_without_the_memory_of_its_parent(benchmarks: None) -> None:
    whole: Any = import_module("whole_process")
    ballast = bytearray(b"1" * 200_000_000)
    seconds, megabytes = whole.run([sys.executable, "-c", "x = bytearray(b'1' * 20_000_000)"])
    assert len(ballast)
    assert 0 < seconds < 60
    assert 19 < megabytes < 150
    sizes = whole.installed_sizes()
    assert 10 < sizes["lenet"] < sizes["torch"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.usefixtures("torch")
def test_a_size_gives_a_row() -> None:
    code = "import growth as g; print(g.HEAD); print(g.row(next(g.sizes('layers')), 1))"
    place = str(ROOT / "benchmarks")
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=True)
    head, _, row = done.stdout.splitlines()
    assert row.startswith("| Linear 64, ReLU | 5 | 64 |")
    assert row.count("|") == head.count("|")


def test_the_page_of_papers_has_a_line_for_each(benchmarks: None) -> None:
    papers: Any = import_module("papers")
    page = papers.PAGE.read_text("utf-8")
    for name in papers.ROWS:
        line = papers.row(name, [(1.0, 60.0), (3.0, 60.0)])
        assert "| 2.00 | 1.00-3.00 | 2 | 1.0 min |" in line
        changed = papers.replaced(page, name, line)
        assert [b for a, b in zip(page.splitlines(), changed.splitlines(), strict=True) if a != b] == [line]


def test_a_paper_counts_runs_that_were_trained_to_their_end(benchmarks: None, tmp_path: Path) -> None:
    papers: Any = import_module("papers")
    tested = '{"event": "evaluated", "split": "test", "accuracy": 0.99}\n'
    for reason, wanted in (("interrupted", None), ("finished", (pytest.approx(1.0), 3.0))):
        ended = f'{{"event": "ended", "reason": "{reason}", "seconds": 3.0}}\n'
        (tmp_path / "metrics.jsonl").write_text(tested + ended)
        assert papers.finished(tmp_path) == wanted
    (tmp_path / "metrics.jsonl").write_text(tested)
    assert papers.finished(tmp_path) is None
    assert papers.finished(tmp_path / "nowhere") is None


def test_the_cost_of_the_live_view_is_told_with_its_interval(
    benchmarks: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live: Any = import_module("live")
    assert [live.ranks(count) for count in (1, 2, 5, 6, 20)] == [(0, 0), (0, 1), (0, 4), (0, 5), (5, 14)]
    words = [str(ROOT / "configs" / "mlp.yaml"), "train.epochs=1", "train.limit_batches=2", "--pairs", "1"]
    monkeypatch.setattr(sys, "argv", ["live.py", *words])
    live.main()
    told = capsys.readouterr().out
    assert "1 pairs: median " in told
    assert "the same bits" in told
