"""The page on this machine's own address, 127.0.0.1: read-only, for nobody else."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lenetcli.background import begun
from lenetcli.errors import ConfigError, LenetError

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")


@contextmanager
def serving(page: Callable[[], bytes], port: int) -> Iterator[str]:
    """Within the block, GET / gives the page; gives its address.

    Args:
        port: 0: any that is free.

    Raises:
        ConfigError: another program has the port.
        LenetError: no thread can begin.
    """
    try:
        server = _Server((HOST, port), _handler(page))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise LenetError(f"cannot serve on {HOST}:{port}: {error.strerror or error}") from None
        raise ConfigError(f"--port {port}: cannot be had ({error.strerror}); --port 0 takes any that is free") from None
    if not begun(server.serve_forever, name="page"):
        server.server_close()
        raise LenetError("cannot begin a thread for the page; --html FILE needs none")
    try:
        yield f"http://{HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader who goes away while the page is sent, a browser that loads it anew for one, is nobody's mistake."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _handler(page: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "lenet", ""
        timeout = 10

        def do_GET(self) -> None:
            """The page, under its own name only."""
            self._answer(body=True)

        def do_HEAD(self) -> None:
            """As GET."""
            self._answer(body=False)

        def _answer(self, body: bool) -> None:
            host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            if host not in NAMES:  # a page from elsewhere whose name leads here
                self.send_error(403, "this page is for this machine only")
                return
            if self.path.partition("?")[0] != "/":
                self.send_error(404)
                return
            data = page()
            self.send_response(200)
            for name, value in (
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(data))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
                ("X-Frame-Options", "DENY"),
                ("Referrer-Policy", "no-referrer"),
            ):
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: the terminal is for the run."""

    return Handler
