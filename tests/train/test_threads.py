"""What docs/repeating.md says of trainings that differ in threads, kernels and instruction sets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli.build.parts import build_run
from lenetcli.kernels import dispatch, native, threads
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
    with dispatch.force("native"):
        one, two, three = (trained(count, name, *changes) for count in (1, 2, 3))
    assert one == two == three


def losses_of(found: list[bytes]) -> np.ndarray:
    return np.frombuffer(found[0])


@pytest.mark.parametrize("twin", ["numpy", "native"])
@pytest.mark.parametrize(
    ("name", "changes"), [("lenet", ["train.limit_batches=6"]), ("mlp", ["train.limit_batches=20"])]
)
def test_a_training_repeats_to_the_last_bit_with_the_same_number_of_threads(
    twin: dispatch.Twin, name: str, changes: list[str]
) -> None:
    if twin == "native" and native.absent is not None:
        pytest.skip("the native kernels are not built")
    with dispatch.force(twin):
        runs = [[trained(count, name, *changes) for _ in range(2)] for count in (1, 2, 3)]
    assert all(first == second for first, second in runs)
    for one, _ in runs:  # NumPy's kernels round otherwise with another number
        np.testing.assert_allclose(losses_of(one), losses_of(runs[0][0]), rtol=1e-5)


def fingerprint(name: str) -> tuple[list[bytes], list[bytes], np.ndarray]:
    """Initial weights, the first batches, and the losses of some steps."""
    run = build_run(
        configuration.load(str(ROOT / "configs" / f"{name}.yaml"), ["train.epochs=1", "train.limit_batches=4"])
    )
    weights = [p.array.tobytes() for p in run.model.parameters()]
    batches = [y.array.tobytes() for _, (_, y) in zip(range(4), run.train_loader.batches(0))]
    return weights, batches, np.array([event.loss for event in fit(run) if isinstance(event, Step)])


@pytest.mark.skipif(native.absent is not None, reason="the native kernels are not built")
@pytest.mark.parametrize("name", ["lenet", "mlp"])
def test_other_kernels_and_instruction_sets_draw_the_same_and_differ_by_rounding(name: str) -> None:
    before = native.target()
    assert before is not None
    with dispatch.force("numpy"):
        weights, batches, losses = fingerprint(name)
    try:
        for target in native.targets():
            native.set_target(target)
            with dispatch.force("native"):
                found = fingerprint(name)
            assert found[:2] == (weights, batches)
            np.testing.assert_allclose(found[2], losses, rtol=1e-5)
    finally:
        native.set_target(before)


def test_blas_gets_the_same_number() -> None:
    for count in (1, 2):
        lenet.set_num_threads(count)
        assert {pool["num_threads"] for pool in threads.blas_pools()} <= {count}


def test_the_environment_chooses_kernels_and_instruction_set() -> None:
    for wanted in ("numpy", *([] if native.absent is not None else ["native", *native.targets()])):
        kernels = described(LENET_KERNELS=wanted).stdout.split()
        assert kernels == (["numpy"] if wanted == "numpy" else ["native", kernels[1]])
        assert wanted in ("native", "numpy") or kernels[1] == wanted
    done = described(LENET_KERNELS="v9")
    assert done.returncode == 1
    assert "ConfigError: LENET_KERNELS must be numpy or native" in done.stderr
    assert "got 'v9'" in done.stderr


def described(**environment: str) -> subprocess.CompletedProcess[str]:
    code = "from lenetcli.kernels import dispatch; print(dispatch.description())"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, cwd=ROOT
    )


def told(**environment: str) -> subprocess.CompletedProcess[str]:
    """What a fresh process finds."""
    code = (
        "from lenetcli.kernels import dispatch, threads; "
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
