"""docs/onnx-in.md says what is read."""

from __future__ import annotations

from typing import Any

from tests.onnx_import.table import MOST, PAGE, STORED, operators, parts
from tests.onnx_import.torch_nets import nets


def test_the_page_lists_the_operators() -> None:
    assert parts(PAGE.read_text("utf-8"))[0] == operators()


def test_the_page_has_every_net_with_differences_that_tests_hold(torch: Any) -> None:
    """The nets are those of test_torch_exports and test_keras_exports, which hold them to the same."""
    rows = [line.strip("| ").split(" | ") for line in parts(PAGE.read_text("utf-8"))[1].splitlines()[2:]]
    assert [row[0] for row in rows] == [*nets(torch), *(f"{p.stem} (Keras)" for p in sorted(STORED.glob("*.onnx")))]
    numbers = [float(cell) for row in rows for cell in row[1:] if cell.strip("| ") and cell[0].isdigit()]
    assert len(numbers) >= 26
    assert max(numbers) <= MOST
