"""What signals do to a run, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lenetcli.data import loader
from lenetcli.runs import checkpoint
from lenetcli.train import evaluate
from lenetcli.train.events import Event, Saved, Step
from lenetcli.train.signals import polite_stop
from tests.train.small import difference, resume, train, write_config

NAMES = ["SIGINT", "SIGTERM", "SIGUSR1"]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Handlers of our own, to be found again after each test."""
    before = {name: signal.signal(getattr(signal, name), _ours) for name in NAMES}
    yield
    kept = {name: signal.getsignal(getattr(signal, name)) for name in NAMES}
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)
    assert kept == dict.fromkeys(NAMES, _ours)


def _ours(*_: Any) -> None:
    raise AssertionError("the run did not take the signal")


def send(step: int, *names: str) -> Any:
    """A listener that sends signals to this process once a step has been made."""

    def listen(event: Event) -> None:
        if isinstance(event, Step) and event.step == step:
            for name in names:
                os.kill(os.getpid(), getattr(signal, name))

    return listen


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_the_first_signal_saves_the_step_and_ends(name: str, code: int, tmp_path: Path) -> None:
    assert train(write_config(tmp_path), tmp_path / "run", also=send(3, name)) == code
    assert (tmp_path / "run" / "checkpoints" / "latest").read_text() == "000003"


@pytest.mark.parametrize(("names", "code"), [(("SIGINT", "SIGINT"), 130), (("SIGINT", "SIGTERM"), 143)])
def test_the_second_signal_ends_at_once(names: tuple[str, str], code: int, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    with pytest.raises(SystemExit) as ended:
        train(config, tmp_path / "run", also=send(6, *names))
    assert ended.value.code == code
    assert (tmp_path / "run" / "checkpoints" / "latest").read_text() == "000004"
    train(config, tmp_path / "whole")
    assert resume(tmp_path / "run") == 0
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_sigusr1_saves_and_goes_on(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    saved: list[str] = []
    wish = send(6, "SIGUSR1")

    def listen(event: Event) -> None:
        wish(event)
        if isinstance(event, Saved):
            saved.append(Path(event.path).name)

    assert train(config, tmp_path / "run", also=listen) == 0
    assert saved == ["000004", "000006", "000008", "000012"]
    train(config, tmp_path / "whole")
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_a_checkpoint_that_sigusr1_made_is_exact(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    train(config, tmp_path / "whole")
    for step in (5, 8):  # in the middle of an epoch, and before its evaluation
        run = tmp_path / str(step)
        wish, end = send(step, "SIGUSR1"), send(step + 1, "SIGINT", "SIGINT")

        def listen(event: Event, wish: Any = wish, end: Any = end) -> None:
            wish(event)
            end(event)

        with pytest.raises(SystemExit):
            train(config, run, also=listen)
        assert (run / "checkpoints" / "latest").read_text() == f"{step:06d}"
        assert resume(run) == 0
        assert difference(tmp_path / "whole", run) is None


def test_a_second_signal_ends_at_once_while_the_background_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that makes the next batches is joined after the step: what a handler raises there must come out."""
    join = threading.Thread.join

    def joined(thread: threading.Thread, timeout: float | None = None) -> None:
        if thread.name == "lenet-prefetch" and not thread_seen:
            thread_seen.append(thread)
            os.kill(os.getpid(), signal.SIGTERM)
        join(thread, timeout)

    thread_seen: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "join", joined)
    digits = ("data={type: Digits, augment: {rotate: 5}}", "model.input=[1, 8, 8]", "model.layers.fc2.out_features=10")
    with pytest.raises(SystemExit) as ended:
        train(write_config(tmp_path), tmp_path / "run", *digits, also=send(6, "SIGINT"))
    assert ended.value.code == 143
    assert thread_seen


@pytest.mark.parametrize("moment", ["evaluating", "saving", "loading data"])
@pytest.mark.parametrize(("names", "code"), [(("SIGINT",), 130), (("SIGTERM", "SIGINT"), 130)])
def test_a_signal_at_any_moment_leaves_a_run_that_goes_on_exactly(
    moment: str, names: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name = {
        "evaluating": (evaluate, "no_grad"), "saving": (checkpoint, "write_new"), "loading data": (loader, "gather"),
    }[moment]  # fmt: skip
    real, calls = getattr(place, name), []

    def interrupted(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == 5:
            for one in names:
                os.kill(os.getpid(), getattr(signal, one))
        return real(*args, **options)

    config = write_config(tmp_path)
    changes = ("train.epochs=8",)
    train(config, tmp_path / "whole", *changes)
    with monkeypatch.context() as patch:
        patch.setattr(place, name, interrupted)
        try:
            ended = train(config, tmp_path / "run", *changes)
        except SystemExit as at_once:
            ended = int(str(at_once.code))
    assert ended == code
    assert resume(tmp_path / "run") == 0
    assert difference(tmp_path / "whole", tmp_path / "run") is None


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert train(write_config(tmp_path), tmp_path / "run", "train.epochs=1", also=send(2, "SIGINT")) == 0
    assert signal.signal(signal.SIGINT, _ours) is signal.SIG_IGN


def test_handlers_come_back_after_a_failure() -> None:
    def fail() -> None:
        assert signal.getsignal(signal.SIGINT) is not _ours
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), polite_stop(None):  # type: ignore[arg-type]  # no signal comes
        fail()


def test_another_thread_trains_without_handlers(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(train(config, tmp_path / "run")))
    thread.start()
    thread.join()
    assert codes == [0]
