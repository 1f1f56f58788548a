"""A steady training step takes its memory from what earlier steps freed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lenetcli.kernels import native
from lenetcli.kernels.memory import keep_freed_memory

STEPS = """
import resource, sys
import lenetcli as lenet
from lenetcli import nn
from lenetcli.kernels import dispatch

dispatch.use(sys.argv[1])
lenet.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 16, 3), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(144, 120), nn.ReLU(), nn.Linear(120, 10),
)
x, y = lenet.randn(16, 3, 16, 16), lenet.randint(0, 10, (16,))
optimizer = lenet.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def steps(count):
    for _ in range(count):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


before = steps(10)
print(steps(20) - before)
"""
A_STEP = 16  # page faults on the average, 64 kB: the first convolution's output alone has 64 of them


@pytest.mark.skipif(not keep_freed_memory(), reason="only glibc's allocator can be told to keep memory")
@pytest.mark.parametrize("twin", ["numpy", "native"])
def test_a_steady_training_step_takes_no_new_pages(twin: str) -> None:
    if twin == "native" and native.absent is not None:
        pytest.skip(native.absent)
    command = [sys.executable, "-W", "ignore", "-c", STEPS, twin]
    faults = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout)
    assert faults < 20 * A_STEP
