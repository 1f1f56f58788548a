"""`lenet predict --explain`: pictures in the terminal and in a file, of every task."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Lenet
from tests.cli.test_metrics import TASKS, prepare


def test_a_picture_is_explained_in_the_terminal_and_in_a_file(lenet: Lenet, run: Path, place: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    np.save("two.npy", np.random.default_rng(0).random((2, 8, 8), np.float32))
    shown = lenet("predict", "run", "two.npy", "--explain")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count("gradient") == 2
    done = lenet("predict", "run", "two.npy", "--explain", "-o", "why.png")
    assert (done.code, done.out) == (0, "why.png\n")
    with images.open(io.BytesIO(Path("why.png").read_bytes())) as drawn:
        assert drawn.size[0] > 3 * 96


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_explained(task: str, lenet: Lenet, place: Path) -> None:
    prepare(place, task)
    assert lenet("train", "own.yaml", "train.epochs=1", "--out", "run").code == 0
    np.save("one.npy", np.ones((4, 4), np.float32) / 2)
    done = lenet("predict", "run", "one.npy", "--explain")
    assert (done.code, done.err) == (0, "")
    assert "covered" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "x.png"], "--output goes with --explain"),
        (["--explain", "-o", "x.jpg"], "wanted a name that ends in .png"),
        (["--explain", "--json"], "--explain draws"),
        (["--explain", "--submission", "a.csv"], "--explain draws"),
    ],
)
def test_what_does_not_go_together_is_refused(words: list[str], said: str, lenet: Lenet, run: Path) -> None:
    np.save("one.npy", np.ones((8, 8), np.float32))
    done = lenet("predict", "run", "one.npy", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_broken_picture_among_them_is_told_and_the_rest_explained(lenet: Lenet, run: Path) -> None:
    np.save("one.npy", np.ones((8, 8), np.float32))
    Path("bad.png").write_bytes(b"no picture")
    done = lenet("predict", "run", "bad.png", "one.npy", "--explain")
    assert done.code == 3
    assert done.err.startswith("error: bad.png")
    assert "gradient" in done.out
