"""What users and scripts rely on, as a list of lines: names, options, configuration keys, keys of JSON answers, files.

python -m tests.public_surface --write

keeps the list in public_surface.txt. What stands there must stay; what is new is added by writing it anew.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.commands import run

ROOT = Path(__file__).parent.parent
STORED = Path(__file__).with_suffix(".txt")
PACKAGES = (
    "lenetcli", "lenetcli.autograd", "lenetcli.cuda", "lenetcli.data", "lenetcli.linalg", "lenetcli.nn",
    "lenetcli.nn.functional", "lenetcli.nn.init", "lenetcli.nn.utils", "lenetcli.optim", "lenetcli.optim.lr_scheduler",
    "lenetcli.distributions", "lenetcli.distributions.constraints",
    "lenetcli.nn.utils.parametrizations", "lenetcli.nn.utils.parametrize",
    "lenetcli.optim.swa_utils", "lenetcli.utils.data", "lenetcli.vision.datasets", "lenetcli.vision.transforms",
)  # fmt: skip
ANSWERS = (  # commands on a configuration or, where RUN stands, on a run of it
    "inspect-params CONFIG", "inspect-params RUN --gradients", "trace-grad CONFIG --check", "step CONFIG",
    "time CONFIG", "gradcheck CONFIG", "find-lr CONFIG", "eval RUN", "predict RUN IMAGE",
    "diff CONFIG configs/mlp.yaml", "diff RUN RUN", "runs RUNS", "layers", "data list", "doctor", "lab",
)  # fmt: skip


def names() -> Iterator[str]:
    """Every public name of the packages, and every attribute of a tensor, a module and an optimizer."""
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]:
            yield f"name {package}.{name}"
    import lenetcli

    for thing in (lenetcli.Tensor, lenetcli.nn.Module, lenetcli.optim.Optimizer, lenetcli.Trainer):
        for name in dir(thing):
            if not name.startswith("_"):
                yield f"name {thing.__name__}.{name}"


def options() -> Iterator[str]:
    """Every command with its options and arguments."""
    import typer

    from lenetcli.cli.app import app

    def walk(command: Any, path: str) -> Iterator[str]:
        for parameter in command.params:
            for form in parameter.opts if parameter.param_type_name == "option" else [parameter.name]:
                yield f"option lenet{path} {form}"
        if hasattr(command, "list_commands"):
            for name in command.list_commands(None):
                yield from walk(command.get_command(None, name), f"{path} {name}")

    yield from walk(typer.main.get_command(app), "")


def keys(value: Any, path: str = "") -> Iterator[str]:
    """Paths of all keys of an answer; the entries of a list and of a table of names count as one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            place = f"{path}.{key}" if str(key).isidentifier() else f"{path}.*"
            yield place
            yield from keys(inner, place)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{path}[]")


def schema() -> Iterator[str]:
    """Every key that a configuration may hold."""
    from lenetcli.config.json_schema import schema as json_schema

    def walk(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            for key, inner in node.get("properties", {}).items():
                yield f"key {path}.{key}"
                yield from walk(inner, f"{path}.{key}")
            for key, inner in node.items():
                if key != "properties":
                    yield from walk(inner, path)
        elif isinstance(node, list):
            for inner in node:
                yield from walk(inner, path)

    yield from walk(json_schema(), "config")


def answers() -> Iterator[str]:
    """Keys of what commands print with `--json`, of a run's events, and the names of a run's files."""
    with tempfile.TemporaryDirectory() as place:
        trained, image = Path(place) / "run", Path(place) / "image.npy"
        np.save(image, np.zeros((8, 8), np.uint8))
        lenet("train", "configs/mlp.yaml", "train.epochs=2", "--out", str(trained), "--progress", "off")
        for line in (trained / "metrics.jsonl").read_text("utf-8").splitlines():
            event = json.loads(line)
            yield from (f"event {event['event']}{path}" for path in keys(event) if ".gradients." not in path)
        for path in trained.rglob("*"):
            relative = path.relative_to(trained).as_posix()
            yield "file " + "/".join("*" if part.isdigit() else part for part in relative.split("/"))
        given = {"CONFIG": "configs/mlp.yaml", "RUN": str(trained), "RUNS": place, "IMAGE": str(image)}
        for command in ANSWERS:
            printed = lenet(*(given.get(word, word) for word in command.split()), "--json")
            yield from (f"json {command}{path}" for path in keys(json.loads(printed)))


def lenet(*words: str) -> str:
    """What a command prints; it must not fail."""
    done = run(words, ROOT, COLUMNS="100")
    assert done.code == 0, (words, done.err)
    return done.out


if __name__ == "__main__":
    found = sorted({*names(), *options(), *schema(), *answers()})
    if "--write" in sys.argv:
        STORED.write_text("\n".join(found) + "\n", "utf-8")
    print(len(found), "lines")
