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
from lenetcli.config.writing import plain
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
