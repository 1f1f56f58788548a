"""Arguments that are mappings with fixed keys, such as `data.augment`: their dataclass is the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lenetcli import config as configuration
from lenetcli.build import parts
from lenetcli.config.json_schema import schema
from lenetcli.config.problems import InvalidConfig
from lenetcli.config.writing import dump
from lenetcli.data import Augmentation
from tests.config.golden import GOOD

DATA = "data: {type: Digits}"


def written(place: Path, augment: str) -> Path:
    assert DATA in GOOD
    path = place / "config.yaml"
    path.write_text(GOOD.replace(DATA, f"data: {{type: Digits, augment: {augment}}}"))
    return path


def test_the_constructor_gets_its_dataclass(tmp_path: Path) -> None:
    config = configuration.load(written(tmp_path, "{flip: true, rotate: 10}"))
    augmenter = parts.build_data(config).augmenter
    assert augmenter is not None
    assert augmenter.changes == Augmentation(flip=True, rotate=10.0)


def test_defaults_are_written_out_and_load_as_the_same(tmp_path: Path) -> None:
    config = configuration.load(written(tmp_path, "{rotate: 10}"))
    (tmp_path / "again.yaml").write_text(dump(config))
    again = configuration.load(tmp_path / "again.yaml")
    assert dump(again) == dump(config)
    found = yaml.safe_load(dump(config))["data"]["augment"]
    assert (found["flip"], found["rotate"]) == (False, 10.0)


def test_null_is_none(tmp_path: Path) -> None:
    assert parts.build_data(configuration.load(written(tmp_path, "null"))).augmenter is None


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        ("{rotat: 1}", "data.augment.rotat: unknown key"),
        ("{crop: 1.5}", "data.augment.crop: wanted an integer, got 1.5"),
        ("{flip: 1}", "data.augment.flip: wanted true or false, got 1"),
        ("3", "data.augment: wanted a mapping {flip: ..., "),
        ("{noise: .inf}", "data.augment.noise: wanted a finite number"),
    ],
)
def test_mistakes_are_placed(augment: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        configuration.load(written(tmp_path, augment))
    assert message in str(caught.value)
    assert "config.yaml:" in str(caught.value)


def test_values_out_of_range_are_placed(tmp_path: Path) -> None:
    config = configuration.load(written(tmp_path, "{crop: -1}"))
    with pytest.raises(InvalidConfig, match=r"data.augment: .*crop: wanted 0 to 1024, got -1"):
        parts.build_data(config)


@pytest.mark.parametrize(
    ("augment", "sound"), [({"flip": True}, True), (None, True), ({"flop": True}, False), (3, False)]
)
def test_the_json_schema_knows_the_keys(augment: Any, sound: bool) -> None:
    value = yaml.safe_load(GOOD)
    value["data"]["augment"] = augment
    assert jsonschema.Draft7Validator(schema()).is_valid(value) is sound
