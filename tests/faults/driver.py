"""Runs commands in forked children whose calls to the system fail where they are told to; started with shim.c loaded.

A line of JSON in: {"argv": [...], "cwd": directory, "root": directory, "kinds": 1 reads | 2 writes, "error": errno,
"at": which call or 0, "lasting": bool}. A line of JSON out: {"code", "out", "err", "calls"}; a negative code is a
signal.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import tempfile
from typing import Any

SECONDS = 60  # a command may take


def run(told: dict[str, Any], shim: Any) -> dict[str, Any]:
    """One command in a child."""
    files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115  # closed below
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(files[0].fileno(), 1)
            os.dup2(files[1].fileno(), 2)
            os.chdir(told["cwd"])
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
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
    status = os.waitpid(child, 0)[1]
    calls = os.read(reader, 100)
    os.close(reader)
    texts = []
    for file in files:
        file.seek(0)
        texts.append(file.read().decode("utf-8", "replace"))
        file.close()
    code = os.waitstatus_to_exitcode(status)
    return {"code": code, "out": texts[0], "err": texts[1], "calls": int(calls or 0)}


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


def serve() -> None:
    """Answers until there is no more to do."""
    shim = ctypes.CDLL(None)
    shim.fault_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_int]
    shim.fault_calls.restype = ctypes.c_long
    import lenetcli.cli.app
    import lenetcli.cli.training
    import lenetcli.report.training.run_page.page
    import lenetcli.trainer  # what children would import each time anew

    assert lenetcli.cli.app
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line), shim)), flush=True)


if __name__ == "__main__":
    serve()
