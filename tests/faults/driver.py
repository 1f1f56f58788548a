"""Runs commands in forked children whose calls to the system fail where they are told to; started with shim.c loaded.

A line of JSON in: {"argv": [...], "cwd": directory, "root": directory, "kinds": 1 reads | 2 writes, "error": errno,
"at": which call or 0, "lasting": bool, "signals": as `moments.send` takes them, "memory": bytes that it may take, 0 for
no limit}. A line of JSON out: {"code", "out", "err", "calls", "phases": in which each signal was sent, "largest": KiB
of memory at most, "seconds"}; a negative code is a signal.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lenetcli.config import load
from tests.faults.moments import Marks, send
from tests.train.small import write_config

SECONDS = 60  # a command may take
LATER = (  # what commands import when they need it
    "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "onnx",
    "tensorboardX.event_file_writer", "tensorboardX.summary",
)  # fmt: skip


def run(told: dict[str, Any], shim: Any, marks: Marks) -> dict[str, Any]:
    """One command in a child."""
    marks.clear()
    files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115  # closed below
    reader, writer = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(files[0].fileno(), 1)
            os.dup2(files[1].fileno(), 2)
            os.chdir(told["cwd"])
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
            signal.alarm(2 * SECONDS)
            if told["memory"]:
                most = _size() + told["memory"]
                resource.setrlimit(resource.RLIMIT_AS, (most, most))
            marks.watch()
            sys.argv = ["lenet", *told["argv"]]
            arm = (told["kinds"], told["error"], told["at"], int(told["lasting"]))
            shim.fault_arm(os.fsencode(told["root"]), *arm)
            code = _code()
            calls = shim.fault_calls()
            shim.fault_arm(b"", 0, 0, 0, 0)
            sys.stdout.flush()
            os.write(writer, str(calls).encode())
        finally:
            os._exit(code)
    os.close(writer)
    phases = [send(child, marks, wish) for wish in told["signals"]]
    _, status, used = os.wait4(child, 0)
    seconds = time.monotonic() - began
    calls = os.read(reader, 100)
    os.close(reader)
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read().decode("utf-8", "replace"))
        file.close()
    code = os.waitstatus_to_exitcode(status)
    return {
        "code": code, "out": texts[0], "err": texts[1], "calls": int(calls or 0), "phases": phases,
        "largest": used.ru_maxrss, "seconds": seconds,
    }  # fmt: skip


def _size() -> int:
    """Bytes of address space that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _code() -> int:
    from lenetcli.__main__ import main

    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        import traceback

        traceback.print_exc()
        return 71
    return 0


def _import_all() -> None:
    """What children would import each time anew."""
    import lenetcli

    for found in pkgutil.walk_packages(lenetcli.__path__, "lenetcli."):
        if not found.name.endswith("__main__"):
            with suppress(ImportError):  # of an extra that is not installed
                importlib.import_module(found.name)
    for name in LATER:
        with suppress(ImportError):
            importlib.import_module(name)


def _warm() -> None:
    """What children would work out each time anew: the schemas of what a small configuration names."""
    with tempfile.TemporaryDirectory() as place:
        load(write_config(Path(place)))


def serve() -> None:
    """Answers until there is no more to do."""
    shim = ctypes.CDLL(None)
    shim.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_int]
    shim.fault_calls.restype = ctypes.c_long
    marks = Marks()
    _import_all()
    _warm()
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line), shim, marks)), flush=True)


if __name__ == "__main__":
    serve()
