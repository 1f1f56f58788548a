"""What training by several ranks costs and gains; `--write` puts the tables into benchmarks/SCALING.md.

python benchmarks/scaling.py [--write]

Measured with one and two ranks of one thread each on this machine and, as root where iproute2 is, with two ranks on two
hosts that are network namespaces (tools/two_hosts): the bytes there are those that the network device has counted.
The model: a message of n bytes takes alpha + n beta, a sum over k ranks 2 (k - 1) messages of n / k bytes (a ring).
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import config as configuration
from lenetcli.build.parts import build_run
from lenetcli.parallel.launch import joined
from lenetcli.train.events import Step
from lenetcli.train.loop import fit

ROOT = Path(__file__).parent.parent
BIG = """
model:
  input: [1, 28, 28]
  layers:
    - {type: Flatten}
    - {type: Linear, out_features: 6144}
    - {type: ReLU}
    - {type: Linear, out_features: 6144}
    - {type: ReLU}
    - {type: Linear, out_features: 3072}
    - {type: ReLU}
    - {type: Linear, out_features: 10}
data: {type: Random, shape: [1, 28, 28], classes: 10, train: 512, test: 10}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.01}
train: {epochs: 1}
"""
NETS = {  # name: configuration, batch sizes, epochs
    "LeNet": ("configs/lenet.yaml", (64, 256), 8),
    "CNN": ("configs/cnn.yaml", (64, 256), 3),
    "MLP": ("big.yaml", (64, 256), 1),
}
SIZES = [4**e for e in range(1, 14)]  # bytes of a message: 4 to 64 Mi
NETWORKS = {  # seconds a message, seconds a byte: TCP on 10 Gbit/s; 100 Gbit/s with remote memory access
    "10 Gbit/s": (30e-6, 8 / 10e9),
    "100 Gbit/s": (5e-6, 8 / 100e9),
}
RANKS = (2, 4, 8, 16, 32, 64, 128)


# What each rank runs


def messages() -> dict[str, Any]:
    """Seconds of a message one way and of a sum over the ranks, by bytes."""
    from mpi4py import MPI

    with joined("mpi") as crew:
        team: Any = crew.team  # type: ignore[attr-defined]  # a crew of ranks
        found: dict[str, Any] = {"send": {}, "sum": {}}
        for size in SIZES:
            data, repeats = np.zeros(size // 4, np.float32), max(3, min(100, (1 << 24) // size))

            def there_and_back(data: Any = data) -> None:
                for rank in (0, 1):
                    go = MPI.COMM_WORLD.Isend if team.rank == rank else MPI.COMM_WORLD.Irecv
                    _wait([go(data, 1 - team.rank)])

            found["send"][size] = _median(there_and_back, repeats) / 2
            found["sum"][size] = _median(lambda data=data: team.sum(data), repeats)
    return found if team.leads else {}


def training(name: str, batch: str) -> dict[str, Any]:
    """Seconds, calls and bytes of a step of a real training, and the parameters."""
    path, _, epochs = NETS[name]
    with tempfile.TemporaryDirectory() as place, joined("auto") as crew:
        (Path(place) / "big.yaml").write_text(BIG)
        file = ROOT / path if (ROOT / path).exists() else Path(place) / path
        changes = [f"train.batch_size={batch}", f"train.epochs={epochs}", "train.drop_last=true", "scheduler=null"]
        run = build_run(configuration.load(str(file), changes))
        crew.join(run)
        stamps, steps = [time.perf_counter()], []
        for event in fit(run):
            stamps.append(time.perf_counter())
            if isinstance(event, Step):
                steps.append(stamps[-1] - stamps[-2])
        team: Any = getattr(crew, "team", None)
        return {
            "seconds": statistics.median(steps[1:]),
            "steps": len(steps),
            "parameters": sum(p.numel() for p in run.model.parameters()),
            "calls": team.calls / len(steps) if team else 0,
            "bytes": team.bytes / len(steps) if team else 0,
        } if crew.leads else {}  # fmt: skip


def buckets(name: str, batch: str) -> dict[str, Any]:
    """Seconds of forward, backward and the sum of gradients: one call at the end, or buckets sent during backward."""
    from mpi4py import MPI

    with tempfile.TemporaryDirectory() as place, joined("mpi") as crew:
        (Path(place) / "big.yaml").write_text(BIG)
        path = NETS[name][0]
        file = ROOT / path if (ROOT / path).exists() else Path(place) / path
        run = build_run(configuration.load(str(file), [f"train.batch_size={batch}"]))
        parameters = list(run.model.parameters())
        flat = np.zeros(sum(p.numel() for p in parameters), np.float32)
        places = np.split(flat, np.cumsum([p.numel() for p in parameters])[:-1])
        run.train_loader.part = (MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size)
        inputs, targets = next(iter(run.train_loader))
        sent: list[Any] = []
        ready: set[int] = set()

        def backward() -> None:
            run.model.zero_grad()
            run.criterion(run.model(inputs), targets).backward()

        def once() -> None:
            backward()
            for p, room in zip(parameters, places):
                room[...] = p.grad.array.ravel()
            _wait([MPI.COMM_WORLD.Iallreduce(MPI.IN_PLACE, flat)])

        def hook(number: int) -> Callable[[Any], None]:
            def send(grad: Any) -> None:
                places[number][...] = grad.array.ravel()
                ready.add(number)
                while len(parameters) - 1 - len(sent) in ready:  # from the last to the first, the same on all ranks
                    room = places[len(parameters) - 1 - len(sent)]
                    sent.append(MPI.COMM_WORLD.Iallreduce(MPI.IN_PLACE, room))

            return send

        def during() -> None:
            handles = [p.register_hook(hook(number)) for number, p in enumerate(parameters)]
            backward()
            _wait(sent)
            sent.clear()
            ready.clear()
            for handle in handles:
                handle.remove()

        repeats = 1 if flat.size > 10**7 else 10
        times = {"once": [], "during": []}
        for _ in range(3):
            times["once"].append(_median(once, repeats))
            times["during"].append(_median(during, repeats))
        return {key: statistics.median(found) for key, found in times.items()} if crew.leads else {}


def _wait(requests: list[Any]) -> None:
    """As Team waits."""
    for request in requests:
        looks = 0
        while not request.Test():
            looks += 1
            if looks > 1000:
                time.sleep(5e-5)


def _median(work: Callable[[], Any], repeats: int) -> float:
    for _ in range(2):
        work()
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


# What the script makes of it


def ranks(count: int, *program: str, hosts: bool = False, threads: int = 1) -> tuple[dict[str, Any], str]:
    """What a program of the first part finds with so many ranks, and what came on stderr."""
    mpiexec = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if mpiexec is None:
        sys.exit("mpiexec is missing: python -m pip install 'lenet[mpi]'")
    line = [sys.executable, __file__, "--rank", *program]
    if hosts:
        two = ROOT / "tools" / "two_hosts"
        launch = [mpiexec, "-f", str(two / "hostfile"), "-launcher-exec", str(two / "agent"), "-n", str(count)]
        line = [str(two / "run"), *launch, *line]
    elif count > 1:
        line = [mpiexec, "-n", str(count), *line]
    variables = {**os.environ, "LENET_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    variables |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=280, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(line)}\n{done.stdout}{done.stderr}")
    return json.loads(next(text for text in done.stdout.splitlines() if text.startswith('{"'))), done.stderr


def fitted(times: dict[str, float]) -> tuple[float, float]:
    """alpha and beta of a message: the median of small ones, and the slope of large ones."""
    points = sorted((int(size), seconds) for size, seconds in times.items())
    alpha = statistics.median(seconds for size, seconds in points if size <= 1024)
    large = [(size, seconds) for size, seconds in points if size >= 1 << 18]
    return alpha, statistics.median((seconds - alpha) / size for size, seconds in large)


def allreduce(ranks: int, size: float, alpha: float, beta: float) -> float:
    """Seconds of a ring's sum."""
    return 2 * (ranks - 1) * (alpha + size / ranks * beta)


