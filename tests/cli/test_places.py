"""Where data lies: beside the config or in the working directory, `~`, moved data; every command that reads data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import lenetcli
from lenetcli.data import MNIST
from lenetcli.errors import DataError
from tests.cli.conftest import Lenet
from tests.cli.test_classes import KINDS, THREE, write

OUT = {"MNIST": 10}
OF_CONFIG = (
    "train {} --out new --progress off", "validate {}", "find-lr {}", "gradcheck {}", "time {}", "trace-grad {}",
    "step {} --script", "data check {}", "data show {} --png sheet.png", "lab forget-zero-grad {}",
    "sweep {} optimizer.lr=[0.1] --out grid",
)  # fmt: skip
OF_RUN = (
    "eval {}", "eval {} --split train", "report {} --json", "report {} -o report.html", "time {}", "trace-grad {}",
    "step {} --script", "gradcheck {}", "data check {}", "data show {} --png sheet.png", "inspect-params {} --updates",
    "predict {} x.npy", "export {} -o x.npz", "train --resume {} train.epochs=2 --progress off",
)  # fmt: skip
PLACE = {"NPZ": "path", "CSV": "path"}
EACH = ("NPZ", "MNIST")  # kinds that every command is tried with: one file, a folder; the others with what reads first
FIRST = ("train", "validate", "data", "eval", "report", "predict")


def commands(all_of_them: tuple[str, ...], kind: str) -> list[str]:
    return [line for line in all_of_them if kind in EACH or line.startswith(FIRST)]


def project(place: Path, kind: str) -> Path:
    """A project's folder with a config and its data; the working directory is another one."""
    folder = place / "project"
    folder.mkdir()
    write(folder, kind, THREE, THREE, OUT.get(kind, 3))
    return folder


def moved(folder: Path, kind: str) -> list[str]:
    """Moves the data; gives the changes that say where it is."""
    away = folder.parent / "away"
    away.mkdir()
    changes = []
    for name in ("pictures", "hub", "idx", "data.npz", "train.csv", "test.csv"):
        if (folder / name).exists():
            (folder / name).rename(away / name)
            key = "test" if name == "test.csv" else PLACE.get(kind, "root")
            changes.append(f"data.{key}={away / name}")
    return changes


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_finds_its_data_from_anywhere(kind: str, lenet: Lenet, place: Path) -> None:
    folder = project(place, kind)
    for command in commands(OF_CONFIG, kind):
        done = lenet(*command.format(folder / "x.yaml").split())
        assert done.code == 0, (command, done.err)
    data = yaml.safe_load((place / "new" / "config.yaml").read_text())["data"]
    assert Path(data[PLACE.get(kind, "root")]).is_absolute()
    changes = moved(folder, kind)
    for command in commands(OF_CONFIG, kind):
        done = lenet(*command.replace("new", "newer").replace("grid", "grids").format(folder / "x.yaml").split())
        if command.startswith("validate"):  # what `lenet data get` gets need not be there yet
            assert (done.code, "the data was not looked at: " in done.err) == (0, kind != "MNIST")
            continue
        assert done.code == 3, command
        assert f"data.{PLACE.get(kind, 'root')}=" in done.err, (command, done.err)
        if not command.startswith(("validate", "sweep")):
            done = lenet(*command.replace("new", "newer").format(folder / "x.yaml").split(), *changes)
            assert done.code == 0, (command, done.err)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_whose_data_moved_takes_its_new_place(kind: str, lenet: Lenet, place: Path) -> None:
    folder = project(place, kind)
    assert lenet("train", str(folder / "x.yaml"), "--out", "run", "--progress", "off").code == 0
    shutil.copytree("run", "whole")
    write_x(place)
    changes = moved(folder, kind)
    for command in commands(OF_RUN, kind):
        knows = command.startswith(("predict", "export", "report"))  # predict and export read no data, report says so
        done = lenet(*command.format("run").split())
        assert done.code == (0 if knows else 3), (command, done.err)
        if not knows:
            assert f"data.{PLACE.get(kind, 'root')}=" in done.err, (command, done.err)
        lacks = "left out (maps, judged, gradients): " in done.err
        assert lacks is command.startswith("report"), (command, done.err)
        done = lenet(*command.format("run").split(), *changes)
        assert done.code == 0, (command, done.err)
        assert "left out" not in done.err, (command, done.err)
    assert lenet("diff", "run", "whole", *changes).code == 0
    assert (
        yaml.safe_load(Path("run/config.yaml").read_text())["data"][PLACE.get(kind, "root")]
        == (changes[0].partition("=")[2])
    )
    assert lenetcli.Trainer.open("whole", *changes).evaluate().count == len(THREE)
    with pytest.raises(DataError, match=r"data\."):
        lenetcli.Trainer.open("whole").evaluate()
    assert lenetcli.Trainer.open("whole").fit("train.epochs=2", *changes, progress="off").judged[-1].epoch == 2


