"""Runs while they train: what is read of a file that grows, what is drawn of it, and what keys ask for."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lenetcli import config as configuration
from lenetcli.errors import DataError
from lenetcli.inspection.training.newest import Newest
from lenetcli.inspection.training.replay import replayed_to
from lenetcli.report.console import Terminal
from lenetcli.report.live import watching
from lenetcli.report.live.frame import Frame
from lenetcli.report.live.keys import Keys
from lenetcli.report.live.pace import Pace
from lenetcli.report.live.page import page
from lenetcli.report.live.server import serving
from lenetcli.report.live.training import LiveView
from lenetcli.report.live.watching import Watch, watch
from lenetcli.runs.history import Growing, read_history
from lenetcli.runs.session import Session
from lenetcli.train.events import Event
from tests.commands import called
from tests.conftest import ROOT
from tests.report.browser import check
from tests.report.live_page import browser, new_page
from tests.terminal import told
from tests.train.small import at, difference, figures, resume, train, write_config

WIDTHS = (40, 80, 200)


def terminal(width: int = 80, height: int = 24, encoding: str = "utf-8", **how: Any) -> tuple[Console, io.BytesIO]:
    """A terminal, and what is written to it."""
    seen = io.BytesIO()
    file = io.TextIOWrapper(seen, encoding, write_through=True)
    return Terminal(file=file, force_terminal=True, width=width, height=height, force_jupyter=False, **how), seen


class Pressed(Keys):
    """A keyboard at which somebody presses keys, one after the other, whenever the view looks."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.left = list(keys)

    def open(self) -> bool:
        return True

    def pressed(self, seconds: float = 0.0) -> str:
        return self.left.pop(0) if self.left else ""


@contextmanager
def viewed(config: Path, out: Path, keys: Keys | None = None) -> Iterator[tuple[Session, LiveView]]:
    """A new run with a view of it."""
    with Session.new(configuration.load(str(config), []), out) as session:
        view = LiveView(session.run, "run", terminal()[0], keys or Pressed())
        view.pace = Pace(share=1e9, least=0.0)  # draws at each event
        try:
            yield session, view
        finally:
            view.close()


def losses(run: Path) -> list[float]:
    """Of every step, in order."""
    return read_history(run).steps.loss.tolist()


def text_of(runs: list[Path], width: int, height: int | None = None, encoding: str = "utf-8", **how: Any) -> str:
    """A picture of runs as a terminal gets it."""
    console, seen = terminal(width, height or 24, encoding, **how)
    frame = Frame([Watch(run).watched for run in runs], ["keys"] if height else [], height)
    console.print(frame, crop=False, no_wrap=True, overflow="ignore")
    return seen.getvalue().decode(encoding)


def test_a_view_changes_no_bit_of_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenetcli.report.live.training.SELDOM", 1)
    config = write_config(tmp_path)
    assert train(config, tmp_path / "without") == 0
    with viewed(config, tmp_path / "with") as (session, view):
        session.follow([view])
        assert len(view.gathered.gradients) == 12, "layers are measured though the configuration does not say so"
    runs = tmp_path / "without", tmp_path / "with"
    assert difference(*runs) == "metrics.jsonl", "but for the figures of gradients:"
    without, shown = ([{k: v for k, v in e.items() if k != "gradients"} for e in figures(run)] for run in runs)
    assert without == shown
    assert (tmp_path / "without" / "config.yaml").read_text() == (tmp_path / "with" / "config.yaml").read_text()


def test_a_rate_that_a_key_lowers_is_told_saved_resumed_and_replayed(tmp_path: Path) -> None:
    config, out = write_config(tmp_path), tmp_path / "run"
    with viewed(config, out) as (session, view):
        lower: list[Callable[[Event], None]] = [at(step, lambda: view.answer("-")) for step in (2, 4, 6)]
        session.follow([view, *lower, at(7, lambda: view.answer("q"))])
    events = list(map(json.loads, (out / "metrics.jsonl").read_text().splitlines()))
    changed = [(e["step"], e["changes"]["optimizer.lr"]) for e in events if e["event"] == "changed"]
    assert changed == [(2, [0.01, 0.005]), (4, [0.005, 0.0025]), (6, [0.0025, 0.00125])]
    assert [e["lr"] for e in events if e["event"] == "step"] == [0.01] * 2 + [0.005] * 2 + [0.0025] * 2 + [0.00125]
    assert [e["step"] for e in events if e["event"] == "saved"][-1] == 7
    assert "lr: 0.00125" in (out / "config.yaml").read_text()
    assert resume(out) == 0
    assert len(losses(out)) == 12
    assert read_history(out).changes[-1].step == 6, "nothing changed when the run went on"
    for step in range(1, 13):
        replayed_to(out, [], step)

    with viewed(config, tmp_path / "whole") as (session, view):
        session.follow([view, *[at(step, lambda: view.answer("-")) for step in (2, 4, 6)]])
    assert losses(tmp_path / "whole") == losses(out)


