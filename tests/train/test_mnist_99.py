"""configs/mnist-99.yaml, without its data: it trains, and the script that it is timed beside is the same recipe."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from lenetcli.train.events import Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run
from tests.conftest import ROOT, run_of
from tests.data.test_sources import write_mnist


def on_small_files(place: Path, *changes: str) -> Run:
    write_mnist(place / "mnist")
    return run_of("mnist-99", f"data.root={place / 'mnist'}", *changes)


def test_it_trains_on_any_files_of_mnists_format(tmp_path: Path) -> None:
    run = on_small_files(tmp_path)
    before = [p.detach().clone() for p in run.model.parameters()]
    assert sum(isinstance(event, Step) for event in fit(run)) == 5
    assert all((p != old).any() for p, old in zip(run.model.parameters(), before))


def test_the_script_for_torch_is_the_same_recipe(tmp_path: Path, torch: Any) -> None:
    spec = importlib.util.spec_from_file_location("mnist_99", ROOT / "benchmarks" / "mnist_99.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    run = on_small_files(tmp_path)
    theirs = [tuple(p.shape) for p in script.net().parameters()]
    assert [tuple(p.shape) for p in run.model.parameters()] == theirs
    assert (run.epochs, run.train_loader.batch_size) == (script.EPOCHS, script.BATCH)
    assert (type(run.optimizer).__name__, run.optimizer.param_groups[0]["lr"]) == ("Adam", script.RATE)
