"""Which split chose the best epoch is said wherever it is chosen or shown."""

from __future__ import annotations

from pathlib import Path

import pytest

import lenetcli as lenet_package
from tests.cli.conftest import Lenet


@pytest.mark.parametrize(("changes", "split"), [([], "test"), (["train.validation=0.2"], "validation")])
def test_the_split_that_chose_the_best_epoch_is_named(lenet: Lenet, changes: list[str], split: str) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=2", *changes, "--out", "runs/a")
    assert f"chosen on the {split} split" in done.out.splitlines()[-1]
    told = {name: lenet("eval", "runs/a", "--split", name).out for name in ("train", "test", split)}
    for name, text in told.items():
        assert ("(which chose the best epoch)" in " ".join(text.split())) == (name == split)
    assert ("chosen on the test split" in lenet("runs").out) == (split == "test")
    lenet("report", "runs/a")
    assert f"chosen on the {split} split" in Path("runs/a/report.html").read_text()
    history = lenet_package.Trainer.open("runs/a").history
    assert f"chosen on the {split} split" in repr(history)


def test_of_one_epoch_none_was_chosen(lenet: Lenet) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=1", "--out", "runs/a")
    assert "chosen" not in done.out
    assert "chosen" not in lenet("runs").out
    assert "chose" not in lenet("eval", "runs/a").out
