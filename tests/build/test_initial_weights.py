"""Weights that a new run begins with: model.init, strict and rename, for lenet import, too; lenet diff compares."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.build.parts import build_model, build_run
from lenetcli.config import load
from lenetcli.errors import DataError
from lenetcli.export.weights import npz_bytes
from lenetcli.runs.open import load_run
from tests.cli.conftest import Lenet, place  # noqa: F401  # a fixture
from tests.cli.conftest import lenet as command  # noqa: F401  # a fixture
from tests.train.small import at, difference, resume, train

CONFIG = """
model:
  input: [1, 6, 6]
  init: weights.pth
  layers:
    - {type: Conv2d, name: conv1, out_channels: 3, kernel_size: 3}
    - {type: BatchNorm2d, name: bn1}
    - {type: ReLU}
    - {type: Flatten}
    - {type: Linear, name: fc, out_features: 4}
data: {type: Random, shape: [1, 6, 6], classes: 4, train: 14, test: 4}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.05, momentum: 0.9}
train: {epochs: 3, batch_size: 4}
"""
LENIENT = "model.strict=false"


class Killed(BaseException):
    """What stands for a SIGKILL."""


def die() -> None:
    raise Killed


def state(classes: int = 4, seed: int = 5) -> dict[str, lenet.Tensor]:
    """The weights of the configuration's net, with a head for so many classes."""
    lenet.manual_seed(seed)
    net = nn.Sequential()
    for name, layer in (
        ("conv1", nn.Conv2d(1, 3, 3)), ("bn1", nn.BatchNorm2d(3)), ("2", nn.ReLU()), ("3", nn.Flatten()),
        ("fc", nn.Linear(48, classes)),
    ):  # fmt: skip
        net.add_module(name, layer)
    net.bn1.running_mean += lenet.tensor([1.0, 2.0, 3.0])
    return net.state_dict()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration, with weights beside it."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    lenet.save(state(), tmp_path / "weights.pth")
    return tmp_path / "c.yaml"


def same(model: nn.Module, wanted: dict[str, lenet.Tensor], but: tuple[str, ...] = ()) -> bool:
    own = model.state_dict()
    return all(np.array_equal(own[name].numpy(), t.numpy()) is (name not in but) for name, t in wanted.items())


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors", "w.npz"])
def test_every_kind_of_file_is_taken(name: str, config: Path) -> None:
    if name.endswith("npz"):
        build = build_model(load(config, ["model.init=null"]))[0]
        build.load_state_dict(state())
        (config.parent / name).write_bytes(npz_bytes(build))
    else:
        lenet.save(state(), config.parent / name)
    assert same(build_model(load(config, [f"model.init={config.parent / name}"]))[0], state())


