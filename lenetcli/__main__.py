"""The program `lenet`, also as `python -m lenetcli` or `python lenetcli/__main__.py`."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress


def main() -> None:
    """Runs the program. A signal ends it without a traceback also while it is still being imported."""
    _open_closed_streams()
    from lenetcli.train.signals import Terminated, orderly

    try:
        with orderly(trains=not {"train", "sweep", "verify-resume"}.isdisjoint(sys.argv[1:3])):
            _run()
    except Terminated as ended:
        with suppress(OSError, ValueError, AttributeError):  # a terminal that is closed
            print("interrupted" if ended.name == "SIGINT" else f"ended by {ended.name}", file=sys.stderr)
        raise


def _open_closed_streams() -> None:
    """Where the program is started with stdin, stdout or stderr closed, the next files that it opens would have their
    numbers, and what is meant for the terminal would be written into them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


def _run() -> None:
    # Else all that imports make would be visited 140 times. No cycle holds an array, a training's neither.
    gc.set_threshold(50_000)
    try:
        from lenetcli.background import begun

        if not begun(int):  # NumPy's BLAS would end the program, as if by Ctrl-C, where it cannot begin its threads
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from lenetcli.cli.app import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    if not __package__:  # run as a file, whose folder Python looks in first: there `inspect` is not the library's
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path[:] = [os.path.dirname(here), *(p for p in sys.path if os.path.abspath(p or ".") != here)]
    else:  # with -m Python looks in the working directory first: it may be a stranger's, with a yaml.py of his
        home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        if sys.path[:1] == [os.getcwd()] and sys.path[0] != home and not getattr(sys.flags, "safe_path", False):
            del sys.path[0]
    main()
