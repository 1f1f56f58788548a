"""A sweep over two hosts that meets every fault: does each trial end once, with the bits of a sweep without faults?

    python tools/sweep_faults.py [--trials 48] [--overhead 1000]

The hosts are network namespaces with a cable between them (root, iproute2); nothing leaves this machine. A scheduler,
the command and two workers are on the first, two workers on the second. While it sweeps, a worker is killed (-9), the
second host is cut off and comes back, the scheduler is killed and started again, and so is the command. Then so many
trials of a second are shared out without faults, and what that costs is told.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.train.small import CONFIG, difference  # noqa: E402

HOSTS, CABLE, NET = ("lenet-sweep1", "lenet-sweep2"), ("lenet-cable1", "lenet-cable2"), "10.78.0"
ADDRESS = f"tcp://{NET}.1:8786"
SLOW = '''
import os, time
from lenetcli import nn

class Slow(nn.Module):
    """Hands on what it gets, after a while."""
    def forward(self, x):
        time.sleep(float(os.environ.get("SLOW", 0)))
        return x
'''
FORWARDS = 18  # of a trial: 12 steps and 3 evaluations of two splits
PYTHON = [sys.executable, "-m"]
SOON = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s", "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "10s"}


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True).returncode == 0


@contextmanager
def hosts() -> Iterator[None]:
    """Two namespaces and a cable."""
    for host in HOSTS:
        ip("netns", "delete", host)
    if not all(ip("netns", "add", host) for host in HOSTS):
        print("skipped: network namespaces need root and iproute2", file=sys.stderr)
        raise SystemExit(0)
    try:
        ip("link", "add", CABLE[0], "netns", HOSTS[0], "type", "veth", "peer", "name", CABLE[1], "netns", HOSTS[1])
        for number, (host, cable) in enumerate(zip(HOSTS, CABLE), 1):
            ip("-n", host, "address", "add", f"{NET}.{number}/24", "dev", cable)
            ip("-n", host, "link", "set", cable, "up")
            ip("-n", host, "link", "set", "lo", "up")
        yield
    finally:
        for host in HOSTS:
            ip("netns", "delete", host)


class Cluster:
    """The processes on the two hosts."""

    def __init__(self, place: Path, slow: float) -> None:
        self.place, self.slow, self.started = place, slow, list[subprocess.Popen[bytes]]()

    def start(self, host: str, *words: str, log: str) -> subprocess.Popen[bytes]:
        variables = {**os.environ, **SOON, "PYTHONPATH": str(ROOT), "SLOW": str(self.slow), "LENET_THREADS": "1"}
        with (self.place / log).open("ab") as out:
            self.started.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", host, *words], cwd=self.place, env=variables,
                    start_new_session=True, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                )
            )  # fmt: skip
        return self.started[-1]

    def scheduler(self) -> subprocess.Popen[bytes]:
        words = [*PYTHON, "distributed.cli.dask_scheduler", "--host", f"{NET}.1", "--port", "8786", "--no-dashboard"]
        return self.start(HOSTS[0], *words, log="scheduler.log")

    def worker(self, number: int) -> subprocess.Popen[bytes]:
        words = [*PYTHON, "distributed.cli.dask_worker", ADDRESS, "--nthreads", "1", "--memory-limit", "0"]
        again = 'while :; do "$@"; sleep 1; done'  # a worker ends when its scheduler is gone
        words = ["sh", "-c", again, "worker", *words, "--no-dashboard", "--local-directory", f"w{number}"]
        return self.start(HOSTS[number % 2], *words, log=f"worker{number}.log")

    def sweep(self, out: str, trials: int) -> subprocess.Popen[bytes]:
        return self.start(HOSTS[0], *PYTHON, "lenetcli", *sweep(out, trials), "--cluster", ADDRESS, log=f"{out}.log")

    def end(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def sweep(out: str, trials: int) -> list[str]:
    return ["sweep", "slow.yaml", "optimizer.lr=log(1e-4, 1e-1)", "--random", str(trials), "--out", out]


def children(group: int) -> list[int]:
    """The worker that a nanny watches over."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group and b"spawn_main" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def over(place: Path) -> int:
    """How many trials are over."""
    return sum('"ended"' in path.read_text()[-2000:] for path in place.glob("*/metrics.jsonl"))


def until(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)


