"""Shared by all tests: the repository's place, real data where it lies, and the torch mark."""

from __future__ import annotations

import ast
import functools
import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@functools.cache
def _uses_torch(path: Path) -> frozenset[str]:
    """Names of a test file's functions that ask for torch."""
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and 'importorskip("torch"' in ast.unparse(node).replace("'", '"')
    )


@functools.cache
def _file_uses_torch(path: Path) -> bool:
    """True where the whole file is skipped without torch, or a fixture asks for it."""
    tree = ast.parse(path.read_text("utf-8"))
    return any(
        'importorskip("torch"' in ast.unparse(node).replace("'", '"')
        for node in tree.body
        if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test"))
    )


def pytest_configure() -> None:
    """Ctrl-C works in the tests, also where they run in the background of a shell, which turns SIGINT off."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks tests that compare with torch, for `-m torch`; skips slow ones unless `-m` names them."""
    slow_too = "slow" in str(config.getoption("-m"))
    for item in items:
        if not slow_too and item.get_closest_marker("slow") is not None:
            item.add_marker(pytest.mark.skip(reason="run with -m slow"))
        name = getattr(item, "originalname", item.name)
        ours = item.path.suffix == ".py" and item.path.is_relative_to(ROOT / "tests")
        if ours and (name in _uses_torch(item.path) or _file_uses_torch(item.path)):
            item.add_marker(pytest.mark.torch)


@pytest.fixture
def real_data() -> Path:
    """The directory with the real MNIST files; skips where it is absent."""
    place = Path(os.environ.get("LENET_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (place / "mnist").is_dir():
        pytest.skip("real data is not here (LENET_TEST_DATA)")
    return place
