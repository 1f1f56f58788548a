"""Trainer: the same run as the command's, from Python."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.errors import ConfigError, DataError, DivergedError
from lenetcli.report.training import progress as shown
from lenetcli.runs import history as metrics
from lenetcli.train.events import Event, Step
from tests.train.small import CONFIG, difference, train, write_config


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_makes_the_commands_run(place: Path) -> None:
    path = write_config(place)
    train(path, place / "command")
    trainer = lenet.Trainer(path, out="python")
    history = trainer.fit(progress="off")
    assert difference(place / "command", place / "python") is None
    assert {p.name for p in (place / "python").iterdir()} == {p.name for p in (place / "command").iterdir()}
    assert [e.epoch for e in history.judged] == [1, 2, 3]
    assert repr(history).startswith("finished after 3 epochs, best epoch ")
    assert repr(trainer) == f"Trainer(python: {history!r})"


def test_a_dict_says_what_a_file_says(place: Path) -> None:
    lenet.Trainer(yaml.safe_load(CONFIG), "train.epochs=1").fit(progress="off")
    trainer = lenet.Trainer(write_config(place), "train.epochs=1")
    trainer.fit(progress="off")
    assert str(trainer.run_directory) == "runs/small/001"
    assert difference(place / "runs" / "notebook" / "001", place / "runs" / "small" / "001") is None


def test_progress_is_printed_unless_it_is_turned_off(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lenet.Trainer(write_config(place)).fit()
    assert capsys.readouterr().out.count("\n") == 4
    lenet.Trainer(write_config(place)).fit(progress="off")
    assert capsys.readouterr().out == ""


def test_it_goes_on_further_than_planned(place: Path) -> None:
    path = write_config(place)
    train(path, place / "whole", "train.epochs=5")
    trainer = lenet.Trainer(path, out="run")
    trainer.fit(progress="off")
    assert [e.epoch for e in trainer.fit("train.epochs=5", progress="off").judged] == [1, 2, 3, 4, 5]
    assert difference(place / "whole", place / "run") is None


def at_step(number: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Acts once a step has been made, as a user would."""

    class Acting(shown.Silent):
        def __call__(self, event: Event) -> None:
            if isinstance(event, Step) and event.step == number:
                act()

    monkeypatch.setattr("lenetcli.report.training.listeners.listener", lambda *_: Acting())


@pytest.mark.parametrize("kind", ["config", "objects"])
def test_interrupted_it_goes_on_where_it_was(place: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    trainer = lenet.Trainer(write_config(place)) if kind == "config" else objects()
    with monkeypatch.context() as patch:
        at_step(3, lambda: os.kill(os.getpid(), signal.SIGINT), patch)
        with pytest.raises(KeyboardInterrupt, match="SIGINT after step 3"):
            trainer.fit()
        assert trainer.history.ended.reason == "interrupted"  # type: ignore[union-attr]  # it has ended
    history = trainer.fit(progress="off")
    assert history.ended.reason == "finished"  # type: ignore[union-attr]  # it has ended
    assert history.steps.step.tolist() == list(range(1, len(history.steps.step) + 1))
    assert len(history.judged) == 3


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"])
def test_one_signal_ends_a_loop_of_several_fits(place: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    trainers = [lenet.Trainer(write_config(place), out=place / str(number)) for number in range(3)]
    at_step(3, lambda: os.kill(os.getpid(), getattr(signal, name)), monkeypatch)

    def loop() -> None:
        for trainer in trainers:
            trainer.fit()

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert (place / "0" / "checkpoints" / "latest").read_text() == "000003"
    assert [trainer.run_directory for trainer in trainers[1:]] == [None, None]


def test_it_evaluates_and_predicts_with_the_best_model(place: Path) -> None:
    trainer = lenet.Trainer(write_config(place), "train.validation=0.3")
    assert trainer.model.training
    history = trainer.fit(progress="off")
    assert trainer.evaluate("validation").loss == pytest.approx(history.best.loss)  # type: ignore[union-attr]
    assert trainer.evaluate().loss == pytest.approx(history.ended.loss)  # type: ignore[union-attr]
    assert trainer.evaluate().confusion is not None
    assert not trainer.model.training
    images = np.random.default_rng(0).random((5, 1, 2, 2), np.float32)
    found = trainer.predict(images, top=2)
    assert [len(p.top) for p in found] == [2] * 5
    output = trainer.model(lenet.from_numpy(images)).softmax(1)
    assert [p.top[0][0] for p in found] == [str(i) for i in output.argmax(1).tolist()]
    assert [p.top[0][1] for p in found] == pytest.approx(output.max(1)[0].tolist())
    assert trainer.predict(lenet.from_numpy(images), top=2) == found
    np.save("one.npy", images[0])
    assert trainer.predict("one.npy", top=2)[0].top[0] == (found[0].top[0][0], pytest.approx(found[0].top[0][1]))
    assert [p.file for p in trainer.predict([Path("one.npy"), "one.npy"])] == ["one.npy"] * 2


def test_a_run_directory_is_opened_and_saved(place: Path) -> None:
    train(write_config(place), place / "run")
    trainer = lenet.Trainer.open("run")
    assert len(trainer.history.judged) == 3
    copy = trainer.save("copy")
    assert difference(place / "run", copy) is None
    assert lenet.Trainer.open(copy).evaluate().loss == trainer.evaluate().loss
    assert lenet.Trainer.open(copy).fit("train.epochs=4", progress="off").judged[-1].epoch == 4
    with pytest.raises(ConfigError, match="exists and is not an empty directory"):
        trainer.save("copy")


def test_however_it_is_made_it_is_one_kind_of_trainer(place: Path) -> None:
    class Mine(lenet.Trainer):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            self.begun = True

    path = write_config(place)
    train(path, place / "run", "train.epochs=1")
    net, pair = nn.Linear(2, 1), (np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32))
    made = Mine.of(net, optim.SGD(net.parameters(), lr=0.1), nn.MSELoss(), pair, pair)
    for trainer, directory in ((Mine(path), None), (Mine.open(place / "run"), place / "run"), (made, None)):
        assert type(trainer) is Mine
        assert trainer.begun
        assert trainer.run_directory == directory


def objects(**options: Any) -> Any:
    lenet.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    data = (lenet.randn(12, 1, 2, 2), lenet.randint(0, 3, (12,)))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    return lenet.Trainer.of(net, optimizer, nn.CrossEntropyLoss(), data, data, epochs=3, batch_size=4, **options)


def test_objects_of_a_script_are_trained_in_memory(place: Path) -> None:
    trainer = objects()
    before = trainer.model[1].weight.clone()
    history = trainer.fit(progress="off")
    assert [e.epoch for e in history.judged] == [1, 2, 3]
    assert history.judged[-1].loss < history.judged[0].loss
    assert not lenet.equal(before, trainer.model[1].weight)
    assert trainer.evaluate().loss == pytest.approx(history.judged[-1].loss)
    assert trainer.evaluate("train").count == 12
    assert list(place.iterdir()) == []
    saved = trainer.save("net")
    assert {p.name for p in saved.iterdir()} == {"model.safetensors", "metrics.jsonl", "environment.json"}
    assert lenet.equal(lenet.load(saved / "model.safetensors")["1.weight"], trainer.model[1].weight)
    assert len(metrics.read_history(saved).steps.step) == len(history.steps.step) == 9


def test_objects_predict_their_classes() -> None:
    x = lenet.randn(5, 1, 2, 2)
    trainer = objects(classes=("cat", "dog", "owl"))
    expected = [("cat", "dog", "owl")[i] for i in trainer.model(x).argmax(1).tolist()]
    assert [p.top[0][0] for p in trainer.predict(x)] == expected
    assert {p.top[0][0] for p in objects().predict(x.numpy())} <= {"0", "1", "2"}
    assert trainer.evaluate().confusion.sum() == 12
    net = nn.Linear(2, 3)
    pair = (lenet.randn(4, 2), lenet.randn(4, 3))
    regression = lenet.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.MSELoss(), pair, pair)
    assert regression.evaluate().accuracy is None


