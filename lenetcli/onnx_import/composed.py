"""Layers that writers spell out with arrays or sizes, which templates of numbers do not tell."""

from __future__ import annotations

from collections.abc import Callable

from lenetcli.onnx_import.matching import Matcher
from lenetcli.onnx_import.net import Node

LOOKS: list[Callable[[Matcher, Node], Node | None]] = []
