"""Page faults of a steady training step and the memory that training adds, here, in torch, and here without reuse.

Every case runs in a fresh process. "without reuse" leaves glibc's allocator as it is, which gives large blocks back to
the system when they are freed: the state before this project told it not to.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NETS = ["LeNet, batch 64", "LeNet, batch 256", "BatchNorm CNN, batch 64", "MLP, batch 128"]
WARM, STEPS = 5, 20
SIDES = {  # name: side, kernels, reuse
    "native": ("lenet", "native", True),
    "native, without reuse": ("lenet", "native", False),
    "NumPy": ("lenet", "numpy", True),
    "NumPy, without reuse": ("lenet", "numpy", False),
    "torch": ("torch", "", True),
}


def lines(nets: list[str]) -> Iterator[str]:
    """The rows of the table."""
    yield "| training step | kernels | page faults a step | MB added |"
    yield "|---|---|---:|---:|"
    for net in nets:
        for name, (side, kernels, reuse) in SIDES.items():
            environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"LENET_KERNELS": kernels} if kernels else {})
            command = [sys.executable, __file__, net, side, "reuse" if reuse else "default"]
            done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout)
            yield f"| {net} | {name} | {found['faults']:,.0f} | {found['added']:,.1f} |"


def case(net: str, side: str, reuse: bool) -> dict[str, Any]:
    """One case, in this process."""
    if not reuse:
        from lenetcli.kernels import memory

        memory.keep_freed_memory = lambda: False
    from work import cnn, mlp, sequential, training

    work = {
        "LeNet, batch 64": training(sequential, (64, 1, 32, 32)),
        "LeNet, batch 256": training(sequential, (256, 1, 32, 32)),
        "BatchNorm CNN, batch 64": training(cnn, (64, 3, 32, 32)),
        "MLP, batch 128": training(mlp, (128, 784)),
    }[net]
    tiny = training(cnn if net.startswith("Batch") else sequential, (2, 3 if net.startswith("Batch") else 1, 32, 32))
    tiny(side)()  # libraries warm up
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = _kilobytes("VmRSS")
    step = work(side)
    for _ in range(WARM):
        step()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(STEPS):
        step()
    return {
        "faults": (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults) / STEPS,
        "added": (_kilobytes("VmHWM") - before) / 1024,
    }


def _kilobytes(key: str) -> float:
    found = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return float(found.split()[1])


if __name__ == "__main__":
    print(json.dumps(case(sys.argv[1], sys.argv[2], sys.argv[3] == "reuse")))
