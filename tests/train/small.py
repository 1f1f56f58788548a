"""A training so small that a test can run it hundreds of times, and what makes two of its ends the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import load
from lenetcli.cli.training import resume_run, start_run
from lenetcli.train.events import Event, Step

CONFIG = """
model:
  input: [1, 2, 2]
  layers:
    - {type: Flatten}
    - {type: Linear, name: fc1, out_features: 5}
    - {type: BatchNorm1d}
    - {type: Dropout, p: 0.3}
    - {type: Linear, name: fc2, out_features: 3}
data: {type: Random, shape: [1, 2, 2], classes: 3, train: 14, test: 4}
loss: {type: CrossEntropyLoss}
optimizer: {type: Adam, lr: 0.01}
scheduler: {type: ReduceLROnPlateau, patience: 0}
train: {epochs: 3, batch_size: 4, keep_checkpoints: 2}
"""


def write_config(place: Path) -> Path:
    """The configuration's file: 3 epochs of 4 steps, checkpoints 000004, 000008 and 000012."""
    path = place / "small.yaml"
    path.write_text(CONFIG)
    return path


def train(config: Path, out: Path, *changes: str, **options: Any) -> int:
    """A run in `out`; gives the exit code."""
    return start_run(str(config), list(changes), out, "off", **options)


def resume(out: Path, *changes: str, **options: Any) -> int:
    """The run's continuation; gives the exit code."""
    return resume_run(out, list(changes), "off", **options)


def at(step: int, act: Callable[[], Any]) -> Callable[[Event], None]:
    """A listener that acts once a step has been made."""

    def listen(event: Event) -> None:
        if isinstance(event, Step) and event.step == step:
            act()

    return listen


def difference(a: Path, b: Path) -> str | None:
    """Where two finished runs differ first: weights, optimizer, best weights, state, events; None where nowhere."""
    last = [(p / "checkpoints" / "latest").read_text() for p in (a, b)]
    if last[0] != last[1]:
        return f"latest: {last}"
    folders = [p / "checkpoints" / last[0] for p in (a, b)]
    files = sorted(p.name for p in folders[0].glob("*.safetensors"))
    for one, other in [
        (a / "model.safetensors", b / "model.safetensors"),
        *((folders[0] / f, folders[1] / f) for f in files),
    ]:
        found = _tensors_differ(one, other)
        if found:
            return f"{one.name}: {found}"
    states = [json.loads((folder / "state.json").read_text()) for folder in folders]
    for state in states:
        del state["progress"]["seconds"], state["sha256"], state["files"], state["events"]
        for key in ("epochs", "max_time", "keep_checkpoints"):
            state["config"]["train"].pop(key)
        for key in ("name", "version"):
            state["config"].pop(key)
    if states[0] != states[1]:
        return f"state.json: {[k for k in states[0] if states[0][k] != states[1].get(k)]}"
    return None if figures(a) == figures(b) else "metrics.jsonl"


def _tensors_differ(one: Path, other: Path) -> str | None:
    x, y = _flat(load(one)), _flat(load(other))
    if list(x) != list(y):
        return f"names {list(x)} and {list(y)}"
    for name in x:
        if x[name].tobytes() != y[name].tobytes():
            return name
    return None


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in _flat(item, f"{name}.{key}").items()}
    if isinstance(value, (list, tuple)):
        return {k: v for i, item in enumerate(value) for k, v in _flat(item, f"{name}.{i}").items()}
    if isinstance(value, int):
        value = float(value)  # a default of 0 is 0.0 once it has been written to config.yaml
    return {name: value.numpy() if hasattr(value, "numpy") else np.array(str(value))}


def figures(run: Path) -> list[Any]:
    """The events of a run but for times, and but for when it was saved and ended."""
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    timed = ("seconds", "samples_per_second")
    return [
        {key: value for key, value in event.items() if key not in timed}
        for event in events
        if event["event"] in ("step", "evaluated")
    ]