def message_table(found: dict[str, Any], alpha: float, beta: float) -> list[str]:
    """Measured sums beside the model, whose alpha and beta are those of the sums themselves."""
    lines = ["| bytes | message, us | sum of two, us | model, us |", "|---:|---:|---:|---:|"]
    for size, seconds in found["sum"].items():
        if int(size) in (4, 1024, 65536, 1 << 18, 1 << 20, 1 << 24, 1 << 26):
            model = allreduce(2, int(size), alpha, beta)
            lines.append(f"| {int(size):,} | {_us(found['send'][size])} | {_us(seconds)} | {_us(model)} |")
    return lines


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f}"


def of_sums(found: dict[str, Any]) -> tuple[float, float]:
    """alpha and beta that the sums of two ranks have: two messages of half the bytes."""
    alpha, beta = fitted(found["sum"])
    return alpha / 2, beta


def report() -> str:
    """Measures; gives the page."""
    import mpi4py

    alone = {(n, b): ranks(1, "training", n, str(b))[0] for n, (_, bs, _) in NETS.items() for b in {*bs, bs[0] // 2}}
    wide = {(n, b): ranks(1, "training", n, str(b), threads=2)[0] for n, (_, bs, _) in NETS.items() for b in bs}
    two = {(n, b): ranks(2, "training", n, str(b))[0] for n, (_, bs, _) in NETS.items() for b in bs}
    half = {(n, bs[1]): ranks(1, "training", n, str(bs[1] // 2))[0] for n, (_, bs, _) in NETS.items()}
    here = ranks(2, "messages")[0]
    alpha, beta = of_sums(here)
    page = [
        "# Training by several ranks", "",
        (f"`python benchmarks/scaling.py --write` on {os.cpu_count()} cores of {platform.machine()}; Python "
        f"{platform.python_version()}, NumPy {np.__version__}, mpi4py {mpi4py.__version__}."), "",
        "## Bytes and calls of a step", "",
        "Of each rank. The least that any algorithm can send is 2 (k - 1) / k of the parameters: for two ranks, as",
        "many bytes as the parameters have.", "",
        "| net | parameters | least, bytes | summed, bytes | calls |" + (" sent, bytes |" if _hosts() else ""),
        "|---|---:|---:|---:|---:|" + ("---:|" if _hosts() else ""),
    ]  # fmt: skip
    for name, (_, (batch, _), _) in NETS.items():
        found = two[name, batch]
        row = f"| {name} | {found['parameters']:,} | {4 * found['parameters']:,} | {found['bytes']:,.0f} |"
        row += f" {found['calls']:.2f} |"
        if _hosts():
            row += f" {sent_a_step(name, batch):,.0f} |"
        page.append(row)
    page += [
        "", "Summed: the buffer that a step hands to MPI; beside gradients it holds a few figures and what batch norm",
        "tracks. Calls: one a step, and one for each evaluation. Sent: what the network device of the second host has",
        "counted, headers, acknowledgements and start-up included.", "",
        "## Two ranks here", "",
        "Ranks of one thread. Efficiency: half the step time of one such rank with the whole batch, by that of two.",
        "Model: the step of one rank with half the batch, plus the modelled sum.", "",
        "| net | batch | one rank, ms | two ranks, ms | efficiency | model, ms | one process of two threads, ms |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for name, (_, batches, _) in NETS.items():
        for batch in batches:
            one, both = alone[name, batch]["seconds"], two[name, batch]["seconds"]
            part = alone[name, batch // 2] if batch == batches[0] else half[name, batch]
            model = part["seconds"] + allreduce(2, two[name, batch]["bytes"], alpha, beta)
            page.append(
                f"| {name} | {batch} | {one * 1e3:.2f} | {both * 1e3:.2f} | {one / both / 2:.2f} | {model * 1e3:.2f} | "
                f"{wide[name, batch]['seconds'] * 1e3:.2f} |"
            )
    page += [
        "", "## Messages", "",
        (f"Between two ranks on one machine, in shared memory: alpha {alpha * 1e6:.1f} us, 1 / beta "
        f"{1e-9 / beta:.2f} GB/s, fitted to the sums (a sum also adds)."), "", *message_table(here, alpha, beta),
    ]  # fmt: skip
    if _hosts():
        apart = ranks(2, "messages", hosts=True)[0]
        a, b = of_sums(apart)
        page += [
            "", f"Between two network namespaces, over TCP: alpha {a * 1e6:.1f} us, 1 / beta {1e-9 / b:.2f} GB/s.", "",
            *message_table(apart, a, b),
        ]  # fmt: skip
    page += [
        "", "## One sum at the end, or buckets during backward", "",
        "Forward, backward and sums of two ranks; buckets: each gradient is sent as soon as it is there.", "",
        "| net | batch | one sum, ms | buckets, ms |", "|---|---:|---:|---:|",
    ]  # fmt: skip
    for name, (_, (batch, _), _) in NETS.items():
        found = ranks(2, "buckets", name, str(batch))[0]
        page.append(f"| {name} | {batch} | {found['once'] * 1e3:.2f} | {found['during'] * 1e3:.2f} |")
    page += [
        "", "MPI moves data while somebody calls it: what is sent during backward waits for its end unless a core is",
        "free to do it. lenet sends one buffer at the end.", "",
        "## Where it stops paying", "",
        "By the model: one rank of one thread a machine, batch 256 in all. A step takes what one rank takes for 1 / k",
        "of the batch (a straight line through its two measured batch sizes) and the ring's sum. Latency and bandwidth",
        "are assumed: 30 us and 10 Gbit/s, 5 us and 100 Gbit/s. The figures are speed-ups over one rank; the last",
        "column is the number of ranks after which twice as many bring less than a tenth more. The net of 100 M",
        "parameters is the MLP, its work and bytes in proportion.", "",
        "| net | network | " + " | ".join(f"k = {k}" for k in RANKS) + " | enough |",
        "|---|---|" + "---:|" * (len(RANKS) + 1),
    ]  # fmt: skip
    for name, (_, (few, many), _) in NETS.items():
        t_few, t_many = (alone[name, b]["seconds"] for b in (few, many))
        slope = (t_many - t_few) / (many - few)
        size, shown = two[name, few]["bytes"], name
        if name == "MLP":  # the largest that a configuration may hold; work and bytes grow with the weights
            larger = 100e6 / two[name, few]["parameters"]
            t_many, slope, size, shown = t_many * larger, slope * larger, size * larger, "100 M parameters"
        for network, (latency, byte) in NETWORKS.items():
            steps = {1: t_many} | {
                k: max(t_many - slope * (many - many / k), slope * many / k) + allreduce(k, size, latency, byte)
                for k in RANKS
            }
            gains = {k: t_many / seconds for k, seconds in steps.items()}
            enough = next((k for k in gains if gains.get(2 * k, 0) < 1.1 * gains[k]), RANKS[-1])
            cells = " | ".join(f"{gains[k]:.1f}" for k in RANKS)
            page.append(f"| {shown} | {network} | {cells} | {enough} |")
    return "\n".join(page) + "\n"


def _hosts() -> bool:
    """Whether two hosts can be made here, for MPICH's mpiexec."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("ip") is not None


def sent_a_step(name: str, batch: int) -> float:
    """Bytes that the second host sends in a step, by its network device."""
    found, told = ranks(2, "training", name, str(batch), hosts=True)
    return int(re.search(r"host 2 sent (\d+) bytes", told)[1]) / found["steps"]  # type: ignore[index]  # the script tells


if __name__ == "__main__":
    if "--rank" in sys.argv:
        program, *words = sys.argv[sys.argv.index("--rank") + 1 :]
        found = {"messages": messages, "training": training, "buckets": buckets}[program](*words)
        if found:  # rank 0's
            print(json.dumps(found), flush=True)
    else:
        text = report()
        print(text)
        if "--write" in sys.argv:
            (ROOT / "benchmarks" / "SCALING.md").write_text(text, "utf-8")
