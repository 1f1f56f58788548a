"""A layer of ours beside torch's of the same name: same text, same state, same numbers through a few training steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import lenetcli as lenet


def pair(torch: Any, make: Callable[[Any], Any]) -> tuple[Any, Any]:
    """`make(lenetcli.nn)` and `make(torch.nn)` with the same values, after a look at text, keys, shapes and types."""
    ours, theirs = make(lenet.nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    state, expected = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    assert [tuple(v.shape) for v in state.values()] == [tuple(v.shape) for v in expected.values()]
    assert [str(v.dtype) for v in state.values()] == [str(v.dtype) for v in expected.values()]
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict({k: lenet.from_numpy(v.numpy().copy()) for k, v in expected.items()})
    return ours, theirs


def assert_same_training(
    torch: Any, make: Callable[[Any], Any], *inputs: np.ndarray, steps: int = 3, tolerance: float = 1e-5
) -> None:
    """Trains both layers on the same inputs and compares outputs, gradients, parameters and buffers; then evaluates."""
    ours, theirs = pair(torch, make)
    random = np.random.default_rng(0)
    for step in range(steps + 1):
        training = step < steps
        ours.train(training)
        theirs.train(training)
        changed = [x * np.float32(1 + step) + np.float32(step) if x.dtype.kind == "f" else x for x in inputs]
        xs = [lenet.from_numpy(batch_last(x)) for x in changed]
        ts = [torch.tensor(x) for x in changed]
        for x, t in zip(xs, ts):
            if x.is_floating_point():
                x.requires_grad_()
                t.requires_grad_()
        y, expected = ours(*xs), theirs(*ts)
        assert_close(y, expected, tolerance)
        seed = random.standard_normal(tuple(expected.shape)).astype(expected.detach().numpy().dtype)
        if not expected.requires_grad:
            assert not y.requires_grad
            continue
        y.backward(lenet.from_numpy(seed))
        expected.backward(torch.tensor(seed))
        for x, t in zip(xs, ts):
            assert (x.grad is None) == (t.grad is None)
            if x.grad is not None:
                assert_close(x.grad, t.grad, 10 * tolerance)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
            assert_close(p.grad, q.grad, 10 * tolerance, name)
            p.data -= 0.1 * p.grad
            q.data -= 0.1 * q.grad
        ours.zero_grad()
        theirs.zero_grad()
        for (name, b), c in zip(ours.named_buffers(), theirs.buffers()):
            assert_close(b, c, tolerance, name)


def batch_last(x: np.ndarray) -> np.ndarray:
    """The same values with the first dimension as the fastest, as images are stored."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0) if x.ndim > 2 else x.copy()


def assert_close(ours: Any, theirs: Any, tolerance: float, name: str = "") -> None:
    """Equal types, equal values up to rounding."""
    assert str(ours.dtype) == str(theirs.dtype), name
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance, err_msg=name
    )
