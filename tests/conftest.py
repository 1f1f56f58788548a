"""Shared by all tests: the repository's place, real data where it lies, and the torch mark."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lenetcli.train.run import Run

ROOT = Path(__file__).parent.parent
NO_TORCH = "torch is not installed, which this test compares with"
FSYNC = os.fsync
HAS_TORCH = importlib.util.find_spec("torch") is not None


def run_of(config: str | Path, *changes: str) -> Run:
    """What a file's configuration, or one of `configs/` by its name, describes: built, and not begun."""
    from lenetcli.build.parts import build_run
    from lenetcli.config import load

    named = ROOT / "configs" / f"{config}.yaml"
    return build_run(load(named if named.exists() else config, changes))


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C works, also in the background of a shell, which turns SIGINT off; outputs have no width that is given.

    A worker of pytest-xdist sets COLUMNS to 80, as does who exports it from a terminal.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.pop("COLUMNS", None)
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        config.add_cleanup(_compiled_once())


def _compiled_once() -> Callable[[], None]:
    """Modules are compiled once for all the processes that tests start, and as asked nothing is left behind.

    Where nothing may be written, each of many hundred processes would compile the package anew.
    """
    place = tempfile.mkdtemp(prefix="lenet-bytecode-")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = place
    sys.dont_write_bytecode = False
    return lambda: shutil.rmtree(place, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`-n 2`: each process has half of the tests, file by file, and takes from the other's end once it has done them.

    By xdist's own way each gets some of every file, makes its fixtures again, and may wait for the other's last batch.
    """
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session", autouse=True)
def config_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's config folder, where consent to own Python is remembered, is one of the tests' own."""
    place = tmp_path_factory.mktemp("config")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(place))
        patch.setenv("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))  # not a new list of fonts each time
        yield place


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """fsync matters when the power fails; thousands of small files would wait for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture
def real_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that wait for the disk, as a training does."""
    monkeypatch.setattr(os, "fsync", FSYNC)


@pytest.fixture
def short_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`lenet time` takes the fewest steps it may: for those to whom it does not matter what it measures."""
    from lenetcli.inspection.step import profile

    monkeypatch.setattr(profile, "SECONDS", 0.01)
    monkeypatch.setattr(profile, "SIDE", 128)


@pytest.fixture
def consenting() -> Iterator[None]:
    """Python that configurations name may be imported, as with --allow-code, also by functions called directly."""
    from lenetcli.config import consent

    with consent.under(allow=True):
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks tests that use the `torch` fixture, for `-m torch`; skips slow ones unless `-m` names them."""
    slow_too = "slow" in str(config.getoption("-m"))
    for item in items:
        if not slow_too and item.get_closest_marker("slow") is not None:
            item.add_marker(pytest.mark.skip(reason="run with -m slow"))
        if "torch" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.torch)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m torch`, files that do not say the word are not even read: more than half of them."""
    if config.getoption("-m") != "torch" or not re.fullmatch(r"test_\w+\.py", collection_path.name):
        return None
    return True if re.search(r"\btorch\b", collection_path.read_text("utf-8")) is None else None


class WithoutTorch(pytest.Item):
    """One skipped test in place of all cases of a function that takes the `torch` fixture."""

    def runtest(self) -> None:
        pytest.skip(NO_TORCH)


def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> pytest.Item | None:
    """Where there is no torch, the 14,000 cases that compare with it are not even made: that would take a minute."""
    if HAS_TORCH or not inspect.isfunction(obj) or not collector.funcnamefilter(name):
        return None
    wanted = [*inspect.signature(obj).parameters]
    wanted += [word for mark in getattr(obj, "pytestmark", ()) if mark.name == "usefixtures" for word in mark.args]
    if "torch" not in wanted:
        return None
    item: pytest.Item = WithoutTorch.from_parent(collector, name=name)
    item.add_marker(pytest.mark.torch)
    return item


@pytest.fixture(scope="session")
def torch() -> Any:
    """The installed torch, to compare with; skips where there is none. A test that asks for it has the torch mark."""
    return pytest.importorskip("torch", reason=NO_TORCH)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run, four epochs of configs/mlp.yaml on the digits; to read, or to copy."""
    from lenetcli.cli.training import start_run

    place = tmp_path_factory.mktemp("small") / "run"
    assert start_run(str(ROOT / "configs" / "mlp.yaml"), ["train.epochs=4"], place, "off") == 0
    return place


@pytest.fixture
def real_data() -> Path:
    """The directory with the real MNIST files; skips where it is absent."""
    place = Path(os.environ.get("LENET_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (place / "mnist").is_dir():
        pytest.skip("real data is not here (LENET_TEST_DATA)")
    return place
