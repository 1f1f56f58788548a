"""A headless Chromium, spoken to over a pipe: pages are opened, clicked, typed into and photographed as by a person.

Nothing but the browser itself is needed; where there is none, `browser()` gives None and tests are skipped.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--disable-quic",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT = 30  # seconds
KEYS = {
    "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip


def browser() -> str | None:
    """The program; None where there is none."""
    return os.environ.get("CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page of a browser."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.problems: list[str] = []  # what the console said, and uncaught errors

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command of the DevTools protocol and waits for its answer."""
        answer = self._connection.ask(method, parameters)
        for event in self._connection.take_events():
            kind, said = event["method"], event.get("params", {})
            if kind == "Runtime.exceptionThrown":
                self.problems.append(json.dumps(said["exceptionDetails"]))
            elif kind == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
                self.problems.append(said["entry"]["text"])
            elif kind == "Runtime.consoleAPICalled":
                self.problems.append(json.dumps(said["args"]))
            elif kind == "Network.requestWillBeSent" and not said["request"]["url"].startswith(("file:", "data:")):
                self.problems.append("asked the network for " + said["request"]["url"])
        return answer

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False, touch: bool = False) -> None:
        """Loads a file and waits until it stands."""
        self.resize(width, height, touch)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[theme])
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def resize(self, width: int, height: int, touch: bool = False) -> None:
        """Another size of the window."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.ask("Emulation.setTouchEmulationEnabled", enabled=touch)

    def value(self, script: str) -> Any:
        """What a script gives, as plain data."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Waits until a script gives true."""
        end = time.monotonic() + WAIT
        while not self.value(condition):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.02)

    def key(self, name: str) -> None:
        """Presses a key such as "ArrowDown" or "a"."""
        text = {"Enter": "\r"}.get(name, name if len(name) == 1 else "")
        common: dict[str, Any] = {"key": name, "windowsVirtualKeyCode": KEYS.get(name, ord(name[0].upper()))}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Types into what has the focus."""
        self.ask("Input.insertText", text=text)

    def place(self, selector: str) -> tuple[float, float]:
        """The middle of an element."""
        box = self.value(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return box[0], box[1]

    def hover(self, selector: str) -> None:
        """Moves the mouse over an element."""
        x, y = self.place(selector)
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector: str) -> None:
        """Clicks an element."""
        x, y = self.place(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def tap(self, selector: str) -> None:
        """Touches an element."""
        x, y = self.place(selector)
        self.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        time.sleep(0.1)

    def photograph(self, path: Path, full: bool = False) -> None:
        """Saves what is seen, or the whole page, as PNG."""
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        path.write_bytes(base64.b64decode(found["data"]))

    def is_wider_than_the_window(self) -> bool:
        """Whether one would have to scroll sideways."""
        return bool(self.value("document.documentElement.scrollWidth > window.innerWidth"))


class Connection:
    """Messages over two pipes, each ended by a zero byte."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._buffer = b""
        self._number = 0
        self._events: list[dict[str, Any]] = []
        self.session: str | None = None

    def ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Sends a command, gives its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]  # type: ignore[no-any-return]
            self._events.append(answer)

    def take_events(self) -> list[dict[str, Any]]:
        """Events since the last time."""
        events, self._events = self._events, []
        return events

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._back], [], [], WAIT)
            assert ready, "the browser does not answer"
            piece = os.read(self._back, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)  # type: ignore[no-any-return]


@contextmanager
def new_page(home: Path) -> Iterator[Page]:
    """A page of a new browser.

    Args:
        home: a directory for the browser's own files.
    """
    program = browser()
    assert program is not None, "no browser here"
    in_read, in_write = _pipe()
    out_read, out_write = _pipe()
    options = ["--headless=new", *OPTIONS, f"--user-data-dir={home}", "--remote-debugging-pipe", "about:blank"]
    files = [  # the browser reads commands from file 3 and answers on file 4
        (os.POSIX_SPAWN_DUP2, in_read, 3),
        (os.POSIX_SPAWN_DUP2, out_write, 4),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    process = os.posix_spawn(program, [program, *options], dict(os.environ), file_actions=files)
    os.close(in_read)
    os.close(out_write)
    try:
        connection = Connection(in_write, out_read)
        targets = connection.ask("Target.getTargets", {})["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        attached = connection.ask("Target.attachToTarget", {"targetId": target, "flatten": True})
        connection.session = attached["sessionId"]
        page = Page(connection)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.ask(f"{domain}.enable")
        yield page
    finally:
        os.close(in_write)
        os.close(out_read)
        _end(process)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends have numbers out of the way of those that the browser uses."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _end(process: int) -> None:
    """Asks a process to end, and ends it where it does not."""
    os.kill(process, signal.SIGTERM)
    end = time.monotonic() + 10
    while os.waitpid(process, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return
        time.sleep(0.02)
