"""`--threads`: told, kept, passed on, and without influence on what is trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lenetcli import get_num_threads, set_num_threads
from lenetcli.kernels import dispatch
from tests.cli.conftest import Lenet


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = get_num_threads()
    monkeypatch.setenv("LENET_THREADS", "")  # so that what --threads sets is taken back
    yield
    set_num_threads(before)


def test_threads_are_told_and_kept_and_no_matter_when_resuming(lenet: Lenet, place: Path) -> None:
    mlp = ["train", "configs/mlp.yaml"]
    assert lenet(*mlp, "train.epochs=2", "--out", "one", "--threads", "1").code == 0
    assert get_num_threads() == 1
    assert lenet(*mlp, "train.epochs=1", "--threads", "2", "--out", "two").code == 0
    assert lenet("train", "--resume", "two", "train.epochs=2", "--threads", "3").code == 0
    for run, count in (("one", 1), ("two", 2)):  # where it began
        kept: dict[str, Any] = json.loads((place / run / "environment.json").read_text())
        assert kept["threads"]["lenet"] == count
        assert kept["kernels"] == dispatch.description()
    if dispatch.twin == "native":
        assert (place / "one" / "model.safetensors").read_bytes() == (place / "two" / "model.safetensors").read_bytes()


def test_wrong_numbers_of_threads_are_refused(lenet: Lenet) -> None:
    for word in ("0", "-1", "2.5", "many", "100000"):
        done = lenet("train", "configs/mlp.yaml", "--threads", word)
        assert (done.code, done.out) == (2, "")
        assert "'--threads'" in done.err
    assert lenet("show", "configs/mlp.yaml", "--threads", "1").code == 2  # it computes nothing


def test_doctor_says_how_many_threads_and_why(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENET_THREADS", "1")
    set_num_threads(1)
    found = {line["what"]: line["found"] for line in json.loads(lenet("doctor", "--json").out)}
    assert found["threads"].startswith("1 of ")
    assert "(LENET_THREADS=1); BLAS: " in found["threads"]