def write_x(place: Path) -> None:
    import numpy as np

    np.save(place / "x.npy", np.zeros((2, 4, 4), np.uint8))


def test_a_run_without_inputs_json_predicts_with_its_moved_data(lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    assert lenet("train", str(folder / "x.yaml"), "--out", "run", "--progress", "off").code == 0
    Path("run/inputs.json").unlink()
    write_x(place)
    changes = moved(folder, "NPZ")
    assert lenet("predict", "run", "x.npy").code == 3
    assert lenet("predict", "run", "x.npy", *changes).code == 0


@pytest.mark.parametrize("kind", KINDS)
def test_resuming_with_other_data_is_refused(kind: str, lenet: Lenet, place: Path) -> None:
    """The hash decides: of samples, of labels, of names."""
    folder = project(place, kind)
    assert lenet("train", str(folder / "x.yaml"), "--out", "run", "--progress", "off").code == 0
    environment = json.loads(Path("run/environment.json").read_text())
    assert environment["data"]["samples"] == [len(THREE), len(THREE)]
    assert environment["data"]["hashed"] == 2 * len(THREE)
    moved(folder, kind)
    other = [*THREE[1:], THREE[0]]  # the pictures are the same, their labels are not
    write(folder, kind, other, other, OUT.get(kind, 3))
    done = lenet("train", "--resume", "run", "train.epochs=2", "--progress", "off")
    assert done.code == 3
    assert f"the data has changed: it had the sha256 {environment['data']['sha256'][:12]}" in done.err
    assert "--accept-changed goes on" in done.err
    assert lenet("train", "--resume", "run", "train.epochs=2", "--accept-changed", "--progress", "off").code == 0
    assert lenet("train", str(folder / "x.yaml"), "--accept-changed").code == 2


@pytest.mark.parametrize("told", [1, {}, {"sha256": 3}, {"sha256": "x", "samples": ["a", None]}, {"sha256": None}])
def test_what_environment_json_says_of_data_is_not_trusted(told: Any, lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    assert lenet("train", str(folder / "x.yaml"), "--out", "run", "--progress", "off").code == 0
    path = place / "run" / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "data": told}))
    done = lenet("train", "--resume", "run", "train.epochs=2", "--progress", "off")
    assert done.code == (3 if isinstance(told, dict) and told.get("sha256") else 0), done.err