def test_data_may_be_pairs_sets_or_loaders() -> None:
    net = nn.Linear(2, 1)
    x, y = np.zeros((6, 2), np.float32), np.zeros((6, 1), np.float32)
    dataset = TensorDataset(lenet.from_numpy(x), lenet.from_numpy(y))
    for data in ((x, y), dataset, DataLoader(dataset, 2)):
        trainer = lenet.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.MSELoss(), data, data)
        assert trainer.fit(progress="off").judged[0].count == 6


def test_what_cannot_be_is_one_message(place: Path) -> None:
    path = write_config(place)
    trainer = lenet.Trainer(path)
    for call in (trainer.evaluate, lambda: trainer.predict("a.png"), lambda: trainer.save("there")):
        with pytest.raises(ConfigError, match="nothing has been trained yet; call fit"):
            call()  # type: ignore[operator]  # each is a function
    with pytest.raises(ConfigError, match=r"give train.epochs=4 to Trainer"):
        trainer.fit("train.epochs=4")
    with pytest.raises(ConfigError, match="did you mean epochs"):
        lenet.Trainer(path, "train.epoch=4")
    with pytest.raises(ConfigError, match=r"notebook:27:9: loss\.type: unknown loss"):
        lenet.Trainer({**yaml.safe_load(CONFIG), "loss": {"type": "CrossEntropy"}})
    with pytest.raises(ConfigError, match="cannot be written as YAML"):
        lenet.Trainer({"model": nn.Linear(1, 1)})
    with pytest.raises(ConfigError, match="not a run directory"):
        lenet.Trainer.open(place)
    trainer.fit(progress="off")
    with pytest.raises(ConfigError, match="wanted train, validation, test, got 'exam'"):
        trainer.evaluate("exam")
    with pytest.raises(ConfigError, match="holds nothing back"):
        trainer.evaluate("validation")
    with pytest.raises(ConfigError, match="that is another run"):
        trainer.fit("train.batch_size=2")
    with pytest.raises(DataError, match="nowhere"):
        trainer.predict("nowhere.png")
    with pytest.raises(DataError):
        trainer.predict(np.zeros((2, 3, 4, 5, 6)))
    with pytest.raises(DivergedError):
        lenet.Trainer(path, "optimizer={type: SGD, lr: 1e300}").fit(progress="off")
    with pytest.raises(ConfigError, match="wanted train or test"):
        objects().evaluate("validation")
    with pytest.raises(ConfigError, match="has no configuration to change"):
        objects().fit("train.epochs=3")
    with pytest.raises(DataError, match="numbers"):
        objects().predict(["a.png"])
