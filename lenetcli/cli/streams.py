"""The program's stdin, stdout and stderr: there even where they were closed, and able to show any text."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from lenetcli.display.characters import ERRORS

_STRICT = ("strict", "surrogateescape", "backslashreplace")  # what Python chooses itself; other ways the user chose


def prepare() -> None:
    """Opens what is closed on nothing, so that no file gets its number, and lets writing never fail for a character."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the program
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in _STRICT:
            stream.reconfigure(errors=ERRORS)