def test_the_file_lies_beside_the_configuration_wherever_one_works(
    config: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert same(build_model(load(config))[0], state())
    lenet.save(state(seed=6), "weights.pth")
    assert same(build_model(load(config))[0], state()), "the one beside it comes first"
    assert same(build_model(load(config, ["model.init=weights.pth"]))[0], state(seed=6)), "the command line's is here"


def test_all_that_is_given_does_not_change_what_is_drawn_for_the_rest(config: Path) -> None:
    drawn = build_model(load(config, ["model.init=null"]))[0].state_dict()
    lenet.save(state(classes=7), config.parent / "weights.pth")
    run = build_run(load(config, [LENIENT]))
    for name, tensor in run.model.state_dict().items():
        wanted = drawn if name.startswith("fc") else state()
        assert np.array_equal(tensor.numpy(), wanted[name].numpy()), name
    heads = "fc.weight (the file has [7, 48], the model [4, 48]), fc.bias (the file has [7], the model [4])"
    assert run.notes == (f"model.init: 7 of 9 tensors are the file's; start anew: {heads}",)


def test_a_backbone_is_renamed_and_the_head_starts_anew(config: Path) -> None:
    given = {f"module.backbone.{k}": v for k, v in state().items() if not k.startswith("fc")}
    lenet.save({**given, "module.neck.weight": lenet.zeros(2)}, config.parent / "weights.pth")
    rename = 'model.rename={"module.": "", "backbone.": ""}'
    run = build_run(load(config, [LENIENT, rename]))
    assert same(run.model, {k: v for k, v in state().items() if not k.startswith("fc")})
    assert run.notes == (
        "model.init: 7 of 9 tensors are the file's; start anew: fc.weight, fc.bias",
        "model.init: of the file, 1 are not used: neck.weight",
    )
    with pytest.raises(DataError) as caught:
        build_run(load(config, [rename]))
    assert "neck.weight [2]: in the file, not in the model" in str(caught.value)
    assert "strict: false would take the 6 that fit" in str(caught.value)


def test_an_empty_beginning_is_that_of_all_names(config: Path) -> None:
    flat = {key: tensor for key, tensor in state().items() if key.startswith("conv1")}
    lenet.save({key.removeprefix("conv1."): tensor for key, tensor in flat.items()}, config.parent / "weights.pth")
    assert same(build_model(load(config, [LENIENT, 'model.rename={"": "conv1."}']))[0], flat)


def test_a_rename_that_would_help_is_told(config: Path) -> None:
    lenet.save(
        {f"net.{key}": value for key, value in state().items()} | {"x": lenet.ones(1)}, config.parent / "weights.pth"
    )
    with pytest.raises(DataError, match=r'rename: \{"net.": ""\} would make 8 of 9 fit'):
        build_model(load(config))


def test_two_names_that_become_one_are_refused(config: Path) -> None:
    lenet.save({**state(), "old.fc.bias": lenet.zeros(4)}, config.parent / "weights.pth")
    with pytest.raises(DataError, match=r"with rename 'old.' -> '' two tensors would be called 'fc.bias'"):
        build_model(load(config, ['model.rename={"old.": ""}']))


def test_where_nothing_fits_lenience_does_not_help(config: Path) -> None:
    lenet.save({"a.weight": lenet.zeros(2)}, config.parent / "weights.pth")
    with pytest.raises(DataError, match="none of these weights fits this model"):
        build_model(load(config, [LENIENT]))


def test_a_run_needs_the_file_no_more_once_it_has_begun(config: Path) -> None:
    run = config.parent / "run"
    with pytest.raises(Killed):
        train(config, run, also=at(2, die))
    (config.parent / "weights.pth").unlink()
    assert not (run / "checkpoints").exists()
    assert resume(run) == 0
    lenet.save(state(), config.parent / "weights.pth")
    assert train(config, config.parent / "whole") == 0
    assert difference(config.parent / "whole", run) is None
    (config.parent / "weights.pth").unlink()
    assert resume(run, "train.epochs=4") == 0
    assert load_run(run).config.begun
    (run / "initial.safetensors").unlink()
    (run / "checkpoints").rename(config.parent / "gone")
    (run / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"initial\.safetensors: it is gone"):
        resume(run)


def test_training_from_a_runs_configuration_repeats_it_and_minds_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config.parent)
    assert train(config, Path("one")) == 0
    assert train(Path("one/config.yaml"), Path("two")) == 0
    assert difference(Path("one"), Path("two")) is None
    recorded = json.loads(Path("two/environment.json").read_text())["init"]
    assert recorded["file"] == str(config.parent / "weights.pth")
    lenet.save(state(seed=9), "weights.pth")
    with pytest.raises(DataError, match=r"weights.pth has changed since one began with it.*initial.safetensors"):
        train(Path("one/config.yaml"), Path("three"))
    assert not Path("three/config.yaml").exists()
    assert train(Path("one/config.yaml"), Path("three"), accept_changed=True) == 0
    assert difference(Path("one"), Path("three")) is not None
    assert train(Path("one/config.yaml"), Path("four"), "model.init=one/initial.safetensors") == 0
    Path("weights.pth").unlink()
    with pytest.raises(DataError, match=r"it is not there; the run keeps what it began with: model.init="):
        train(Path("one/config.yaml"), Path("five"))


def test_an_average_begins_with_them_too(config: Path) -> None:
    run = build_run(load(config, ["train.ema=0.9"]))
    assert run.average is not None
    assert same(run.average.module, state())