def test_a_schedule_that_sets_the_rate_itself_says_so_and_goes_on(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("ReduceLROnPlateau, patience: 0", "OneCycleLR, max_lr: 0.1"))
    with viewed(config, tmp_path / "run") as (session, view):
        told: list[str] = []
        session.follow([view, at(2, lambda: (view.answer("-"), told.append(view.told)))])
    assert "OneCycleLR sets the learning rate itself" in told[0]
    assert not read_history(tmp_path / "run").changes


def test_keys_pause_save_and_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenetcli.report.live.training.LOOK", -1.0)
    keys = Pressed("", "s", "p", "", "", "-", "p", "", "q")
    with viewed(write_config(tmp_path), tmp_path / "run", keys) as (session, view):
        began, waited = time.perf_counter(), 0.3
        monkeypatch.setattr(
            keys, "pressed", lambda s=0.0: (time.sleep(waited if s else 0), Pressed.pressed(keys, s))[1]
        )
        ended = session.follow([view])
        whole = time.perf_counter() - began
    assert (ended.reason, session.run.stop) == ("interrupted", "SIGINT")
    assert whole - ended.seconds > 3 * waited, "the run's clock stands still in a pause"
    history = read_history(tmp_path / "run")
    assert history.changes[0].changes == {"optimizer.lr": [0.01, 0.005]}
    assert len(history.steps.step) < 12
    assert resume(tmp_path / "run") == 0


