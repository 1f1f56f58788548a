"""The mistake lab: each mistake shows in the numbers, and each right way does not."""

from __future__ import annotations

import itertools
import json
import math
from functools import cache
from typing import Any

import pytest

from lenetcli import config as configuration
from lenetcli.build.parts import build_run
from lenetcli.errors import ConfigError
from lenetcli.inspection.lab import LESSONS, Bench, Finding
from lenetcli.inspection.lab.lesson import body
from tests.conftest import ROOT

MLP = str(ROOT / "configs" / "mlp.yaml")


def bench(path: str = MLP, *changes: str) -> Bench:
    loaded = configuration.load(path, list(changes))
    return Bench(lambda: build_run(loaded))


@cache
def found(name: str) -> Finding:
    return LESSONS[name].compare(bench())


def column(name: str, title: str) -> list[Any]:
    finding = found(name)
    return [row[finding.columns.index(title)] for row in finding.rows]


def row(name: str, title: str) -> tuple[Any, ...]:
    (match,) = (r for r in found(name).rows if r[0] == title)
    return match[1:]


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_is_whole(name: str) -> None:
    lesson, finding = LESSONS[name], found(name)
    assert finding.rows
    assert all(len(cells) == len(finding.columns) for cells in finding.rows)
    assert finding.signs
    record = json.loads(json.dumps(lesson.record(finding), allow_nan=False))
    assert record["wrong"] != record["right"]
    for text in (body(lesson.wrong), body(lesson.right)):
        assert max(map(len, text.splitlines())) <= 76, "the code shown fits a terminal"
    for text in (lesson.mistake, lesson.why, lesson.remedy, *finding.signs):
        assert "nan" not in text.split()
        assert text


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_repeats_exactly(name: str) -> None:
    again = LESSONS[name].compare(bench())
    assert list(again.rows) == list(found(name).rows)


@pytest.mark.parametrize("name", LESSONS)
def test_a_regression_is_taught_or_refused(name: str) -> None:
    other = bench(str(ROOT / "configs" / "tutorial.yaml"))
    if name in ("no-shuffle", "softmax-twice", "wrong-loss-targets"):
        with pytest.raises(ConfigError, match="wants"):
            LESSONS[name].compare(other)
    else:
        assert LESSONS[name].compare(other).rows


def test_forgotten_gradients_add_up() -> None:
    wrong, right = column("forget-zero-grad", "wrong: |grad|"), column("forget-zero-grad", "right: |grad|")
    assert wrong[0] == right[0]
    assert wrong[-1] > 3 * right[-1]


def test_a_graph_that_nobody_needs_grows() -> None:
    nodes = column("forget-no-grad", "wrong: nodes")
    assert all(b - a == nodes[1] - nodes[0] > 0 for a, b in itertools.pairwise(nodes))
    assert set(column("forget-no-grad", "right: nodes")) == {0}
    assert set(column("forget-no-grad", "right: numbers kept")) == {0}


def test_a_second_backward_fails_or_doubles() -> None:
    once, failed, doubled, anew = column("backward-twice", "|grad|")
    assert doubled == pytest.approx(2 * once, rel=1e-5)
    assert failed == anew == once
    assert column("backward-twice", "error")[1] == "RuntimeError"


@pytest.mark.parametrize("config", ["mlp", "lenet", "tutorial"])
def test_a_learning_rate_that_does_not_train_is_found(config: str) -> None:
    finding = LESSONS["lr-too-high"].compare(bench(str(ROOT / "configs" / f"{config}.yaml"), "train.batch_size=8"))
    wrong, right = (finding.columns.index(title) for title in ("wrong: loss", "right: loss"))
    last = [r[wrong] for r in finding.rows if r[wrong] is not None][-1]
    assert isinstance(last, float)
    assert not last <= max(finding.rows[0][wrong], finding.rows[0][right])  # type: ignore[type-var,operator]


