"""docs/torch-names.md says what is there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.torch_names import PAGE, page


def test_the_page_of_torchs_names_is_up_to_date(torch: Any) -> None:
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the page is about torch 2.13")
    assert PAGE.read_text("utf-8") == page(), "run python -m tests.torch_names --write"