def test_a_sweep_goes_on_where_its_data_has_moved(lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    sweep = ("sweep", str(folder / "x.yaml"), "optimizer.lr=[0.1, 0.2]", "--out", "grid")
    assert lenet(*sweep).code == 0
    events = place / "grid" / "0002" / "metrics.jsonl"
    events.write_text("".join(line for line in events.read_text().splitlines(True) if '"ended"' not in line))
    shutil.rmtree(place / "grid" / "0001")
    changes = moved(folder, "NPZ")
    assert lenet(*sweep).code == 3
    done = lenet(*sweep, *changes)
    assert done.code == 0, done.err
    assert changes[0].partition("=")[2] in (place / "grid" / "0002" / "config.yaml").read_text()


def test_other_changes_of_a_run_are_refused(lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    assert lenet("train", str(folder / "x.yaml"), "--out", "run", "--progress", "off").code == 0
    for command in ("eval", "report", "time", "step", "trace-grad", "gradcheck"):
        done = lenet(command, "run", "optimizer.lr=1")
        assert done.code == 2
        assert "only data.path may change here" in done.err
    assert lenet("eval", "run", "data.resize=[2, 2]").code == 2
    done = lenet("eval", "run", "other")
    assert (done.code, "other: beside a run only" in done.err) == (2, True)


def test_the_folder_of_the_config_comes_first_of_the_command_line_the_working_directory(
    lenet: Lenet, place: Path
) -> None:
    """Both are there, and it is said which was taken."""
    folder = project(place, "NPZ")
    write(place, "NPZ", THREE[:6], THREE, 3)
    done = lenet("train", str(folder / "x.yaml"), "--progress", "off", "--out", "a")
    assert f"data.path: data.npz is taken from {folder}; there is another at {place / 'data.npz'}" in done.err
    done = lenet("train", str(folder / "x.yaml"), "data.path=data.npz", "--progress", "off", "--out", "b")
    assert f"data.path: data.npz is taken from {place}" in done.err
    found = [yaml.safe_load(Path(run, "config.yaml").read_text())["data"]["path"] for run in ("a", "b")]
    assert found == [str(folder / "data.npz"), str(place / "data.npz")]
    (folder / "data.npz").unlink()
    assert lenet("train", str(folder / "x.yaml"), "--progress", "off").code == 0


def test_a_section_of_another_folder_has_its_data_beside_it(lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    config = yaml.safe_load((folder / "x.yaml").read_text())
    (place / "sets").mkdir()
    (place / "sets" / "mine.yaml").write_text(yaml.safe_dump(config["data"]))
    (folder / "data.npz").rename(place / "sets" / "data.npz")
    (folder / "x.yaml").write_text(yaml.safe_dump({**config, "data": "../sets/mine.yaml"}))
    (place / "elsewhere").mkdir()
    assert lenet("train", str(folder / "x.yaml"), "--out", "run", "--progress", "off").code == 0


def test_home_is_written_as_a_tilde(lenet: Lenet, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(place, "NPZ")
    monkeypatch.setenv("HOME", str(place / "away"))
    moved(folder, "NPZ")
    assert lenet("train", str(folder / "x.yaml"), "data.path=~/data.npz", "--out", "run", "--progress", "off").code == 0
    assert lenet("eval", "run").code == 0
    done = lenet("train", str(folder / "x.yaml"), "data.path=~/nothing.npz")
    assert done.code == 3
    assert f"{place / 'away' / 'nothing.npz'}: cannot be read: it is not there" in done.err
    assert lenet("train", str(folder / "x.yaml"), "data.path=~nobody-of-this-name/x.npz").code == 3


def test_home_in_python_and_behind_an_option(lenet: Lenet, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(place, "MNIST")
    monkeypatch.setenv("HOME", str(folder))
    assert len(MNIST("~/idx").train) == len(THREE)
    assert lenet("data", "show", "MNIST", "--root=~/idx", "--png", "x.png").code == 0


def test_a_data_set_of_ones_own_need_not_show_its_arrays(lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    (folder / "own.py").write_text(
        "import numpy as np\nfrom lenetcli.data import ArrayDataset, Source\n\n\nclass Judged:\n"
        "    def __len__(self): return 6\n\n"
        "    def __getitem__(self, i): return np.zeros((1, 4, 4), np.float32), np.int64(i % 3)\n\n\n"
        "class Made(Source):\n    test = Judged()\n\n    def load(self, split):\n"
        "        return ArrayDataset(np.zeros((6, 1, 4, 4), np.float32), np.arange(6) % 3)\n"
    )
    change = f"data={{type: '{folder / 'own.py'}:Made'}}"
    done = lenet("train", str(folder / "x.yaml"), change, "--out", "run", "--progress", "off")
    assert done.code == 0, done.err
    assert lenet("train", "--resume", "run", "train.epochs=2", "--progress", "off").code == 0


def test_data_of_ones_own_class_may_name_what_is_no_file(lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    (folder / "own.py").write_text(
        "import numpy as np\nfrom lenetcli.data import ArrayDataset, Source\n\n\nclass Made(Source):\n"
        "    def __init__(self, root: str, path: str = 'x') -> None:\n        super().__init__()\n"
        "        assert root == 'bucket:name', root\n\n"
        "    def load(self, split: str) -> ArrayDataset:\n"
        "        return ArrayDataset(np.zeros((6, 1, 4, 4), np.float32), np.arange(6) % 3)\n"
    )
    change = f"data={{type: '{folder / 'own.py'}:Made', root: 'bucket:name'}}"
    assert lenet("train", str(folder / "x.yaml"), change, "--out", "run", "--progress", "off").code == 0
    assert lenet("eval", "run").code == 0


@pytest.mark.parametrize("command", ["validate", "show", "find-lr", "train"])
def test_a_run_in_a_configurations_place_names_its_configuration(command: str, lenet: Lenet, place: Path) -> None:
    folder = project(place, "NPZ")
    assert lenet("train", str(folder / "x.yaml"), "--out", "run", "--progress", "off").code == 0
    done = lenet(command, "run")
    assert done.code == 2
    assert done.err.startswith("run: wanted a YAML file, got the directory of a run\n")
    assert "its configuration is run/config.yaml" in done.err
    assert lenet(command, "run/config.yaml").code == 0
