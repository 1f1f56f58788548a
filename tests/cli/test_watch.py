"""`lenet watch`: what it prints and writes of runs, and what it refuses."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from lenetcli.errors import ConfigError
from lenetcli.report.live.server import serving
from tests.cli.conftest import Lenet


def test_of_a_run_that_is_over_the_last_picture_is_printed(run: Path, lenet: Lenet, place: Path) -> None:
    done = lenet("watch", str(run))
    assert (done.code, done.err) == (0, "")
    for word in ("finished", "loss by step", "accuracy by step", "gradient norm", "confusion of test, epoch 4"):
        assert word in done.out
    shutil.copytree(run, place / "two" / "a")
    shutil.copytree(run, place / "two" / "b")
    (place / "two" / "b" / "metrics.jsonl").write_bytes(b"\xff\n{}\n")
    os.utime(place / "two" / "b" / "metrics.jsonl", (1, 1))
    both = lenet("watch", "two")
    assert both.code == 0
    assert "left out: two/b/metrics.jsonl: no line in it is an event of a run" in both.err
    with (place / "two" / "a" / "metrics.jsonl").open("ab") as file:
        file.write(b'{"event": "step", "lo\n')
    assert "1 line of metrics.jsonl left out: no events" in lenet("watch", "two/a").out


def test_what_cannot_be_watched_is_refused(run: Path, lenet: Lenet, place: Path) -> None:
    empty = place / "empty"
    empty.mkdir()
    lenet("watch", "nowhere").assert_refused(2, "nowhere: not a run directory (there is no such place)")
    lenet("watch", "empty").assert_refused(2, "empty: not a run directory (no metrics.jsonl in it), and none below it")
    (empty / "metrics.jsonl").write_text("")
    os.utime(empty / "metrics.jsonl", (1, 1))
    lenet("watch", "empty").assert_refused(3, "empty/metrics.jsonl: is empty: the run has not made a step")
    (empty / "metrics.jsonl").write_text("no event\n")
    os.utime(empty / "metrics.jsonl", (1, 1))
    lenet("watch", "empty").assert_refused(3, "empty/metrics.jsonl: no line in it is an event of a run")
    shutil.copytree(run, place / "other")
    lenet("watch", str(run), "other", "--html", "p.html").assert_refused(2, "a page shows one run, these are 2")
    lenet("watch", str(run), "--html", "p.html", "--serve").assert_refused(2, "--html and --serve: give one")
    lenet("watch", str(run), "data.root=x").assert_refused(2, "only the page, of --html or --serve, needs a run's data")
    lenet("watch", str(run), "--html", "no/p.html").assert_refused(2, "its directory does not exist")
    lenet("watch", str(run), "--html", "p.html", "--image", "99999").assert_refused(
        2, "--image 99999: the test split has"
    )


def test_the_page_of_a_run_that_is_over_is_written_once(run: Path, lenet: Lenet, place: Path) -> None:
    done = lenet("watch", str(run), "--html", "p.html")
    assert done.code == 0, done.err
    assert done.out.startswith("p.html: ")
    page = (place / "p.html").read_text("utf-8")
    assert "http-equiv" in page
    assert "refresh" not in page
    assert "Next step" in page


def test_the_page_is_served_to_this_machine_only_and_nothing_else_is() -> None:
    with serving(lambda: b"<p>page", 0) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        assert address.startswith("http://127.0.0.1:")

        def asked(method: str, path: str = "/", **headers: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

        assert asked("GET") == (200, b"<p>page")
        assert asked("HEAD") == (200, b"")
        assert asked("GET", "/", Host=f"localhost:{port}")[0] == 200
        assert asked("GET", "/", Host=f"evil.example:{port}")[0] == 403
        assert asked("GET", "/../etc/passwd")[0] == asked("GET", "/config.yaml")[0] == 404
        for method in ("POST", "PUT", "DELETE"):
            assert asked(method)[0] == 501
        with pytest.raises(ConfigError, match=f"--port {port}: cannot be had"), serving(lambda: b"", port):
            pass


def test_a_browser_that_goes_away_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    asked = threading.Event()

    def page() -> bytes:
        asked.set()
        time.sleep(0.1)  # until it has gone
        return b"x" * (1 << 20)

    with serving(page, 0) as address:
        port = int(address.rstrip("/").rpartition(":")[2])
        reader = socket.create_connection(("127.0.0.1", port), timeout=10)
        reader.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert asked.wait(10)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reader.close()
        time.sleep(0.3)
    assert capsys.readouterr().err == ""
