"""Killed at random moments, with the kernels and the disk as they are, a run with many options ends bit-identical."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from lenetcli.kernels import dispatch
from tests.train.small import difference, resume, train

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="no fork"),
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),  # JAX, where a benchmark has imported it
]

CONFIG = """
model:
  input: [1, 8, 8]
  layers:
    - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1}
    - {type: BatchNorm2d}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Dropout, p: 0.2}
    - {type: Flatten}
    - {type: Linear, out_features: 10}
data: {type: Digits, augment: {rotate: 10, noise: 0.05}}
loss: {type: CrossEntropyLoss}
optimizer: {type: Adam, lr: 0.01}
scheduler: {type: ReduceLROnPlateau, patience: 0}
train:
  epochs: 6
  batch_size: 32
  accumulate: 2
  ema: 0.9
  warmup: 12
  validation: 0.1
  clip_grad_norm: 1
  class_weights: balanced
  early_stopping: {patience: 7}
  keep_checkpoints: 1
  limit_batches: {train: 12, eval: 1}
"""


def forked(work: Callable[[], int], seconds: float, wish: float) -> bool:
    """Does the work in a process that is asked to save after a time and killed later; whether it came to its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the parent's threads do not matter here
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(120)
            signal.signal(signal.SIGUSR1, lambda *_: None)  # until the training looks for it
            code = work()
        finally:
            os._exit(code)
    began = time.perf_counter()
    for after, number in ((wish, signal.SIGUSR1), (seconds, signal.SIGKILL)):
        while time.perf_counter() - began < after:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return came_to_its_end(status)
            time.sleep(0.001)
        os.kill(child, number)
    return came_to_its_end(os.waitpid(child, 0)[1])


def came_to_its_end(status: int) -> bool:
    """False where a signal killed the process: SIGUSR1, too, before it had a handler for that."""
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL, -signal.SIGUSR1), "the training failed by itself"
    return code == 0


@pytest.mark.parametrize("wanted", [6, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("real_fsync")
def test_random_kills_lose_nothing(wanted: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, run, draw = tmp_path / "config.yaml", tmp_path / "run", random.Random(wanted)
    config.write_text(CONFIG)
    began = time.perf_counter()
    assert train(config, tmp_path / "whole") == 0
    whole = time.perf_counter() - began
    kills = runs = saved = 0
    while kills < wanted or run.exists():
        seconds = draw.uniform(0, 0.3 * whole)
        first = not (run / "config.yaml").exists()
        before = latest(run)
        if forked((lambda: train(config, run)) if first else (lambda: resume(run)), seconds, seconds * draw.random()):
            assert difference(tmp_path / "whole", run) is None, f"after {kills} kills"
            shutil.rmtree(run)
            runs += 1
        else:
            kills += 1
            saved += latest(run) != before
    with capsys.disabled():
        print(
            f"\n{kills} random kills of {runs} runs ({dispatch.twin} kernels, real fsync): "
            f"{saved} after a new checkpoint; resumed after every one, all ended bit-identical"
        )


def latest(run: Path) -> str:
    path = run / "checkpoints" / "latest"
    return path.read_text() if path.exists() else ""
