"""Configurations of a format that this version does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from lenetcli import config as configuration
from lenetcli.config import InvalidConfig
from tests.config.golden import GOOD


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("0", "configs of version 0 are unknown; this lenet reads version 1"),
        ("2", "a newer lenet wrote it"),
        ("on", "wanted an integer"),
    ],
)
def test_a_version_that_is_not_known_is_refused(version: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD.replace("version: 1", f"version: {version}"))
    with pytest.raises(InvalidConfig, match=message):
        configuration.load(path)
