"""Downloads from a server on this machine: mirrors in turn, broken connections, continued and damaged files."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lenetcli.data.download import Progress, download
from lenetcli.errors import DataError, DownloadError
from tests.conftest import ROOT

CONTENT = bytes(range(256)) * 2000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Site:
    """What a server on 127.0.0.1 does; addresses are /KIND/FILE.

    whole: sends all. resumes: also from where one asks. breaks: hangs up after half of what it should send.
    other: sends something else. broken: answers 500.
    """

    address: str
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def at(self, kind: str) -> str:
        return f"{self.address}/{kind}/"


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, wanted = self.path.split("/")[1], self.headers.get("Range")
            found.asked.append((kind, wanted))
            if kind == "broken":
                self.send_error(500, "out of order")
                return
            content = b"something else" * 9 if kind == "other" else CONTENT
            start = 0
            if wanted and kind in ("resumes", "breaks", "other"):
                start = int(re.match(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            self.wfile.write(body[: len(body) // 2] if kind == "breaks" else body)

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def test_a_file_comes_whole_and_progress_is_told(site: Site, tmp_path: Path) -> None:
    path, told = tmp_path / "new" / "a.gz", list[Progress]()
    download(path, MD5, (site.at("whole"),), told.append)
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["a.gz"]
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert told[-1] == Progress("a.gz", len(CONTENT), len(CONTENT), site.at("whole"))


def test_mirrors_are_tried_in_turn(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    download(path, MD5, tuple(map(site.at, ("broken", "other", "whole", "resumes"))))
    assert path.read_bytes() == CONTENT
    assert [kind for kind, _ in site.asked] == ["broken", "other", "whole"]


def test_a_broken_download_is_continued(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    with pytest.raises(DownloadError, match=r"256,000 bytes are kept in a.gz.part and will be continued"):
        download(path, MD5, (site.at("breaks"),))
    assert names(tmp_path) == ["a.gz.part"]
    told: list[Progress] = []
    download(path, MD5, (site.at("resumes"),), told.append)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.gz"]
    assert site.asked[-1] == ("resumes", "bytes=256000-")
    assert told[0].done > 256000
    assert told[-1].total == len(CONTENT)


def test_another_mirror_continues_within_one_go(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    download(path, MD5, tuple(map(site.at, ("breaks", "breaks", "resumes"))))
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in site.asked] == [None, "bytes=256000-", "bytes=384000-"]


def test_a_server_that_cannot_continue_starts_anew(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    (tmp_path / "a.gz.part").write_bytes(b"x" * 1000)
    download(path, MD5, (site.at("whole"),))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * 10**6, CONTENT])
def test_what_was_left_may_be_wrong_too_long_or_complete(left: bytes, site: Site, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    (tmp_path / "a.gz.part").write_bytes(left)
    download(path, MD5, (site.at("resumes"),))
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.gz"]


def test_a_wrong_hash_leaves_nothing(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        download(tmp_path / "a.gz", MD5, (site.at("other"), site.at("broken")))
    assert names(tmp_path) == []
    assert re.search(r"/other/: wrong md5 \w+, wanted " + MD5, str(caught.value))
    assert "/broken/: HTTP Error 500" in str(caught.value)


def test_a_file_of_absurd_size_is_refused(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lenetcli.data import download as module

    monkeypatch.setattr(module, "LARGEST", 1000)
    with pytest.raises(DownloadError, match="states 512,000 bytes, more than 1,000"):
        download(tmp_path / "a.gz", MD5, (site.at("whole"),))
    assert names(tmp_path) == []


def test_an_interrupt_keeps_what_is_there(site: Site, tmp_path: Path) -> None:
    def stop(step: Progress) -> None:
        if step.done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(tmp_path / "a.gz", MD5, (site.at("whole"),), stop)
    assert names(tmp_path) == ["a.gz.part"]
    download(tmp_path / "a.gz", MD5, (site.at("resumes"),))
    assert site.asked[-1][1] is not None
    assert names(tmp_path) == ["a.gz"]


def test_a_place_that_cannot_be_written_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file.*cannot be written"):
        download(tmp_path / "file" / "a.gz", MD5, (site.at("whole"),))


GET = """
import sys
from pathlib import Path
from lenetcli.data.download import download
download(Path(sys.argv[1]), sys.argv[2], (sys.argv[3],))
"""


def test_processes_that_want_the_same_file_wait_for_the_first(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.gz"
    command = [sys.executable, "-c", GET, str(path), MD5, site.at("whole")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    programs = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(5)]
    assert [(program.communicate()[1], program.returncode) for program in programs] == [("", 0)] * 5
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["a.gz"]
    assert len(site.asked) == 1


def test_a_process_that_was_killed_keeps_nobody_waiting(site: Site, tmp_path: Path) -> None:
    (tmp_path / ".a.gz.lock").write_text("")
    (tmp_path / "a.gz.part").write_bytes(CONTENT[:1000])
    download(tmp_path / "a.gz", MD5, (site.at("resumes"),))
    assert names(tmp_path) == ["a.gz"]
    assert site.asked == [("resumes", "bytes=1000-")]
