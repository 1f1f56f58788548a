"""Run directories in which something was changed: no code of theirs runs, nothing hangs, nothing takes the memory."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.outcome import Found, exit_code
from tests.faults.table import READERS, SHORT, Commands, clear, complaint, with_foreign
from tests.mutation import mutations
from tests.train.small import write_config

COUNT = 1000
MEMORY = 1 << 30  # bytes
SECONDS = 30.0
EVIL = """from pathlib import Path
from lenetcli import nn

Path({place!r}).write_text("imported")


class Net(nn.Module): ...
"""
MOST = 1 << 20  # KiB
COMMANDS = {**READERS, "train --resume": ["train", "--resume", "R", "train.epochs=3", "--progress", "off"]}
TRAINING = ("train CONFIG", "sweep", "train model.init")  # which are the word that its Python may run
HUGE: tuple[Any, ...] = (
    -1, 0, 1.5, 10**6, 2**31, 2**63, 2**64, 10**400, 1e308, "", "x" * 5000, "evil.py:Net", "./evil.py:Net",
    "../../etc/passwd", "/dev/zero", "\x1b[2J", None, True, [], {}, [[]], {"type": "evil.py:Net"}, "1e999", "${HOME}",
)  # fmt: skip


def runs(place: Path, call: Commands, seed: int = 0, stride: int = 1, count: int = COUNT) -> Iterator[Found]:
    """So many of them, each with a command that takes it up."""
    config, end, marker = write_config(place), place / "end", place / "imported"
    done = call(["train", str(config), *SHORT, "--out", str(end), "--progress", "off"], place, end)
    assert done["code"] == 0, done["err"]
    with_foreign(end)
    np.save(place / "four.npy", np.zeros((4, 2, 2), np.uint8))
    for folder in (end, end / "code"):
        folder.mkdir(exist_ok=True)
        (folder / "evil.py").write_text(EVIL.format(place=str(marker)))
    files = [path.relative_to(end) for path in sorted(end.rglob("*")) if path.is_file() and path.suffix != ".py"]
    kinds: dict[str, list[Path]] = {}
    for path in files:
        if path.parts[0] != "foreign":  # only where a command names it
            kinds.setdefault(path.parts[0], []).append(path)
    commands, draw = [name for name in COMMANDS if name not in TRAINING], random.Random(seed)
    for number in range(0, count, stride):
        run, command = place / "run", commands[number // stride % len(commands)]
        taken = [file for file in files if f"R/{file}" in " ".join(COMMANDS[command])]
        file = draw.choice(taken if taken and draw.random() < 0.5 else kinds[draw.choice(list(kinds))])
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(end, run)
        how = _change(run / file, draw)
        words = [
            str(run) if word == "R" else word.replace("R/", f"{run}/").replace("D/", f"{place}/")
            for word in COMMANDS[command]
        ]
        done = call(words, place, run, memory=MEMORY)
        clear(place)
        wrong = complaint(done)
        if marker.exists():
            wrong = f"imported evil.py: {done['err'][-200:]}"
            marker.unlink()
        if done["largest"] > MOST:
            wrong = wrong or f"took {done['largest'] >> 10} MiB"
        if done["seconds"] > SECONDS:
            wrong = wrong or f"took {done['seconds']:.0f} s"
        kind = "checkpoints/.../" + file.name if "checkpoints" in file.parts else str(file)
        yield Found(
            f"{kind} changed",
            f"{len(commands)} commands",
            exit_code(done["code"]),
            wrong,
            how,
            f"{command}, number {number}",
        )


def _change(path: Path, draw: random.Random) -> str:
    """Changes a file; says how."""
    data = path.read_bytes()
    changed = _VALUES.get(path.suffix)
    if changed is not None and draw.random() < 0.6:
        new = changed(data, draw)
        if new is not None:
            path.write_bytes(new)
            return "a value"
    path.write_bytes(next(iter(mutations(data, 1, draw.randrange(2**32)))))
    return "bytes"


def _json(data: bytes, draw: random.Random) -> bytes | None:
    """One value of a JSON text is another."""
    try:
        tree = json.loads(data)
    except ValueError:
        return None
    _put(tree, draw)
    try:
        return json.dumps(tree).encode()
    except (ValueError, TypeError):
        return None


def _jsonl(data: bytes, draw: random.Random) -> bytes | None:
    lines = data.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    new = _json(lines[at], draw)
    return None if new is None else b"".join([*lines[:at], new + b"\n", *lines[at + 1 :]])


def _yaml(data: bytes, draw: random.Random) -> bytes | None:
    import yaml

    tree = yaml.safe_load(data)
    _put(tree, draw)
    return yaml.safe_dump(tree, sort_keys=False).encode()


def _put(tree: Any, draw: random.Random) -> None:
    """Puts a value where another one was, or takes one away."""
    places: list[tuple[Any, Any]] = []
    rest = [tree]
    while rest:
        node = rest.pop()
        for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            rest.append(node[key])
    if not places:
        return
    node, key = draw.choice(places)
    types = [(n, k) for n, k in places if k == "type"]
    if types and draw.random() < 0.3:
        node, key = draw.choice(types)
        node[key] = draw.choice(("evil.py:Net", "./evil.py:Net", "code/evil.py:Net"))
    elif draw.random() < 0.15:
        del node[key]
    else:
        node[key] = draw.choice(HUGE)


def _safetensors(data: bytes, draw: random.Random) -> bytes | None:
    """Another header, of the length that it says."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    _put(header, draw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


_VALUES: dict[str, Callable[[bytes, random.Random], bytes | None]] = {
    ".json": _json, ".jsonl": _jsonl, ".yaml": _yaml, ".safetensors": _safetensors,
}  # fmt: skip
