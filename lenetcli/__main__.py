"""The program `lenet`, also as `python -m lenetcli` or `python lenetcli/__main__.py`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Runs the program. Ctrl-C ends it without a traceback also while it is still being imported."""
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
    main()
