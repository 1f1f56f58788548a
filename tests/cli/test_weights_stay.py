"""No command replaces weights that it has not made from them: every state of a run directory, every command."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lenetcli
from lenetcli import load
from lenetcli.errors import ConfigError, DataError
from lenetcli.tensors.serialization import save
from tests.cli.conftest import Lenet
from tests.train.small import CONFIG

OTHER = "other.safetensors"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def made(lenet: Lenet, place: Path) -> Path:
    """A finished run in `run`, and weights of somebody else."""
    (place / "small.yaml").write_text(CONFIG)
    assert lenet("train", "small.yaml", "--out", "run", "--progress", "off").code == 0
    state = {name: tensor * 2 for name, tensor in load("run/model.safetensors").items()}
    state["2.num_batches_tracked"] = load("run/model.safetensors")["2.num_batches_tracked"]
    save(state, OTHER)
    np.save("x.npy", np.zeros((2, 1, 2, 2), np.float32))
    return place / "run"


def without(*names: str) -> Callable[[Path, Lenet], None]:
    def change(run: Path, _: Lenet) -> None:
        for name in names:
            path = run / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def imported(run: Path, lenet: Lenet) -> None:
    shutil.rmtree(run)
    assert lenet("import", OTHER, "--config", "small.yaml", "--out", str(run)).code == 0


def emptied(run: Path, _: Lenet) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()


def replaced(run: Path, _: Lenet) -> None:
    shutil.copy(OTHER, run / "model.safetensors")


def newest_damaged(run: Path, _: Lenet) -> None:
    (run / "checkpoints" / "000012" / "model.safetensors").write_bytes(b"no weights")


def replaced_without_newest(run: Path, lenet: Lenet) -> None:
    replaced(run, lenet)
    without("checkpoints/000012")(run, lenet)


STATES: dict[str, Callable[[Path, Lenet], None]] = {
    "finished": lambda run, _: None,
    "imported": imported,
    "no checkpoints": without("checkpoints"),
    "no checkpoint": emptied,
    "no newest checkpoint": without("checkpoints/000012"),
    "no checkpoints, no metrics": without("checkpoints", "metrics.jsonl"),
    "newest checkpoint damaged": newest_damaged,
    "weights replaced": replaced,
    "weights replaced, no newest checkpoint": replaced_without_newest,
}
LOOKING = (
    "eval run", "predict run x.npy", "report run", "export run -o out.npz", "export run -o run/model.safetensors",
    "export run -o run/checkpoints/000008/model.safetensors", "time run", "trace-grad run",
    "trace-grad run --svg run/model.safetensors", "step run --script", "gradcheck run", "inspect-params run",
    "inspect-params run --updates", "diff run other", "runs .", "plot run", "data check run",
    "report run -o run/model.safetensors", "import other.safetensors --config small.yaml --out run",
    "train small.yaml --out run", "sweep small.yaml optimizer.lr=[0.1] --out run",
    "train --resume run optimizer.momentum=1", "data show run --png run/model.safetensors",
    "sweep small.yaml optimizer.lr=[0.1] --out grid --plot run/model.safetensors", "init run/model.safetensors",
    "trace-grad run --html run/model.safetensors", "trace-grad run --mermaid run/model.safetensors",
    "trace-grad run --dot run/model.safetensors", "plot run -o run/model.safetensors",
    "inspect-params run --filters run/model.safetensors", "train small.yaml --out run/model.safetensors",
    "export run --format huggingface -o run",
)  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_looking_changes_no_weights(state: str, made: Path, lenet: Lenet) -> None:
    STATES[state](made, lenet)
    shutil.copytree(made, "other")
    before = {path: sha256(path) for path in made.rglob("*.safetensors")}
    for command in LOOKING:
        lenet(*command.split())
        assert {path: sha256(path) for path in made.rglob("*.safetensors")} == before, command
    trainer = lenetcli.Trainer.open(made)
    trainer.evaluate()
    for write in (
        lambda: lenetcli.Trainer.open("other").save(made),
        lambda: lenetcli.Trainer("small.yaml", out=made).fit(),
    ):
        with pytest.raises(ConfigError, match="not an empty directory"):
            write()
    assert sha256(made / "model.safetensors") == before[made / "model.safetensors"]


@pytest.mark.parametrize("way", ["command", "Trainer"])
@pytest.mark.parametrize("state", STATES)
def test_resuming_keeps_weights_that_were_given(state: str, way: str, made: Path, lenet: Lenet) -> None:
    STATES[state](made, lenet)
    before, code, said = sha256(made / "model.safetensors"), 0, ""
    if way == "command":
        done = lenet("train", "--resume", "run", "train.epochs=4", "--progress", "off")
        code, said = done.code, done.err
    else:
        try:
            lenetcli.Trainer.open(made).fit("train.epochs=4", progress="off")
        except DataError as error:
            code, said = error.exit_code, str(error)
    kept = {sha256(path) for path in made.rglob("*.safetensors")}
    if state in ("no checkpoints", "no checkpoint"):
        assert code == 3
        assert "its checkpoints are gone" in said
        assert sha256(made / "model.safetensors") == before
        return
    assert code == 0, said
    if state in ("imported", "no checkpoints, no metrics"):
        assert sha256(made / "initial.safetensors") == before
        assert way != "command" or "training begins from the weights that it was given" in said
    elif "replaced" in state:
        assert before in kept
    assert (made / "checkpoints" / "latest").read_text() == "000016"


def test_training_from_imported_weights_begins_with_them(made: Path, lenet: Lenet) -> None:
    """With a learning rate of nothing, the weights stay; killed before a checkpoint, it begins with them again."""
    imported(made, lenet)
    assert lenet("train", "--resume", "run", "optimizer.lr=1e-30", "train.epochs=1", "--progress", "off").code == 0
    given, found = load(OTHER), load("run/model.safetensors")
    for name in ("fc1.weight", "fc2.bias"):
        assert given[name].tolist() == found[name].tolist()
    shutil.rmtree(made / "checkpoints")
    before = sha256(made / "model.safetensors")
    assert lenet("train", "--resume", "run", "--progress", "off").code == 3
    assert sha256(made / "model.safetensors") == before
    shutil.copy(made / "initial.safetensors", made / "model.safetensors")  # as when the first epoch was cut short
    assert lenet("train", "--resume", "run", "--progress", "off").code == 0


def test_the_way_out_of_missing_checkpoints_works(made: Path, lenet: Lenet) -> None:
    without("checkpoints")(made, lenet)
    said = lenet("train", "--resume", "run").err
    first, second = said.partition("lenet import ")[2].strip().split(", then lenet ")
    assert lenet("import", *first.replace("NEW", "new").split()).code == 0
    assert lenet(*second.replace("NEW", "new").split(), "--progress", "off").code == 0
