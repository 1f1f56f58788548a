"""How far a reader walks through the house to follow one call: files entered and Python calls made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.nn import functional as F

PACKAGE = str(Path(lenet.__file__).parent)


def steps_of(call: Callable[[], object]) -> tuple[int, int]:
    """Files of the package that a call enters, and calls of its functions (or comprehensions, before Python 3.12)."""
    entered: list[str] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            entered.append(frame.f_code.co_filename)

    for _ in range(2):  # what is imported or made once is not on the way
        call()
    earlier = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(earlier)
    return len(set(entered)), len(entered)


def test_a_call_is_followed_through_few_files() -> None:
    layer, rows = nn.Linear(8, 3), lenet.randn(4, 8)
    layer(rows).sum().backward()
    inputs, adam = lenet.randn(4, 8, requires_grad=True), optim.Adam(layer.parameters())
    # With NumPy's kernels; the native ones make 16, 41 and 10 calls.
    walks = {"relu": lambda: F.relu(inputs), "Linear": lambda: layer(rows), "Adam's step": adam.step}
    most = {
        "relu": (5, 16),
        "Linear": (11, 42),
        "Adam's step": (4, 19),
    }
    for name, call in walks.items():
        files, calls = steps_of(call)
        assert files <= most[name][0], f"{name}: {files} files"
        assert calls <= most[name][1], f"{name}: {calls} calls"
