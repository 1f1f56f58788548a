"""An op without samples fails here."""

from __future__ import annotations

import lenetcli
from lenetcli.nn import functional
from tests.ops.sample import all_samples

SAMPLED = {sample.name for sample in all_samples()}

# names whose results are no tensors, random, or another op under a second name; tested where the reason says
ELSEWHERE = {
    "allclose": "a bool: test_comparisons",
    "equal": "a bool: test_comparisons",
    "numel": "a number: test_comparisons",
    "is_tensor": "a bool: test_comparisons",
    "broadcast_shapes": "a shape: test_shape_ops",
    "nn.functional.dropout": "random: tests/nn",
    "nn.functional.dropout1d": "random: tests/nn",
    "nn.functional.dropout2d": "random: tests/nn",
    "nn.functional.dropout3d": "random: tests/nn",
    "nn.functional.multi_head_attention_forward": "what its layer computes: tests/nn",
    "nn.functional.gumbel_softmax": "random: test_gumbel_softmax",
    "nn.functional.alpha_dropout": "random: tests/nn",
    "nn.functional.feature_alpha_dropout": "random: tests/nn",
    **{
        f"nn.functional.{name}_": "writes into its input: test_overwriting"
        for name in ("celu", "elu", "hardtanh", "leaky_relu", "relu", "rrelu", "selu", "threshold")
    },
}


def offered() -> set[str]:
    """Every op: functions of the ops' families at the top, and those of nn.functional."""
    families = (names for module, names in lenetcli._MODULES.items() if module.startswith("lenetcli.ops."))
    return {n for names in families for n in names.split()} | {f"nn.functional.{n}" for n in functional.__all__}


def same(name: str) -> set[str]:
    """The names under which an op is offered twice: lenet.relu and nn.functional.relu, abs and absolute."""
    function = _found(name)
    return {
        other for other in offered() if _found(other) is function or other.rpartition(".")[2] == name.rpartition(".")[2]
    }


def _found(name: str) -> object:
    place: object = lenetcli
    for part in name.split("."):
        place = getattr(place, part)
    return place


def test_every_op_has_samples() -> None:
    missing = {name for name in offered() - SAMPLED - set(ELSEWHERE) if not same(name) & SAMPLED}
    assert not missing


def test_nothing_is_excused_that_has_samples_or_is_gone() -> None:
    assert not set(ELSEWHERE) & SAMPLED
    assert set(ELSEWHERE) <= offered()
