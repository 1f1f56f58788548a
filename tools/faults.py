"""Goes through the faults: python tools/faults.py [KIND ...] [--stride N] [--minutes N] [--seed N] [--jobs N]
[-o FILE.md].

reads      each read of a run fails (EIO, EACCES, ESTALE), for a run that goes on and for every command that reads one
writes     each write fails, once or from then on (ENOSPC, EIO, EACCES), of trainings and of commands that write
signals    signals at random moments of trainings with each option (over 300): each goes on to the same bits
commands   signals to the commands that look or write
parts      each part of a run directory is renamed, removed, emptied, replaced or linked while it trains
mutations  run directories with something changed (1,000), for every command: no code, no hang, under 1 GiB
together   30 runs that begin at once; six rivals for the same --out and the same --resume
sweeps     a sweep of 16 trials whose workers are killed (50 times) and stopped (5 times)
full       every command with stdout on a full disk, and into a pipe that nobody reads
code       Python that a configuration or a run names and nobody has agreed to, for every command
hostile    weights, arrays, tables and folders of pictures that are not what they say
pages      markup in every name that a page shows, in a browser where there is one
long       the memory of 10,000 epochs

Prints what went wrong, then the table of faults, commands and outcomes; exit code 1 where something did. With -o the
table goes into a file, too, in place of the one of these kinds that is there. SIGTERM ends it with what it has found
so far. Linux, with a C compiler.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lenetcli.disk import write_atomically  # noqa: E402  # the path comes first
from tests.faults import calls, crowds, moved, mutated, pages, signalled, strangers, streams, table  # noqa: E402
from tests.faults.outcome import Found, Table  # noqa: E402

Kind = Callable[[Path, table.Commands, int, int], Iterator[Found]]
KINDS: dict[str, Kind] = {
    "reads": calls.reads, "writes": calls.writes, "signals": signalled.trainings, "commands": signalled.others,
    "parts": moved.parts, "mutations": mutated.runs, "together": crowds.together, "sweeps": crowds.sweeps,
    "full": streams.full, "code": strangers.code, "hostile": strangers.hostile, "pages": pages.payloads,
    "long": crowds.long,
}  # fmt: skip
STOPPED = Event()  # by SIGTERM: what was found until then is told
DIVIDED = ("reads", "writes", "parts")  # of which every Nth, from the seed on, can be done apart from the others


def gone_through(kind: str, seed: int, stride: int, minutes: float, jobs: int) -> Table:
    """One kind of faults, in a directory of its own and with a user's folder of its own; several at once if need be."""
    found, began = Table(), time.monotonic()
    jobs = jobs if kind in DIVIDED else 1

    def go(place: Path, first: int) -> None:
        place.mkdir()
        with table.commands(place) as call:
            for one in KINDS[kind](place, call, first, stride * jobs):
                found.add(one)
                found.whole = found.whole and time.monotonic() - began < minutes * 60 and not STOPPED.is_set()
                if one.wrong is not None:
                    print(f"{kind}: {one.fault} {one.moment}, {one.command}, {one.detail}: {one.wrong}", flush=True)
                if not found.whole:
                    break

    with tempfile.TemporaryDirectory(prefix="lenet-faults-") as name:
        os.environ["XDG_CONFIG_HOME"] = str(Path(name) / "settings")
        crowds.ENVIRONMENT["XDG_CONFIG_HOME"] = os.environ["XDG_CONFIG_HOME"]
        if jobs == 1:
            go(Path(name) / "place", seed)
        else:
            with ThreadPoolExecutor(jobs) as pool:
                first = [seed % stride + stride * job for job in range(jobs)]
                for ended in [pool.submit(go, Path(name) / f"place{job}", one) for job, one in enumerate(first)]:
                    ended.result()
    seconds = time.monotonic() - began
    print(f"{kind}: {found.count} faults, {len(found.wrong)} with an outcome that should not be; {seconds:.0f} s\n")
    return found


def section(kind: str, found: Table, told: list[str]) -> str:
    """What a page shows of it, between marks that the next time finds."""
    story = re.sub(r"\s+", " ", re.search(rf"^{kind} +(.*(?:\n  +.*)*)", __doc__ or "", re.M).group(1))  # type: ignore[union-attr]
    asked = f"python tools/faults.py {' '.join([kind, *told])}"
    story = re.sub(r" \([^)]*[0-9][^)]*\)", "", story)  # how many there are is said below
    lines = [f"## {story[0].upper()}{story[1:]}", "", f"`{asked}`: {found.count} faults, {len(found.wrong)} wrong"]
    lines[-1] += "." if found.whole else "; the time that was given ended there."
    return "\n".join(
        [f"<!-- {kind}: made by {asked} -->", "", *lines, "", *found.markdown(), "", f"<!-- end of {kind} -->"]
    )


def put(path: Path, kind: str, text: str) -> None:
    """Puts a section into a page, in place of the one of its kind."""
    page = path.read_text("utf-8") if path.exists() else ""
    old = re.search(rf"<!-- {kind}: made by .*?<!-- end of {kind} -->", page, re.S)
    page = page.replace(old[0], text) if old else f"{page.rstrip()}\n\n{text}\n".lstrip()
    write_atomically(path, page.encode())


def main() -> int:
    """All that is asked for, or everything."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("kinds", nargs="*", metavar="KIND", choices=[[], *KINDS], default=[])
    asked.add_argument("--stride", type=int, default=1, help="take every Nth")
    asked.add_argument("--jobs", type=int, default=1, help=f"so many at once, of {', '.join(DIVIDED)}")
    asked.add_argument("--minutes", type=float, default=float("inf"), help="for each kind, and no more")
    asked.add_argument("--seed", type=int, default=0, help="decides what is drawn")
    asked.add_argument("-o", dest="page", type=Path, metavar="FILE.md", help="put the tables into this page")
    told = asked.parse_args()
    for name in ("SIGINT", "SIGHUP"):  # a job in the background or under nohup ignores them, as would its commands
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: STOPPED.set())
    options = [f"--stride {told.stride}"] * (told.stride > 1) + [f"--seed {told.seed}"] * (told.seed != 0)
    options += [f"--minutes {told.minutes:g}"] * (told.minutes < float("inf"))
    failed = 0
    for kind in told.kinds or KINDS:
        found = gone_through(kind, told.seed, told.stride, told.minutes, told.jobs)
        print("\n".join(found.markdown()), end="\n\n", flush=True)
        if told.page is not None:
            put(told.page, kind, section(kind, found, options))
        failed += len(found.wrong)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
