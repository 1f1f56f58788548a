"""The program `lenet`, also as `python -m lenetcli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the program. Ctrl-C ends it without a traceback also while it is still being imported."""
    try:
        from lenetcli.cli.app import main as run
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
