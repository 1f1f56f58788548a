"""Whole trainings with one, two and three threads give the same bits; NumPy's BLAS gets the same number."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli.build import build_run
from lenetcli.kernels import active, native, threads
from lenetcli.train.events import Step
from lenetcli.train.loop import fit
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = lenet.get_num_threads()
    yield
    lenet.set_num_threads(before)


def trained(count: int, name: str, *changes: str) -> list[bytes]:
    """The losses and weights of some steps."""
    lenet.set_num_threads(count)
    run = build_run(configuration.load(str(ROOT / "configs" / f"{name}.yaml"), ["train.epochs=1", *changes]))
    losses = [event.loss for event in fit(run) if isinstance(event, Step)]
    return [np.array(losses).tobytes(), *(p.array.tobytes() for p in run.model.parameters())]


@pytest.mark.skipif(native.absent is not None, reason="the native kernels are not built")
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("lenet", ["train.limit_batches=12"]),
        ("lenet", ["train.limit_batches=4", "train.batch_size=67", "optimizer=optimizers/adam.yaml"]),
        ("lenet5", ["train.limit_batches=4"]),
        ("mlp", ["train.limit_batches=30"]),
        ("cnn", ["train.limit_batches=2", "train.batch_size=20"]),
    ],
)
def test_a_training_has_the_same_bits_with_any_number_of_threads(name: str, changes: list[str]) -> None:
    with active.force("native"):
        one, two, three = (trained(count, name, *changes) for count in (1, 2, 3))
    assert one == two == three


def test_blas_gets_the_same_number() -> None:
    for count in (1, 2):
        lenet.set_num_threads(count)
        assert {pool["num_threads"] for pool in threads.blas_pools()} <= {count}


def told(**environment: str) -> subprocess.CompletedProcess[str]:
    """What a fresh process finds."""
    code = (
        "from lenetcli.kernels import active, threads; "
        "print(threads.get_num_threads(), *{pool['num_threads'] for pool in threads.blas_pools()})"
    )
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_THREADS")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env={**clean, **environment}, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_environment_sets_kernels_and_blas() -> None:
    assert told(LENET_THREADS="1").stdout.split() == ["1", "1"]
    assert told(LENET_THREADS="2", OMP_NUM_THREADS="1").stdout.split() == ["2", "2"]
    assert told(OMP_NUM_THREADS="1").stdout.split() == ["1", "1"]
    for wrong in ("many", "0", "1000000"):
        done = told(LENET_THREADS=wrong)
        assert done.returncode == 1
        assert f"LENET_THREADS must be a number from 1 to 1024, got '{wrong}'" in done.stderr
