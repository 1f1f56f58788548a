"""Files of the oldest torch of which there is a wheel (1.0.0), and of the first that wrote zip files (1.6.0)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from tests.formats import kinds

PLACE = Path(__file__).parent / "old"
FILES = sorted(path for path in PLACE.iterdir() if path.suffix != ".json")


def described(value: Any, path: str = "") -> dict[str, Any]:
    """Every tensor in nested mappings and lists: its type and numbers, by its path."""
    if isinstance(value, lenet.Tensor):
        return {path: [value.dtype.name, value.tolist()]}
    pairs = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    )
    return {name: found for key, inner in pairs for name, found in described(inner, f"{path}.{key}").items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_an_old_torch_wrote_is_read(path: Path) -> None:
    wanted = json.loads(path.with_name(f"{path.stem}.json").read_text("utf-8"))
    found = lenet.load(path)
    assert described(found) == wanted
    assert wanted
    if path.name.startswith("checkpoint"):
        assert (found["epoch"], found["name"], found["note"]) == (3, "Netz ü", None)
    if path.name.startswith("views"):
        assert np.shares_memory(found["all"].array, found["rows"].array)


@pytest.mark.parametrize("path", [p for p in FILES if p.name.startswith("checkpoint")], ids=lambda path: path.name)
def test_a_checkpoint_of_an_old_torch_goes_on_here(path: Path) -> None:
    checkpoint = lenet.load(path)
    net = lenet.nn.Sequential(lenet.nn.Conv2d(1, 2, 3), lenet.nn.BatchNorm2d(2), lenet.nn.Linear(2, 3))
    net.load_state_dict(checkpoint["model"])
    optimizer = lenet.optim.Adam(net.parameters(), lr=1.0)
    optimizer.load_state_dict(checkpoint["optimizer"])
    optimizer.zero_grad()
    net(lenet.ones(2, 1, 4, 4))
    assert optimizer.param_groups[0]["lr"] == 0.125
    assert optimizer.state[net[2].bias]["exp_avg"].tolist() == pytest.approx([0.1] * 3)


def test_both_forms_are_there() -> None:
    releases = {path.stem.rpartition("-")[2] for path in FILES}
    assert releases == {"1.0.0", "1.6.0"}


def test_the_table_of_kinds_is_that_of_today() -> None:
    """`python -m tests.formats.kinds --write` makes it."""
    pytest.importorskip("h5py")
    assert kinds.PAGE.read_text("utf-8") == kinds.page()