def faults(place: Path, trials: int) -> int:
    """How many trials ended otherwise than in a sweep without faults, one after the other."""
    plain = {**os.environ, "PYTHONPATH": str(ROOT), "SLOW": "0", "LENET_THREADS": "1"}
    subprocess.run(
        [*PYTHON, "lenetcli", *sweep("serial", trials)], cwd=place, env=plain, check=True, capture_output=True
    )
    print(f"{trials} trials, one after the other: done")
    cluster = Cluster(place, 2 / FORWARDS)
    try:
        scheduler, workers = cluster.scheduler(), [cluster.worker(number) for number in range(4)]
        command = cluster.sweep("shared", trials)
        until(lambda: over(place / "shared") >= trials // 8)
        kill(children(workers[0].pid)[0])
        print("a worker was killed")
        until(lambda: over(place / "shared") >= trials * 2 // 8)
        ip("-n", HOSTS[1], "link", "set", CABLE[1], "down")
        time.sleep(20)
        ip("-n", HOSTS[1], "link", "set", CABLE[1], "up")
        print("the second host was cut off for 20 s")
        scheduler.kill()
        scheduler.wait()
        time.sleep(2)
        cluster.scheduler()
        print(f"the scheduler was killed and started again; over: {over(place / 'shared')}")
        known = over(place / "shared")
        until(lambda: over(place / "shared") >= min(known + 5, trials - 4))
        command.kill()
        command.wait()
        print(f"the command was killed; over: {over(place / 'shared')}")
        code = cluster.sweep("shared", trials).wait(timeout=300)
        print(f"the same command again: exit {code}")
    finally:
        cluster.end()
    wrong = int(code != 0)
    for number in range(1, trials + 1):
        run = place / "shared" / f"{number:04d}"
        events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        steps = [event["step"] for event in events if event["event"] == "step"]
        ends = [event["reason"] for event in events if event["event"] == "ended"]
        found = difference(place / "serial" / run.name, run)
        if found is not None or steps != list(range(1, 13)) or ends != ["finished"]:
            print(f"trial {number}: differs: {found}, steps {steps}, ended {ends}")
            wrong += 1
    print(f"{trials} trials shared, {wrong} wrong")
    return wrong


def spent(place: Path, workers: int) -> float:
    """Time of the workers from the first trial's beginning to the last one's end, for a second of training."""
    runs = sorted(place.glob("[0-9]*"))
    ends = [json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["seconds"] for run in runs]
    window = max((run / "metrics.jsonl").stat().st_mtime for run in runs)
    window -= min((run / "config.yaml").stat().st_mtime for run in runs)
    print(f"{len(runs)} trials, {workers} workers: {window:.1f} s, of {sum(ends) / len(runs):.3f} s each")
    return window * workers / sum(ends)


def overhead(place: Path, trials: int) -> float:
    """What sharing out costs: the workers' time for a second of training, over that of a single process."""
    cluster, few = Cluster(place, 1 / FORWARDS), max(8, trials // 25)
    try:
        code = cluster.start(HOSTS[0], *PYTHON, "lenetcli", *sweep("one", few), log="one.log").wait()
        cluster.scheduler()
        for number in range(4):
            cluster.worker(number)
        until(lambda: (place / "scheduler.log").read_text().count("Register worker addr") >= 4)
        code += cluster.sweep("four", trials).wait()
    finally:
        cluster.end()
    assert code == 0, f"a sweep failed; logs: {place}"
    found = spent(place / "four", 4) / spent(place / "one", 1) - 1
    print(f"sharing out costs {found:+.1%}")
    return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trials", type=int, default=48)
    options.add_argument("--overhead", type=int, default=1000, help="trials of a second; 0 for none")
    asked = options.parse_args()
    place = Path(tempfile.mkdtemp(prefix="lenet-sweep-"))
    text = CONFIG.replace("- {type: Flatten}", "- {type: 'slow.py:Slow'}\n    - {type: Flatten}")
    (place / "slow.yaml").write_text(text)
    (place / "slow.py").write_text(SLOW)
    with hosts():
        wrong = faults(place, asked.trials) if asked.trials else 0
        cost = overhead(place, asked.overhead) if asked.overhead else 0.0
    if wrong or cost > 0.05:
        print(f"logs: {place}")
        return 1
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
