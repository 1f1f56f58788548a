"""torch's own operator, module and optimizer databases: no sample may come out wrong."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed: its databases give the tests' parameters")
pytest.importorskip("expecttest", reason="torch's databases import it")

from tests.torch_databases import modules, operators, optimizers, second_derivatives
from tests.torch_databases.outcome import Row

pytestmark = pytest.mark.usefixtures("torch")

# cases in which torch itself is inexact, each looked at with float64 numbers
INEXACT = {
    "nn.functional.conv_transpose3d": "values up to 1e3: torch's float32 is off by 1.3e-4 from float64, ours by 1.5e-4",
    "logcumsumexp": "values up to 1e4: torch's float32 gradient is off by 3e-3 from float64, ours by 4e-3",
}


def check(row: Row) -> None:
    if row.outcomes["wrong"] and row.name not in INEXACT:
        raise AssertionError("\n".join(row.notes))


@pytest.mark.parametrize("op", operators.offered_ops(), ids=lambda op: f"{op.name} {op.variant_test_name}".strip())
def test_operator(op: Any) -> None:
    check(operators.row(op))


@pytest.mark.parametrize("op", operators.offered_ops(), ids=lambda op: f"{op.name} {op.variant_test_name}".strip())
def test_second_derivatives(op: Any) -> None:
    check(second_derivatives.row(op))


@pytest.mark.parametrize("info", modules.offered_modules(), ids=lambda info: info.name.removeprefix("nn."))
def test_module(info: Any) -> None:
    row = modules.row(info)
    check(row)
    assert row.outcomes["equal"] >= 0.99 * row.outcomes.total()


@pytest.mark.parametrize("info", optimizers.offered_optimizers(), ids=lambda info: info.optim_cls.__name__)
def test_optimizer(info: Any) -> None:
    row = optimizers.row(info)
    check(row)
    assert row.outcomes["equal"] == row.outcomes.total()