def test_what_others_print_comes_after_the_view(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with viewed(write_config(tmp_path), tmp_path / "run") as (session, view):
        session.follow([view, at(2, lambda: print("a word\nof the user's", file=sys.stderr))])
        assert view.screen.said == ["a word", "of the user's"] or "a word" in view.screen.said
    assert capsys.readouterr().err == "a word\nof the user's\n"


def test_a_file_is_read_on_as_it_grows(small_run: Path, tmp_path: Path) -> None:
    lines = (small_run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"")
    growing = Growing(tmp_path)
    assert not growing.read_on()

    def write(*parts: bytes) -> None:
        with path.open("ab") as file:
            file.write(b"".join(parts))

    def same() -> bool:
        found, wanted = growing.history, read_history(tmp_path)
        columns = all((getattr(found.steps, n) == getattr(wanted.steps, n)).all() for n in vars(found.steps))
        return columns and (found.evaluations, found.ended) == (wanted.evaluations, wanted.ended)

    write(*lines[:40], lines[40][:20])
    assert growing.read_on()
    assert len(growing.history.steps.step) == len([line for line in lines[:40] if b'"step",' in line])
    assert not growing.read_on(), "half a line waits"
    write(lines[40][20:], b"no event\n", *lines[41:])
    assert growing.read_on()
    assert same()
    assert growing.history.skipped == 1
    kept = path.read_bytes()[: -len(lines[-1])]
    os.truncate(path, len(kept) - len(lines[-2]))  # as a run that is resumed does
    write(lines[-2].replace(b'"event"', b'"EVENT"'), *lines[-2:])  # longer than it was: only its content tells
    assert growing.read_on()
    assert same()
    other = tmp_path / "other"
    other.write_bytes(b"".join(lines[:30]))
    other.replace(path)
    assert growing.read_on()
    assert same()
    path.unlink()
    with pytest.raises(DataError, match=r"metrics\.jsonl"):
        growing.read_on()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_picture_fits_its_place(small_run: Path, width: int) -> None:
    whole = text_of([small_run], width, no_color=True)
    for word in ("finished", "epoch 4/4", "step 184/184", "loss by step", "accuracy by step", "confusion of test"):
        assert word in " ".join(whole.split()), word
    assert "images/s" in whole
    for height in (8, 24, 50):
        small = text_of([small_run], width, height, color_system=None)
        lines = small.splitlines()
        assert len(lines) <= height
        assert max(map(len, lines)) <= width
        assert "\x1b" not in small
    assert "loss by step" in text_of([small_run], width, 24)
    plain = text_of([small_run], width, encoding="ascii", color_system=None)
    assert plain.isascii()
    assert "loss by step" in plain


def test_several_runs_share_their_axes(small_run: Path, tmp_path: Path) -> None:
    assert train(write_config(tmp_path), tmp_path / "other", "train.log_gradients=1") == 0
    for width in WIDTHS:
        lines = text_of([small_run, tmp_path / "other"], width, color_system=None).splitlines()
        assert max(map(len, lines)) <= width
        assert {line.split()[0] for line in lines if "3/3" in line or "4/4" in line} >= {"a", "b"}
    (tmp_path / "other" / "metrics.jsonl").write_text('{"event": "saved"}\n')  # no step of it yet
    assert "loss by step" in text_of([small_run, tmp_path / "other"], 80)


def test_layers_are_heat_rows(tmp_path: Path) -> None:
    assert train(write_config(tmp_path), tmp_path / "run", "train.log_gradients=1") == 0
    rows = text_of([tmp_path / "run"], 60, color_system=None).splitlines()
    (first,) = [i for i, line in enumerate(rows) if line.startswith("gradient norm")]
    layers = dict(line.split(maxsplit=1) for line in rows[first + 1 : first + 4])
    assert list(layers) == ["fc1", "2", "fc2"]
    assert all(len(row.split(" ")[0]) == 12 for row in layers.values()), "a block for each of 12 steps"
    assert "█" in "".join(layers.values())
    assert "▁" in "".join(layers.values())


def test_a_watch_of_lines_follows_a_run_to_its_end(small_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lines = (small_run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "config.yaml").write_bytes((small_run / "config.yaml").read_bytes())
    (run / "metrics.jsonl").write_bytes(b"".join(lines[:60]))
    one, (console, seen) = Watch(run), terminal(encoding="utf-8", color_system=None)
    console.is_dumb_terminal  # noqa: B018 - as for a pipe, lines are written
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "is_animated", lambda console: False)

        def come(seconds: float) -> None:
            with (run / "metrics.jsonl").open("ab") as file:
                file.write(b"".join(lines[60:]))
            patch.setattr(watching.time, "sleep", lambda seconds: None)

        patch.setattr(watching.time, "sleep", come)
        watch([one], console)
    said = seen.getvalue().decode()
    assert [f"epoch {i}/4: test loss" in said for i in (1, 2, 3, 4)] == [True] * 4
    assert "finished" in said

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:  # Ctrl-C ends the view, quietly and well
        (run / "metrics.jsonl").write_bytes(b"".join(lines[:60]))
        patch.setattr(watching, "is_animated", lambda console: False)
        patch.setattr(watching.time, "sleep", interrupt)
        watch([Watch(run)], console)
    assert "training" in seen.getvalue().decode()


def test_a_run_that_was_killed_is_not_waited_for(small_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    lines = (small_run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "config.yaml").write_bytes((small_run / "config.yaml").read_bytes())
    (run / "metrics.jsonl").write_bytes(b"".join(lines[:60]))
    assert Watch(run).goes_on, "it was written a moment ago"
    os.utime(run / "metrics.jsonl", (1, 1))
    assert not Watch(run).goes_on
    console, seen = terminal(color_system=None)
    watch([Watch(run)], console)
    assert "not running" in " ".join(seen.getvalue().decode().split())


def test_a_terminal_of_its_own(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    shown = told(
        tmp_path, ["train", str(config), "--out", "a", "--progress", "live"], {"TERM": "xterm-256color"}, (24, 80), True
    )
    assert shown.count("\x1b[?1049h") == shown.count("\x1b[?1049l") == 1, "the screen is given back"
    last = shown.rpartition("\x1b[?1049l")[2]
    assert "finished" in last
    assert "loss by step" in last
    dumb = told(tmp_path, ["train", str(config), "--out", "b", "--progress", "live"], {"TERM": "dumb"}, (24, 80))
    assert "\x1b[?1049h" not in dumb
    assert "3/3" in dumb
    watched = told(tmp_path, ["watch", "a"], {"TERM": "xterm-256color", "NO_COLOR": "1"}, (24, 40))
    assert "\x1b[?1049h" not in watched
    assert "loss by step" in watched
    assert all(len(line) <= 40 for line in watched.replace("\r", "").splitlines() if "\x1b" not in line)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no terminals here")
def test_keys_of_a_real_terminal(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    child, terminal = pty.fork()
    if child == 0:
        code = 99
        try:
            os.chdir(tmp_path)
            os.environ |= {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
            streams = (open(n, "r" if n == 0 else "w", closefd=False) for n in range(3))  # noqa: SIM115 - until its end
            sys.stdin, sys.stdout, sys.stderr = streams
            code = called(["train", str(config), "train.epochs=5000", "--out", "run", "--progress", "live"])
            sys.stdout.flush()
        finally:
            os._exit(code)
    seen, waits = (
        b"",
        [(b"p pause", b"p"), (b"paused", b"-p"), (b"optimizer.lr 0.01 -> 0.005", b"q"), (b"\x1b[?1049l", b"")],
    )
    for word, keys in waits:
        while word not in seen:
            assert select.select([terminal], [], [], 60)[0], f"never came: {word!r}"
            seen += os.read(terminal, 65536)
        seen = b""
        os.write(terminal, keys)
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])["reason"] == "interrupted"


def test_the_page_asks_to_be_read_again_while_the_run_goes_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(ROOT / "configs" / "lenet.yaml", run, "train.epochs=1", "train.log_gradients=20") == 0
    newest = Newest(run)
    assert newest.look_on()
    assert not newest.look_on(), "there is no newer checkpoint"
    found = Watch(run).watched
    going, over = (page(found, newest.look, newest.problem, seconds) for seconds in (2.0, None))
    assert '<meta http-equiv="refresh" content="2">' in going
    assert "refresh" not in over
    for key in ("now", "curves", "layers", "classes", "filters", "maps", "trace"):
        assert f'<section id="{key}"' in over, key
    seen = check(over)
    assert "<script" not in over
    assert f"Weights after step {newest.look.step}" in seen.text if newest.look else False
    nothing = page(found, None, "", 2.0)
    assert "No checkpoint yet" in nothing


@pytest.mark.skipif(browser() is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_a_browser(tmp_path: Path, width: int) -> None:
    run, file = tmp_path / "run", tmp_path / "page.html"
    assert train(ROOT / "configs" / "lenet.yaml", run, "train.epochs=1", "train.log_gradients=20") == 0
    newest = Newest(run)
    newest.look_on()
    file.write_text(page(Watch(run).watched, newest.look, newest.problem, None), "utf-8")
    with new_page(tmp_path) as shown:
        shown.open(file, width)
        assert shown.value("document.documentElement.scrollWidth") <= width
        assert shown.value("[...document.images].every(i => i.naturalWidth > 0)")
        assert shown.value("document.querySelectorAll('.heats img').length") == 10
        assert not shown.problems


@pytest.mark.skipif(browser() is None, reason="no Chromium here")
def test_a_browser_shows_the_run_move(tmp_path: Path) -> None:
    trained = tmp_path / "run"
    assert train(write_config(tmp_path), trained) == 0
    events = (trained / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    part = tmp_path / "part"
    part.mkdir()
    (part / "config.yaml").write_bytes((trained / "config.yaml").read_bytes())
    (part / "metrics.jsonl").write_bytes(b"".join(events[:3]))
    run = Watch(part)
    shown = [page(run.watched, None, "", 0.3).encode()]
    with serving(lambda: shown[-1], 0) as address, new_page(tmp_path) as seen:
        seen.ask("Page.navigate", url=address)
        seen.wait("document.readyState === 'complete' && document.body.innerText.includes('1 of 3')")
        (part / "metrics.jsonl").write_bytes(b"".join(events))
        assert run.read_on()
        shown.append(page(run.watched, None, "", None).encode())
        seen.wait("document.readyState === 'complete' && document.body.innerText.includes('3 of 3')")
        assert seen.value("document.querySelectorAll('meta[http-equiv=refresh]').length") == 0
