"""What a run was made with: own Python that has changed since is told, and taken only when that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lenetcli as lenet_package
from lenetcli.errors import DataError
from tests.cli.conftest import Lenet
from tests.cli.test_consent import OWN, forget, strange, stranger, trained, write

__all__ = ["stranger"]  # the fixture that all here take


def edit(place: Path) -> None:
    file = place / "s" / "own.py"
    file.write_text(file.read_text() + "# another now\n")
    forget()


@pytest.mark.parametrize("part", OWN)
def test_a_file_that_has_changed_is_told_and_accepted_by_a_word(lenet: Lenet, place: Path, part: str) -> None:
    marker = trained(lenet, place, part)
    before = (place / "s" / "own.py").read_text()
    assert (place / "s" / "run" / "code" / "own.py").read_text() == before
    edit(place)
    state = {path: path.read_bytes() for path in (place / "s" / "run").rglob("*") if path.is_file()}
    for words in (["eval", "s/run"], ["train", "--resume", "s/run", "train.epochs=2"], ["diff", "s/run", "s/run"]):
        done = lenet(*words)
        assert done.code == 3, done.err
        assert "own.py has changed" in done.err
        assert "--accept-changed" in done.err
        assert str(Path("s/run/code/own.py")) in done.err
    assert not marker.exists()
    assert {path: path.read_bytes() for path in state} == state
    with pytest.raises(DataError, match="has changed"):
        lenet_package.Trainer.open("s/run")
    done = lenet("eval", "s/run", "--accept-changed")
    assert (done.code, done.err.count("own.py has changed")) == (0, 1)
    assert lenet("train", "--resume", "s/run", "train.epochs=2", "--accept-changed").code == 0
    (place / "s" / "own.py").write_text(before)
    forget()
    assert lenet("eval", "s/run").code == 0


def test_diff_names_the_python_that_differs(lenet: Lenet, place: Path) -> None:
    trained(lenet, place, "layer")
    edit(place)
    assert lenet("train", "s/x.yaml", "--out", "s/other", "--progress", "off").code == 0
    done = lenet("diff", "s/run", "s/other", "--no-replay")
    assert done.code == 0
    assert "own.py: sha256" in done.out
    found = json.loads(lenet("diff", "s/run", "s/run", "--no-replay", "--json").out)["code"]
    assert len(found) == 1
    assert "now" in found[0]


def test_accepting_a_change_is_no_consent_to_a_strangers_file(lenet: Lenet, place: Path) -> None:
    marker = trained(lenet, place, "layer")
    edit(place)
    strange(place)
    done = lenet("eval", "s/run", "--accept-changed")
    assert (done.code, "--allow-code" in done.err, marker.exists()) == (2, True, False)


def test_a_copy_is_named_where_the_file_is_gone(lenet: Lenet, place: Path) -> None:
    trained(lenet, place, "layer")
    (place / "s" / "own.py").unlink()
    done = lenet("eval", "s/run")
    assert done.code == 2
    assert str(Path("s/run/code/own.py")) in done.err


def test_a_sweep_goes_on_with_other_python_only_when_told(lenet: Lenet, place: Path) -> None:
    write(place, "layer")
    words = ["sweep", "s/x.yaml", "optimizer.lr=[0.1,0.2]", "--out", "s/sweep"]
    assert lenet(*words).code == 0
    for ended in (place / "s" / "sweep" / "0001" / "metrics.jsonl",):
        ended.write_text("".join(line for line in ended.read_text().splitlines(True) if '"ended"' not in line))
    edit(place)
    done = lenet(*words)
    assert (done.code, "own.py has changed" in done.err) == (3, True)
    assert lenet(*words, "--accept-changed").code == 0
