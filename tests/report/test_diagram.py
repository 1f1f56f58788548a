"""Traces as Mermaid, Graphviz and SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.inspection.graph.trace import Trace
from lenetcli.report.graph.diagram import boxes, dot, mermaid
from lenetcli.report.graph.svg import lanes, picture
from tests.inspection.passes import trace

HOSTILE = '"]--> end; <b>&\\ #1 {{data}} </script>\x1b[31m\n`%%'
SVG = "{http://www.w3.org/2000/svg}"


def traced(name: str = "block") -> Trace:
    """A net with a residual block of that name."""
    lenet.manual_seed(0)
    model: Any = nn.Sequential()
    model.add_module("stem", nn.Linear(4, 3))
    model.add_module(name, nn.Residual(nn.Linear(3, 3), nn.ReLU()))
    model.add_module("head", nn.Linear(3, 2))
    return trace(model, nn.MSELoss(), lenet.randn(5, 4), lenet.randn(5, 2), [])


def test_boxes_are_the_outlines_rows_or_every_node() -> None:
    found = traced()
    assert [(b.name, b.kind) for b in boxes(found)] == [
        ("", "MSELoss"), ("head", "Linear"), ("block", "AddBackward"), ("block.1", "ReLU"), ("block.0", "Linear"),
        ("stem", "Linear"),
    ]  # fmt: skip
    assert [b.next for b in boxes(found)] == [[1], [2], [5, 3], [4], [5], []]
    everything = boxes(found, expand=True)
    assert sorted(b.node.id for b in everything) == [n.id for n in found.nodes]
    assert [b.next for b in boxes(found, depth=1)] == [[1], [2], [3], []]


@pytest.mark.parametrize("expand", [False, True])
def test_mermaid_has_a_line_for_each_box_and_each_arrow(expand: bool) -> None:
    found = traced()
    text = mermaid(found, expand)
    shown = boxes(found, expand)
    assert text.startswith("flowchart TB\n")
    assert len(re.findall(r"^b\d+ --> b\d+$", text, re.MULTILINE)) == sum(len(b.next) for b in shown)
    assert len(re.findall(r'^b\d+(\(\[|\[)"', text, re.MULTILINE)) == len(shown)
    assert text.count("subgraph ") == len(re.findall(r"^end$", text, re.MULTILINE))
    assert "weight [2,3] |grad|" in text or expand


@pytest.mark.parametrize("expand", [False, True])
def test_names_cannot_get_out_of_their_labels(expand: bool) -> None:
    found = traced(HOSTILE)
    for line in mermaid(found, expand).splitlines()[1:]:
        assert re.fullmatch(
            r'end|b\d+ --> b\d+|(subgraph m\d+|b\d+)(\(\[|\[)"([\w .,:()\[\]|-]|#\d+;|<br>)*"(\]\)|\])', line
        ), line
    for line in dot(found, expand).splitlines()[4:]:
        inside = r'"([^"\\]|\\.)*"'
        assert re.fullmatch(
            rf"}}|b\d+ -> b\d+|subgraph cluster_\d+ {{ label={inside}|(b\d+|edge|node) \[\w+={inside}.*\]", line
        ), line
    ET.fromstring(picture(found, expand))


def test_the_picture_shows_each_box_and_what_skips_one() -> None:
    root = ET.fromstring(picture(traced()))
    rectangles = [r.get("class") for r in root.iter(f"{SVG}rect")]
    assert rectangles.count("box") == 6
    assert rectangles.count("pill") == 6  # three layers with weight and bias
    assert rectangles.count("frame") == 1
    words = [t.text for t in root.iter(f"{SVG}text")]
    assert {"stem", "block.1", "ReLU", "bias [2]"} <= set(words)
    arcs = [p for p in root.iter(f"{SVG}path") if "q-8 0 -8 8" in (p.get("d") or "")]
    assert len(arcs) == 1  # past the block
    boxes_ = [r for r in root.iter(f"{SVG}rect") if r.get("class") == "box"]
    tops = [float(r.get("y") or 0) for r in boxes_]
    assert all(b - a >= 46 for a, b in pairwise(tops))
    assert max(tops) + 46 < float(root.get("height") or 0)


def test_spans_that_overlap_lie_in_different_lanes() -> None:
    spans = [(0, 9), (1, 3), (3, 5), (2, 8)]
    assert lanes(spans) == [0, 1, 1, 2]
    assert lanes([]) == []
