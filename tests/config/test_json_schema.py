"""The JSON Schema says what the loader says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lenetcli import config as configuration
from lenetcli.config.json_schema import schema
from lenetcli.config.problems import Source
from lenetcli.config.writing import plain
from lenetcli.config.yaml_tree import compose
from tests.config.golden import GOOD
from tests.conftest import ROOT

SCHEMA = schema()
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def problems(value: Any) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(value)]


def test_it_is_a_schema_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_configuration_keeps_to_it(path: Path) -> None:
    assert problems(plain(configuration.load(path))) == []
    assert problems(json.loads(json.dumps(plain(configuration.load(path))))) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("kernel_size: 3", "kernel_sise: 3"),
        ("kernel_size: 3", "kernel_size: [3, 3, 3]"),
        ("type: ReLU", "type: Relu"),
        ("epochs: 1", "epochs: many"),
        ("out_channels: 4, ", ""),
        ("data: {type: Digits}", ""),
    ],
)
def test_mistakes_are_seen(right: str, wrong: str) -> None:
    assert problems(yaml.safe_load(GOOD)) == []
    assert right in GOOD
    assert problems(yaml.safe_load(GOOD.replace(right, wrong))) != []


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("residual", "repeat: 2", "repeat: 0"),
        ("residual", "      args: {channels: null}", "      arguments: {channels: null}"),
        ("inception", "{type: MaxPool2d, kernel_size: 2}", "{type: MaxPool2d, kernel_size: 2, from: 3}"),
        ("two-headed", "target: input", "target: inputs"),
        ("two-headed", "weight: 0.5", "weight: 0"),
        ("two-headed", "outputs: [digit, picture]", "outputs: digit"),
        ("two-headed", "{type: Flatten}", "{type: Flat}"),
    ],
)  # fmt: skip
def test_mistakes_in_graphs_are_seen(name: str, right: str, wrong: str) -> None:
    text = (ROOT / "configs" / f"{name}.yaml").read_text("utf-8")
    assert problems(read(text)) == []
    assert right in text
    assert problems(read(text.replace(right, wrong))) != []


def read(text: str) -> Any:
    """A text as lenet reads it: 1e-4 is a number."""
    tree = compose(Source("config.yaml", text), [])
    assert tree is not None
    return tree.plain()