def test_import_takes_the_same_options_and_the_configurations_keys(command: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG.replace("  init: weights.pth\n", "  init: not there.pth\n"))
    given = {f"backbone.{k}": v for k, v in state(classes=7).items()}
    lenet.save(given | {"neck": lenet.zeros(1)}, place / "w.pth")
    done = command("import", "w.pth", "--config", "c.yaml", "--out", "a")
    assert done.code == 3
    assert 'rename: {"backbone.": ""} would make' in done.err
    done = command("import", "w.pth", "--config", "c.yaml", "--out", "a", "--no-strict", "--rename", "backbone.=")
    assert done.code == 0
    assert "start anew: fc.weight (the file has [7, 48]" in done.err
    assert "of the file, 1 are not used: neck" in done.err
    assert "init" not in (place / "a" / "config.yaml").read_text()
    changes = ("model.strict=false", 'model.rename={"backbone.": ""}')
    assert command("import", "w.pth", *changes, "--config", "c.yaml", "--out", "b").code == 0
    assert command("import", "w.pth", *changes, "--strict", "--config", "c.yaml", "--out", "d").code == 3
    assert command("diff", "a/model.safetensors", "b/model.safetensors").out.strip() == "weights: bit for bit the same"
    done = command("import", "w.pth", "--config", "c.yaml", "--rename", "backbone")
    assert (done.code, done.err) == (
        2, "error: --rename backbone: wanted OLD=NEW, such as module.= or backbone.=features.\n",
    )  # fmt: skip


def test_commands_say_what_starts_anew(command: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG)
    lenet.save(state(classes=7), place / "weights.pth")
    (place / "c.yaml").write_text(CONFIG.replace("init:", "strict: false\n  init:"))
    for words in ("validate",), ("show",), ("inspect-params",), ("inspect-params", "--json"), ("train",):
        done = command(words[0], "c.yaml", *words[1:])
        assert done.code == 0, done.err
        assert "7 of 9 tensors are the file's; start anew: fc.weight" in done.err, words
    (place / "weights.pth").unlink()
    done = command("show", "c.yaml")
    assert done.code == 0
    assert "weights.pth: cannot be read: it is not there" in done.err
    assert "init: weights.pth" in done.out
    assert command("validate", "c.yaml").code == 3


def test_what_leaves_the_machine_does_not_name_the_file(command: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG.replace("  layers:", "  freeze: [conv1]\n  layers:", 1))
    lenet.save(state(), place / "weights.pth")
    command("train", "c.yaml", "--out", "run")
    assert command("export", "run", "--format", "safetensors", "-o", "out.safetensors").code == 0
    text = (place / "out.safetensors").read_bytes()
    assert str(place).encode() not in text
    assert b"weights.pth" not in text
    assert b"freeze: [conv1]" in text


def test_a_sweep_goes_over_frozen_layers(command: Lenet, place: Path) -> None:  # noqa: F811
    (place / "c.yaml").write_text(CONFIG)
    lenet.save(state(), place / "weights.pth")
    done = command("sweep", "c.yaml", "model.freeze=[[conv1],[conv1,bn1]]", "--out", "sweep")
    assert done.code == 0, done.err
    runs = sorted((place / "sweep").glob("*/config.yaml"))
    assert ["freeze: [conv1]" in path.read_text() for path in runs] == [True, False]


def test_two_files_of_weights_are_compared_by_name(command: Lenet, place: Path) -> None:  # noqa: F811
    one, other = state(), state()
    other["fc.bias"] = other["fc.bias"] + 1
    other["more"] = lenet.zeros(2)
    lenet.save(one, place / "a.pth")
    lenet.save(other, place / "b.safetensors")
    found = json.loads(command("diff", "a.pth", "b.safetensors", "--json").out)
    assert (found["config"], found["first_step"], found["replay"]) == ([], None, None)
    assert [(t["name"], t["shape_a"], t["shape_b"], t["count"]) for t in found["tensors"]] == [
        ("fc.bias", [4], [4], 4), ("more", None, [2], None),
    ]  # fmt: skip
    assert found["tensors"][0]["largest"] == pytest.approx(1)
    assert (
        "first differing tensor: fc.bias; largest difference: fc.bias" in command("diff", "a.pth", "b.safetensors").out
    )
    for words, code in (
        (("a.pth", "configs/mlp.yaml"), 2),
        (("a.pth", "no.pth"), 3),
        (("a.pth", "a.pth", "data.root=x"), 2),
    ):
        assert command("diff", *words).code == code
