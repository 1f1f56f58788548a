"""Bad configurations get exactly the message that bad.txt shows."""

from __future__ import annotations

import pytest

from tests.config.golden import GOOD, Case, cases


@pytest.mark.parametrize("case", cases(), ids=str)
def test_a_bad_configuration_gets_its_message(case: Case) -> None:
    assert case.told() == case.message


def test_the_configuration_that_cases_change_is_good() -> None:
    assert Case("good", (), GOOD, "").told() == "no error\n"
    assert len(cases()) >= 40
