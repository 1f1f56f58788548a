"""Trees, distances between weights, and how the weights of a run move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_run
from lenetcli.errors import DataError
from lenetcli.inspection.compare.tensors import compare
from lenetcli.inspection.model.tree import tree_of_model, tree_of_names
from lenetcli.inspection.training.checkpoint_history import updates
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.tensors.serialization import load
from lenetcli.train.loop import fit
from tests.conftest import ROOT
from tests.inspection.test_summary import Tied

MLP = str(ROOT / "configs" / "mlp.yaml")


def test_a_tree_has_every_module_and_counts_a_shared_tensor_once() -> None:
    root = tree_of_model(Tied())
    assert (root.kind, root.count, root.trainable) == ("Tied", 34, 24)
    fc, twin, frozen = root.branches
    assert [(leaf.name, leaf.count, leaf.shared) for leaf in fc.leaves] == [("weight", 16, None), ("bias", 4, None)]
    assert [(leaf.name, leaf.count, leaf.shared) for leaf in twin.leaves] == [
        ("weight", 0, "fc.weight"), ("bias", 4, None)
    ]  # fmt: skip
    assert (frozen.count, frozen.trainable) == (10, 0)
    nested = tree_of_model(nn.Sequential(nn.Sequential(nn.ReLU(), nn.Linear(2, 3))))
    assert nested.branches[0].branches[1].count == 9
    assert [branch.kind for branch in nested.branches[0].branches] == ["ReLU", "Linear"]


def test_names_make_the_same_tree() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3)), nn.Linear(3, 1))
    by_name, by_module = tree_of_names(dict(model.named_parameters())), tree_of_model(model)
    assert by_name.count == by_module.count == 13
    assert by_name.branches[0].branches[0].leaves[0].shape == [3, 2]


def test_distances_are_what_numpy_says() -> None:
    a = {"w": lenet.tensor([[1.0, 2.0], [3.0, 4.0]]), "same": lenet.ones(3), "gone": lenet.zeros(1)}
    b = {"w": lenet.tensor([[1.0, 2.5], [3.0, 2.0]]), "same": lenet.ones(3), "new": lenet.zeros(2)}
    found = compare(a, b)
    w, same, gone, new = found.tensors
    assert (w.mean, w.max) == (0.625, 2.0)
    assert w.relative == pytest.approx(np.sqrt(0.25 + 4) / np.sqrt(30))
    assert (same.mean, same.max, same.relative) == (0.0, 0.0, 0.0)
    assert (gone.note, new.note) == ("only in the first", "only in the other")
    assert found.total.mean == pytest.approx(2.5 / 7)
    assert found.total.max == 2.0
    assert compare({"z": lenet.zeros(2)}, {"z": lenet.ones(2)}).tensors[0].relative is None
    assert compare({"z": lenet.zeros(2)}, {"z": lenet.ones(3)}).tensors[0].note == "the other has [3]"
    assert compare({}, {}).total.mean is None


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with three checkpoints."""
    place = tmp_path_factory.mktemp("run")
    run = build_run(configuration.load(MLP, ["train.epochs=3", "train.limit_batches=5", "train.warmup=20"]))
    run.checkpoints = Checkpoints(place)
    for _ in fit(run):
        pass
    return place


def fresh() -> Any:
    return build_run(configuration.load(MLP, ["train.epochs=3", "train.limit_batches=5", "train.warmup=20"]))


def test_changes_between_checkpoints(trained: Path) -> None:
    found = updates(trained, fresh())
    assert found.steps == [0, 5, 10, 15]
    assert found.skipped == []
    first, second = (load(trained / "checkpoints" / name / "model.safetensors") for name in ("000005", "000010"))
    for moves in found.tensors:
        before, after = (np.asarray(tensors[moves.name].array, np.float64) for tensors in (first, second))
        assert moves.changes[1] == pytest.approx(np.linalg.norm(after - before) / np.linalg.norm(before))
        assert len(moves.changes) == 3
        assert len(moves.gradient_mean) == len(moves.updates) == 4
    json.dumps(found.record(), allow_nan=False)


def test_the_update_at_a_look_is_the_optimizers_next_step(trained: Path) -> None:
    run = fresh()
    Checkpoints(trained).look(run)
    inputs, targets = next(run.train_loader.batches(0))
    before = {name: p.array.copy() for name, p in run.model.named_parameters()}
    run.optimizer.zero_grad()
    run.criterion(run.model(inputs), targets).backward()
    for group in run.optimizer.param_groups:
        group["lr"] *= 16 / 20  # the warm-up's
    run.optimizer.step()
    for moves in updates(trained, fresh()).tensors:
        p = run.model.get_parameter(moves.name)
        expected = np.linalg.norm(p.array - before[moves.name]) / np.linalg.norm(before[moves.name])
        assert moves.updates[-1] == pytest.approx(float(expected), rel=1e-4)
        assert moves.gradient_mean[-1] == pytest.approx(float(np.abs(p.grad.array).mean()), rel=1e-5)


def test_a_damaged_checkpoint_is_left_out(trained: Path, tmp_path: Path) -> None:
    import shutil

    place = tmp_path / "run"
    shutil.copytree(trained, place)
    (place / "checkpoints" / "000010" / "model.safetensors").write_bytes(b"x")
    found = updates(place, fresh())
    assert found.steps == [0, 5, 15]
    assert "000010" in found.skipped[0]
    shutil.rmtree(place / "checkpoints")
    with pytest.raises(DataError, match="no whole checkpoint"):
        updates(place, fresh())
