"""Session: a run directory is begun, resumed and followed in one way, and left as it was where nothing came of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lenetcli import config as configuration
from lenetcli.build.parts import build_run
from lenetcli.errors import ConfigError, LenetError
from lenetcli.runs.lock import is_locked, locked
from lenetcli.runs.session import Session
from lenetcli.train.events import Event
from tests.train.small import at, difference, train, write_config


def test_it_is_the_commands_run(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    train(path, tmp_path / "command")
    with Session.new(configuration.load(path), tmp_path / "session") as session:
        assert session.directory == tmp_path / "session"
        assert is_locked(tmp_path / "session")
        assert session.follow().reason == "finished"
    assert not is_locked(tmp_path / "session")
    assert difference(tmp_path / "command", tmp_path / "session") is None


def test_what_was_stopped_is_resumed_and_every_listener_hears_all_of_it(tmp_path: Path) -> None:
    path, place = write_config(tmp_path), tmp_path / "run"
    train(path, tmp_path / "whole")
    heard: list[Event] = []
    with Session.new(configuration.load(path), place) as session:
        stop = at(6, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert session.follow([heard.append, stop]).reason == "interrupted"
        with pytest.raises(ConfigError, match="another training is running there"), Session.resume(place):
            pass
    with Session.resume(place) as session:
        assert session.checkpoint is not None
        assert session.run.progress.step == 6
        session.follow([heard.append])
    assert [event.step for event in heard if event.event == "step"] == list(range(1, 13))
    assert difference(tmp_path / "whole", place) is None


def test_without_a_checkpoint_it_is_resumed_from_its_beginning(tmp_path: Path) -> None:
    with Session.new(configuration.load(write_config(tmp_path)), tmp_path / "run"):
        pass
    with Session.resume(tmp_path / "run", ["train.epochs=1"]) as session:
        assert (session.checkpoint, session.run.epochs) == (None, 1)
        assert session.follow().step == 4
    assert configuration.load(tmp_path / "run" / "config.yaml").train.epochs == 1


def test_a_directory_in_which_nothing_could_be_written_is_gone_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LenetError("too little room")

    monkeypatch.setattr("lenetcli.runs.directory.check_space", full)
    config = configuration.load(write_config(tmp_path))
    with pytest.raises(LenetError, match="too little room"), Session.new(config, tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()


def test_a_directory_that_the_caller_has_locked_is_begun_as_it_stands(tmp_path: Path) -> None:
    place, config = tmp_path / "trial", configuration.load(write_config(tmp_path))
    place.mkdir()
    with locked(place):
        with Session.new(config, place, lock=False) as session:
            session.follow()
        assert is_locked(place)
        with Session.resume(place, lock=False) as session:
            assert session.checkpoint is not None
    with pytest.raises(ConfigError, match="not an empty directory"), Session.new(config, place):
        pass


def test_in_memory_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build_run(configuration.load(write_config(tmp_path)))
    monkeypatch.chdir(tmp_path)
    heard: list[Event] = []
    assert Session(run).follow([heard.append]).epoch == 3
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
    assert {event.event for event in heard} == {"step", "evaluated", "ended"}
