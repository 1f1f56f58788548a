"""Whatever a configuration says, it is read or refused: never another exception, never long, never much memory."""

from __future__ import annotations

import contextlib
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lenetcli import config as configuration
from lenetcli.build.parts import build_criterion, build_data, build_model, build_optimizer
from lenetcli.errors import ConfigError
from tests.config.mutations import GOOD, texts, trees, written

SECONDS = 5.0
BYTES = 1 << 30
QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=False
)
LONG = settings(QUICK, max_examples=2500, derandomize=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@contextlib.contextmanager
def at_most(size: int) -> Iterator[None]:
    """What is inside takes less memory than that; Linux counts it anyway, tracemalloc takes most of a test's time."""
    if Path("/proc/self/status").exists():
        allowed = max(virtual("VmPeak"), virtual("VmSize") + size)
        try:
            yield
        finally:
            assert virtual("VmPeak") <= allowed
    else:
        tracemalloc.start()
        try:
            yield
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < size


def virtual(key: str) -> int:
    """Bytes of this process by /proc: VmSize has, VmPeak had at most, whether touched or not."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def test_what_takes_too_much_memory_is_noticed() -> None:
    with at_most(BYTES):
        np.zeros(BYTES // 2, np.uint8)
    with pytest.raises(AssertionError), at_most(BYTES):
        np.zeros(BYTES + (1 << 27), np.uint8)


def check(text: str, place: Path) -> None:
    """Reads the configuration and makes everything it names, as `lenet validate` does."""
    path, refusal = written(text, place), "none"
    began = time.process_time()
    try:
        with at_most(BYTES), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = configuration.load(path)
            model, _ = build_model(config)
            build_data(config)
            build_criterion(config)
            build_optimizer(config, model)
            again = written(configuration.dump(config), place)
            assert configuration.dump(configuration.load(again)) == configuration.dump(config)
    except ConfigError as error:
        refusal = str(error)
    assert refusal
    assert time.process_time() - began < SECONDS


@QUICK
@given(text=trees())
def test_mutated_trees_are_read_or_refused(text: str, place: Path) -> None:
    check(text, place)


@QUICK
@given(text=texts())
def test_mutated_texts_are_read_or_refused(text: str, place: Path) -> None:
    check(text, place)


@pytest.mark.slow
@LONG
@given(text=trees())
def test_thousands_of_mutated_trees_are_read_or_refused(text: str, place: Path) -> None:
    check(text, place)


@pytest.mark.slow
@LONG
@given(text=texts())
def test_thousands_of_mutated_texts_are_read_or_refused(text: str, place: Path) -> None:
    check(text, place)


@QUICK
@given(change=st.one_of(st.text(max_size=40), st.from_regex(r"[a-z_.\[\]0-9-]{1,30}=.{0,20}", fullmatch=True)))
def test_any_change_on_the_command_line_is_taken_or_refused(change: str, place: Path) -> None:
    with contextlib.suppress(ConfigError):
        configuration.load(written(GOOD, place), [change])
