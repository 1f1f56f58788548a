"""A long training takes no more memory at its end than at its beginning."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from lenetcli.cli.training import resume_run, start_run
from lenetcli.train.events import Evaluated, Event
from tests.conftest import ROOT
from tests.mutation import largest_memory

EPOCHS, WARM, MOST = 200, 40, 5 * 2**20  # bytes


def held() -> int:
    """Bytes that this process holds now; where the system does not say, the most that it ever held."""
    gc.collect()
    pages = Path("/proc/self/statm")
    if not pages.exists():
        return largest_memory()
    import resource

    return int(pages.read_text().split()[1]) * resource.getpagesize()


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
