"""`autograd.grad` and `backward`: every way to call them, beside torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import lenetcli as lenet

Call = Callable[[Any, Any, Any], Any]  # takes a package and two leaves

CALLS: dict[str, Call] = {
    "no inputs": lambda m, x, w: m.autograd.grad((x * w).sum(), []),
    "no outputs": lambda m, x, w: m.autograd.grad([], [x]),
    "not scalar": lambda m, x, w: m.autograd.grad(x * w, x),
    "one element": lambda m, x, w: m.autograd.grad((x * w)[:1], x),
    "unused": lambda m, x, w: m.autograd.grad((x * 2).sum(), [x, w]),
    "unused, allowed": lambda m, x, w: m.autograd.grad((x * 2).sum(), [x, w], allow_unused=True),
    "unused, None": lambda m, x, w: m.autograd.grad((x * 2).sum(), [x, w], allow_unused=None),
    "materialized": lambda m, x, w: m.autograd.grad((x * 2).sum(), [x, w], materialize_grads=True),
    "materialized, allowed": lambda m, x, w: m.autograd.grad(
        x.sum(), [x, w], materialize_grads=True, allow_unused=True
    ),
    "materialized, not allowed": lambda m, x, w: m.autograd.grad(
        x.sum(), [x, w], materialize_grads=True, allow_unused=False
    ),
    "another shape": lambda m, x, w: m.autograd.grad(x * w, x, m.ones(3)),
    "too few gradients": lambda m, x, w: m.autograd.grad([x * w, x * 2], x, [m.ones(2)]),
    "integers": lambda m, x, w: m.autograd.grad(x * w, x, m.tensor([2, 3])),
    "booleans": lambda m, x, w: m.autograd.grad(x * w, x, m.tensor([True, False])),
    "float64": lambda m, x, w: m.autograd.grad(x * w, x, m.ones(2, dtype=m.float64)),
    "itself": lambda m, x, w: m.autograd.grad(x, x, m.tensor([2.0, 3.0])),
    "an inner one": lambda m, x, w: (lambda y: m.autograd.grad((y * y).sum(), [y, x]))(x * w),
    "the output": lambda m, x, w: (lambda y: m.autograd.grad(y, [y, x]))((x * w).sum()),
    "one twice": lambda m, x, w: m.autograd.grad((x * w).sum(), [x, x]),
    "an output twice": lambda m, x, w: (lambda y: m.autograd.grad([y, y], x))((x * w).sum()),
    "batch": lambda m, x, w: m.autograd.grad(x * w, x, m.eye(2), is_grads_batched=True),
    "batch of two outputs": lambda m, x, w: m.autograd.grad(
        [x * w, (x * x).sum()], [x, w], [m.ones(3, 2), m.arange(3.0)], is_grads_batched=True
    ),
    "batch, unused": lambda m, x, w: m.autograd.grad(x * 2, [x, w], m.eye(2), is_grads_batched=True, allow_unused=True),
    "batch, materialized": lambda m, x, w: m.autograd.grad(
        x * 2, [x, w], m.eye(2), is_grads_batched=True, materialize_grads=True
    ),
    "batch of integers": lambda m, x, w: m.autograd.grad(x * w, x, m.tensor([[1, 2], [3, 4]]), is_grads_batched=True),
    "batch, none given": lambda m, x, w: m.autograd.grad((x * w).sum(), x, is_grads_batched=True),
    "batch of none": lambda m, x, w: m.autograd.grad(x * w, x, m.ones(0, 2), is_grads_batched=True),
    "batch without a dimension": lambda m, x, w: m.autograd.grad(x * w, x, m.ones(2), is_grads_batched=True),
    "batch of another shape": lambda m, x, w: m.autograd.grad(x * w, x, m.ones(3, 3), is_grads_batched=True),
    "batches of two sizes": lambda m, x, w: m.autograd.grad(
        [x * w, x * 2], x, [m.ones(3, 2), m.ones(4, 2)], is_grads_batched=True
    ),
    "input without gradient": lambda m, x, w: m.autograd.grad((x * w).sum(), m.ones(2)),
    "input without gradient, allowed": lambda m, x, w: m.autograd.grad(
        (x * w).sum(), [x, m.ones(2)], allow_unused=True
    ),
    "output without gradient": lambda m, x, w: m.autograd.grad([x.sum(), m.ones(2).sum()], x),
    "output of integers": lambda m, x, w: m.autograd.grad((x * w).long().sum(), x),
    "no tensor out": lambda m, x, w: m.autograd.grad(3.0, x),
    "no tensor in": lambda m, x, w: m.autograd.grad(x.sum(), [3.0]),
    "None in": lambda m, x, w: m.autograd.grad(x.sum(), [None]),
    "a list as gradient": lambda m, x, w: m.autograd.grad(x * w, x, [[1.0, 1.0]]),
    "some gradients": lambda m, x, w: m.autograd.grad([x.sum(), (x * 2).sum()], x, [None, m.tensor(2.0)]),
    "generators": lambda m, x, w: m.autograd.grad((y for y in [(x * w).sum()]), (p for p in (x, w))),
    "by position": lambda m, x, w: m.autograd.grad((x * w).sum(), x, None, True, False, True, True),
    "freed": lambda m, x, w: (lambda y: (m.autograd.grad(y, x), m.autograd.grad(y, x)))((x * w).sum()),
    "kept": lambda m, x, w: (lambda y: (*m.autograd.grad(y, x, retain_graph=True), *m.autograd.grad(y, x)))(
        (x * w).sum()
    ),
    "backward, another shape": lambda m, x, w: (x * w).backward(m.ones(1, 2)),
    "backward, integers": lambda m, x, w: ((x * w).backward(m.tensor([1, 2])), x.grad),
    "backward, a number": lambda m, x, w: x.sum().backward(2.0),
    "backward, one dimension for none": lambda m, x, w: x.sum().backward(m.ones(1)),
    "backward, too few": lambda m, x, w: m.autograd.backward([x.sum(), w.sum()], [m.tensor(1.0)]),
    "backward, no inputs": lambda m, x, w: x.sum().backward(inputs=[]),
    "backward, inputs": lambda m, x, w: ((x * w).sum().backward(inputs=w), w.grad, x.grad),
    "backward, inner input": lambda m, x, w: (lambda y: (y.sum().backward(inputs=[y]), y.grad))(x * w),
    "backward, unused input": lambda m, x, w: ((x * 2).sum().backward(inputs=[w]), w.grad),
    "backward, input without gradient": lambda m, x, w: x.sum().backward(inputs=[m.ones(2)]),
    "backward, no tensor in": lambda m, x, w: x.sum().backward(inputs=[3]),
    "backward of a leaf": lambda m, x, w: (x.backward(m.ones(2)), x.grad),
    "backward without a graph": lambda m, x, w: m.ones(1).backward(),
    "backward of integers": lambda m, x, w: m.tensor([1]).backward(),
}
# where the words must be torch's, up to what ours add at the end
WORDS = {
    "no inputs", "unused", "materialized, not allowed", "another shape", "too few gradients", "backward, no inputs",
    "backward, another shape", "not scalar", "output without gradient", "input without gradient", "None in",
    "a list as gradient",
}  # fmt: skip


def result(package: Any, name: str) -> Any:
    """What a call gives, or the kind and words of its error."""
    x, w = (package.tensor(v, requires_grad=True) for v in ([1.0, 2.0], [3.0, 4.0]))
    try:
        return shown(CALLS[name](package, x, w))
    except Exception as error:
        return next(k.__name__ for k in type(error).__mro__ if k.__module__ == "builtins"), str(error)


def shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return [shown(v) for v in value]
    return value if value is None else [value.tolist(), str(value.dtype), value.requires_grad]


@pytest.mark.parametrize("name", CALLS)
def test_a_call_gives_what_it_gives_in_torch(torch: Any, name: str) -> None:
    ours, theirs = result(lenet, name), result(torch, name)
    if isinstance(theirs, tuple):  # an error
        assert isinstance(ours, tuple)
        assert ours[0] == theirs[0]
        assert name not in WORDS or ours[1].startswith(theirs[1].rstrip("."))
    else:
        assert ours == theirs


def test_no_inputs_are_refused() -> None:
    assert result(lenet, "no inputs") == ("RuntimeError", "`inputs` argument to `grad()` cannot be empty.")
    assert result(lenet, "backward, no inputs") == (
        "RuntimeError",
        "`inputs` argument to `backward()` cannot be empty.",
    )


def test_unused_inputs_can_be_given_zeros() -> None:
    assert result(lenet, "materialized")[1] == [[0.0, 0.0], "torch.float32", False]
    assert result(lenet, "materialized, not allowed")[0] == "ValueError"


def test_a_batch_of_gradients_gives_the_jacobian() -> None:
    assert result(lenet, "batch") == [[[[3.0, 0.0], [0.0, 4.0]], "torch.float32", False]]
    assert result(lenet, "batch, unused")[1] is None
    assert result(lenet, "batch of another shape")[0] == "RuntimeError"
