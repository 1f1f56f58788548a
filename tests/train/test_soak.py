"""A long training takes no more memory at its end than at its beginning."""

from __future__ import annotations

import gc
import inspect
import pathlib
import re
import sys
from pathlib import Path

import pytest

from lenetcli.cli.training import resume_run, start_run
from lenetcli.train.events import Evaluated, Event
from tests.conftest import ROOT
from tests.mutation import largest_memory
from tests.train.small import train, write_config

EPOCHS, WARM, MOST = 200, 40, 5 * 2**20  # bytes


def held() -> int:
    """Bytes that this process holds now; where the system does not say, the most that it ever held."""
    gc.collect()
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return largest_memory()
    import resource

    return int(pages.read_text().split()[1]) * resource.getpagesize()


def test_an_epoch_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    """What refers to itself lies about until all objects are looked through, and a long run grows meanwhile."""
    left: dict[int, int] = {}

    def look(event: Event) -> None:
        if isinstance(event, Evaluated) and event.split == "test":
            left[event.epoch] = gc.collect()

    gc.disable()
    try:
        assert train(write_config(tmp_path), tmp_path / "run", "train.epochs=6", also=look) == 0
    finally:
        gc.enable()
    assert [left[epoch] for epoch in range(3, 7)] == [0, 0, 0, 0]


def test_saving_enters_no_new_name_in_the_table_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pathlib keeps each part of a path there; Python doubles the table, by megabytes, when it is full."""
    if "sys.intern" not in inspect.getsource(pathlib):
        pytest.skip("this Python's pathlib keeps no account of names")
    entered: list[str] = []

    class Counted:
        def __getattr__(self, name: str) -> object:
            return getattr(sys, name)

        def intern(self, part: str) -> str:
            entered.append(part)
            return sys.intern(part)

    monkeypatch.setattr(pathlib, "sys", Counted())
    assert train(write_config(tmp_path), tmp_path / "run", "train.epochs=6") == 0
    assert entered
    at_all = [name for name in entered if re.search(r"[0-9]{6}|\.tmp$", name)]
    assert len(at_all) < 6, at_all  # when the best weights are loaded, at the end, and not at the 12 saves


@pytest.mark.slow
def test_two_hundred_epochs_take_no_more_memory_than_forty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory: dict[int, int] = {}

    def weigh(event: Event) -> None:
        if isinstance(event, Evaluated) and event.split == "test":
            memory[event.epoch] = held()

    config = str(ROOT / "configs" / "mlp.yaml")
    run = tmp_path / "run"
    assert start_run(config, ["train.epochs=180"], run, "off", also=weigh) == 0
    assert resume_run(run, [f"train.epochs={EPOCHS}"], "off", also=weigh) == 0
    growth = memory[180] - memory[WARM]
    with capsys.disabled():
        print(f"\n{EPOCHS} epochs: {memory[WARM] / 2**20:.1f} MiB after {WARM}, {growth / 2**20:+.2f} MiB after 180")
    assert growth < MOST
    assert len(memory) == EPOCHS