def test_without_activations_a_net_is_linear() -> None:
    wrong, right = row("no-nonlinearity", "|f(a + b) − f(a) − f(b) + f(0)| / |f|")
    assert wrong < 1e-5 < 0.01 < right
    wrong, right = row("no-nonlinearity", "|f(x) − (W x + f(0))| / |f|")
    assert wrong < 1e-5 < 0.01 < right


def test_a_convolutional_net_is_made_linear_too() -> None:
    finding = LESSONS["no-nonlinearity"].compare(bench(str(ROOT / "configs" / "lenet.yaml"), "train.batch_size=4"))
    assert finding.rows[2][1] < 1e-5 < 0.01 < finding.rows[2][2]  # type: ignore[operator]


def test_zeros_stay_zeros() -> None:
    assert row("bad-init", "first mean |grad| of fc1.weight")[0] == 0
    assert row("bad-init", "different units in the first layer")[:2] == (1, 128)
    zeros, right, large = row("bad-init", "first loss")
    assert zeros == pytest.approx(math.log(10), abs=0.02)
    assert large > 10 * right


def test_sorted_data_teach_only_the_last_class() -> None:
    assert column("no-shuffle", "wrong: holds")[0] == "only 0"
    assert "classes" in column("no-shuffle", "right: holds")[0]
    wrong, right = (float(word.rstrip("%")) for word in found("no-shuffle").signs[0].split() if word.endswith("%"))
    assert wrong < 50 < right


def test_a_model_in_training_mode_gives_another_answer_each_time() -> None:
    wrong, right = row("forget-eval", "largest difference of the outputs of both")
    assert wrong > 0.1
    assert right == 0


def test_batch_norm_moves_when_it_is_judged_in_training_mode() -> None:
    finding = LESSONS["forget-eval"].compare(
        bench(MLP, "model.layers=[{type: BatchNorm2d}, {type: Flatten}, {type: Linear, out_features: 10}]")
    )
    (moved,) = (r for r in finding.rows if r[0] == "change of the running statistics")
    assert moved[1] > 0  # type: ignore[operator]
    assert moved[2] == 0


def test_a_second_softmax_has_a_floor() -> None:
    floor = math.log(math.e + 9) - 1
    assert min(column("softmax-twice", "wrong: loss")) > floor
    assert min(column("softmax-twice", "right: loss")) < floor
    assert column("softmax-twice", "wrong: |grad|")[0] < column("softmax-twice", "right: |grad|")[0] / 3


def test_broadcast_targets_teach_their_mean() -> None:
    assert column("wrong-loss-targets", "right: loss")[-1] < 0.5 * column("wrong-loss-targets", "wrong: loss")[-1]
    assert "target size" in found("wrong-loss-targets").signs[-1]


def test_nothing_flows_through_a_cut() -> None:
    grads = dict(zip(column("cut-graph", "parameter"), column("cut-graph", "wrong: |grad|")))
    assert {name for name, grad in grads.items() if grad == "None"} == {
        "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"
    }  # fmt: skip
    assert all(change > 0 for change in column("cut-graph", "right: change"))


def test_a_copied_model_does_not_move() -> None:
    assert set(column("other-parameters", "wrong: change")) == {0.0}
    assert column("other-parameters", "right: change") == column_of_plain_training()


def column_of_plain_training() -> list[float]:
    """What the right way of any lesson does, which is the configuration's own training."""
    return column("lr-too-high", "right: change")[: len(found("other-parameters").rows)]


def test_unscaled_inputs_give_long_gradients() -> None:
    wrong, right = column("unscaled-inputs", "wrong: |grad|"), column("unscaled-inputs", "right: |grad|")
    assert wrong[0] > 10 * right[0]


def test_what_was_learnt_by_heart_looks_perfect() -> None:
    assert column("judge-on-training-data", "wrong: accuracy")[-1] == 1
    assert column("judge-on-training-data", "right: accuracy")[-1] < 0.9
