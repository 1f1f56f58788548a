"""Where in a model, and on which line of the user's, a forward pass is."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType

import numpy as np

from lenetcli import __file__ as PACKAGE

# whose lines are none of the user's
HOME = (str(Path(PACKAGE).parent), str(Path(np.__file__).parent), str(Path(inspect.__file__).parent))


@dataclass(frozen=True)
class Place:
    """The module that runs an op, and the user's line."""

    path: str = ""
    kind: str = ""
    where: str = ""

    def __str__(self) -> str:
        module = f"{self.path or 'the model'} ({self.kind})" if self.kind else self.path or "the model"
        return f"{self.where}: {module}" if self.where else module


def users_line(until: CodeType) -> str:
    """The innermost line on the stack that is not this package's; "" where the model has none of its own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not until:
        if not is_ours(frame.f_code.co_filename):
            return _shown(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return ""


# functions that give values of their argument's shape alone
FILLED = ("_window_sizes", "causal_mask", "empty_like", "full_like", "ones_like", "zeros_like")


def function_called() -> str:
    """The function of this package that a module or the user has called, or one of FILLED within it."""
    frame, name = sys._getframe(2), ""
    while is_ours(frame.f_code.co_filename) and frame.f_code.co_name != "forward" and frame.f_back is not None:
        if frame.f_code.co_name not in ("wrap", "like", "apply", "call", "wrapper", "inner", "change"):
            name = frame.f_code.co_name
            if name in FILLED:
                return name
        frame = frame.f_back
    return name


def line_of_error(trace: TracebackType | None, since: CodeType) -> str:
    """The last line of the user's that an error came by, after a function was called."""
    where = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if code is since:
            where = ""
        elif not is_ours(code.co_filename):
            where = _shown(code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return where


@cache
def is_ours(file: str) -> bool:
    """A file of this package, NumPy or Python's library."""
    return file.startswith(("<frozen", HOME[0], HOME[1])) or (file.startswith(HOME[2]) and "site-packages" not in file)


def _shown(file: str, line: int) -> str:
    """A line, its file's name as short as it can be from here."""
    try:
        return f"{Path(file).relative_to(Path.cwd())}:{line}"
    except ValueError:
        return f"{file}:{line}"
