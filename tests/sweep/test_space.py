"""Lists and ranges: what they mean, what they give, what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lenetcli.errors import ConfigError
from lenetcli.sweep.space import grid, overrides, parse, random


def test_lists_vary_and_all_else_holds_for_every_trial() -> None:
    axes, fixed = parse(["train.epochs=3", "optimizer.lr=[0.1, 1e-2]", "data={type: Digits}", "a.b=[[1, 2], x, null]"])
    assert fixed == ["train.epochs=3", "data={type: Digits}"]
    assert [(axis.key, axis.values) for axis in axes] == [("optimizer.lr", (0.1, 0.01)), ("a.b", ([1, 2], "x", None))]


def test_a_grid_has_every_combination() -> None:
    axes, _ = parse(["a=[1, 2]", "b=[x, y, z]"])
    points = grid(axes)
    assert len(points) == 6
    assert points[:2] == [{"a": 1, "b": "x"}, {"a": 1, "b": "y"}]
    assert overrides({"a": [1, 2], "b": "on", "c": 1e-5}) == ["a=[1, 2]", 'b="on"', "c=1e-05"]


@pytest.mark.parametrize(
    ("text", "low", "high", "whole", "middle"),
    [
        ("uniform(0, 0.5)", 0, 0.5, False, 0.25),
        ("log(1e-4, 1)", 1e-4, 1, False, 1e-2),
        ("int(3, 9)", 3, 9, True, 6),
        ("logint(4, 64)", 4, 64, True, 16),
    ],
)
def test_a_range_gives_numbers_within_its_ends(text: str, low: float, high: float, whole: bool, middle: float) -> None:
    axes, _ = parse([f"a={text}"])
    drawn = [axes[0].draw(np.random.default_rng(i)) for i in range(2000)]
    assert all(low <= value <= high for value in drawn)
    assert {type(value) for value in drawn} == {int if whole else float}
    assert abs(np.mean([value > middle for value in drawn]) - 0.5) < 0.12  # half of them are above the middle
    if whole and high < 10:
        assert set(drawn) == set(range(int(low), int(high) + 1))


def test_more_random_points_leave_the_first_as_they_are_and_none_comes_twice() -> None:
    axes, _ = parse(["lr=log(1e-4, 1)", "width=[1, 2, 3]"])
    few, many = random(axes, 5, seed=3), random(axes, 20, seed=3)
    assert many[:5] == few
    assert random(axes, 5, seed=4) != few
    choices, _ = parse(["a=[1, 2, 3]", "b=[1, 2]"])
    points = random(choices, 6, seed=0)
    assert len({json.dumps(point) for point in points}) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lr", "wanted key=value"),
        ("=[1]", "cannot read|wanted"),
        ("lr=[]", "a list of no values"),
        ("lr=[1, 1]", "a value is there twice"),
        ("lr=[.inf]", "wanted finite numbers"),
        ("lr=[1", "lr"),
        ("lr=normal(0, 1)", r"unknown range normal\(\); there are uniform\(\), log\(\), int\(\), logint\(\)"),
        ("lr=log(0, 1)", "begins above 0"),
        ("lr=log(-1, 1)", "begins above 0"),
        ("lr=uniform(1, 1)", "the lower one first"),
        ("lr=uniform(a, 1)", r"wanted two numbers, such as uniform\(1, 10\)"),
        ("lr=int(1.5, 2)", "wanted two whole numbers"),
        ("lr=uniform(0, .inf)", "finite"),
        ("lr=uniform(true, 3)", "wanted two numbers"),
        (f"lr=uniform(0, {'9' * 200})", "a number of 200 digits"),
        (f"lr=int(0, {10**30})", "within"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse([text])


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="a: given twice"):
        parse(["a=[1]", "a=[2]"])


def test_a_grid_refuses_ranges_and_what_nobody_could_train() -> None:
    with pytest.raises(ConfigError, match="a grid has no ranges"):
        grid(parse(["a=uniform(0, 1)"])[0])
    numbers = list(range(101))
    with pytest.raises(ConfigError, match="10,201 combinations"):
        grid(parse([f"a={numbers}", f"b={numbers}"])[0])


def test_more_points_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="only 4 combinations"):
        random(parse(["a=[1, 2]", "b=[1, 2]"])[0], 5, 0)
    with pytest.raises(ConfigError, match="only some 3 different points"):
        random(parse(["a=int(1, 3)"])[0], 5, 0)
    assert math.prod((2, 2)) == len(random(parse(["a=[1, 2]", "b=[1, 2]"])[0], 4, 0))
