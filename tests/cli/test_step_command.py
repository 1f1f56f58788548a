"""`lenet step`: printed whole, as JSON, and walked through at a prompt."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from lenetcli import config as configuration
from lenetcli.build.parts import build_run
from lenetcli.inspection.step.record import record_step
from lenetcli.inspection.step.story import Story
from lenetcli.report.step.walk import Walk
from tests.cli.conftest import Lenet
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def story() -> Story:
    return record_step(build_run(configuration.load(str(ROOT / "configs" / "tutorial.yaml"))))


def walked(story: Story, *commands: str, width: int = 80) -> str:
    """What is printed while these are typed."""
    console, typed = Console(width=width, highlight=False, file=io.StringIO()), iter(commands)

    def ask(prompt: str) -> str:
        console.print(prompt)
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    Walk(story, console, ask).go()
    return console.file.getvalue()


def test_without_a_terminal_everything_is_printed(lenet: Lenet) -> None:
    done = lenet("step", "configs/tutorial.yaml")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("training step 1: epoch 1, batch 1, lr 0.01")
    assert lenet("step", "configs/tutorial.yaml", "--script").out == done.out
    for part in ("optimizer.zero_grad()", "forward  conv1: Conv2d  Convolution", "AddmmBackward", "SGD, by one number"):
        assert part in done.out
    assert "\x1b" not in done.out


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("config", ["tutorial", "mlp", "cnn"])
def test_nothing_is_cut_and_nothing_is_too_wide(
    lenet: Lenet, monkeypatch: pytest.MonkeyPatch, columns: int, config: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = lenet("step", f"configs/{config}.yaml", "train.batch_size=8").out.splitlines()
    assert max(map(len, lines)) <= columns
    assert not any(line.rstrip().endswith("…") for line in lines)
    assert not any(line != line.rstrip() for line in lines)


def test_json_holds_the_same_moments(lenet: Lenet) -> None:
    found = json.loads(lenet("step", "configs/mlp.yaml", "--json", "--param", "fc3.bias", "--index", "4").out)
    assert found["followed"] == {"parameter": "fc3.bias", "index": [4]}
    phases = [moment["phase"] for moment in found["moments"]]
    assert list(dict.fromkeys(phases)) == ["zero_grad", "forward", "loss", "backward", "update"]
    addmm = next(moment for moment in found["moments"] if moment["title"] == "Addmm")
    assert addmm["rules"] == ["y[n,o] = c[o] + Σ_i a[n,i] · b[i,o]"]
    assert [t["shape"] for t in addmm["tensors"]] == [[128], [32, 64], [64, 128], [32, 128]]
    assert set(addmm["by_hand"][0]) == {"formula", "numbers", "value", "actual"}
    assert found["loss"] > found["loss_after"]


def test_a_run_goes_on_where_its_checkpoint_ends(lenet: Lenet, run: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    found = json.loads(lenet("step", "run", "--json").out)
    assert (found["epoch"], found["batch"]) == (5, 1)
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before
    later = json.loads(lenet("step", "run", "--json", "--step", "3").out)
    assert (later["epoch"], later["batch"], later["step"]) == (5, 4, found["step"] + 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--param", "fc9.bias"], "there are fc1.weight, fc1.bias"),
        (["--index", "1"], "wanted 2 numbers below [128, 64], the shape of fc1.weight, got '1'"),
        (["--index", "1,64"], "wanted 2 numbers below [128, 64]"),
        (["--index", "a,b"], "wanted whole numbers"),
    ],
)
def test_what_cannot_be_followed_is_said(lenet: Lenet, words: list[str], message: str) -> None:
    done = lenet("step", "configs/mlp.yaml", *words)
    assert done.code == 2
    assert message in done.err


def test_next_back_jump_and_finish(story: Story) -> None:
    total = len(story.moments)
    text = walked(story, "", "n", "b", "j 7", "f", "f", "q")
    headings = [line.split("/")[0] for line in text.splitlines() if line.startswith(tuple("123456789")) and "/" in line
                and ">" not in line]  # fmt: skip
    loss = next(m.number for m in story.moments if m.phase == "loss")
    backward = next(m.number for m in story.moments if m.phase == "backward")
    assert headings == ["1", "2", "3", "2", "7", str(loss), str(backward)]
    text = walked(story, "b", f"j {total}", "n", "f", "j", "j 99", "nonsense", "?")
    assert "this is the first moment" in text
    assert text.count("the step is over") == 3
    assert "j takes a number" in text
    assert "no command 'nonsense'" in text
    assert "the source of this operation" in text


def test_tensors_can_be_looked_at(story: Story) -> None:
    text = walked(story, "n", "t", "t y", "t conv1.weight", "t d_conv1.bias", "t nothing", "s")
    assert "here: x (input), weight (conv1.weight), bias (conv1.bias), y (y2)" in text
    assert "y, which is y2  [1,6,30,30]  float32" in text
    assert "weight, which is conv1.weight  [6,1,3,3]" in text
    assert "tensor([[[[" in text
    assert "d_conv1.bias  [6]" in text
    assert "no tensor 'nothing'" in text
    assert "def forward(" in text
    last = len(story.moments) - 1
    text = walked(story, f"j {last}", "t fc3.bias")
    assert "fc3.bias before" in text
    assert "fc3.bias after" in text


def test_a_step_in_which_nothing_counts_says_so(lenet: Lenet) -> None:
    nothing = "loss.weight=[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"
    done = lenet("step", "configs/mlp.yaml", nothing)
    assert done.code == 0
    assert "its backward is left out" in done.out
    assert "nothing in the step counts for the loss" in done.out
    assert "the gradients have arrived" not in done.out
    done = lenet("gradcheck", "configs/mlp.yaml", nothing)
    assert (done.code, "nothing counts in the first 8 samples" in done.err) == (3, True)
