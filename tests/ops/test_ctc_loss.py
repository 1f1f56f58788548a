"""CTC beyond the sweep: torch's gradients, numeric ones, every path counted by hand, what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd import gradcheck
from lenetcli.nn import functional as F


def case(seed: int) -> tuple[np.ndarray, np.ndarray, list[int], list[int], dict[str, Any]]:
    """Scores, targets, lengths and options; some targets are too long for their steps."""
    random = np.random.default_rng(seed)
    steps, count, classes = (int(n) for n in random.integers([1, 1, 2], [9, 5, 6]))
    blank = int(random.integers(classes))
    targets = random.integers(0, classes - 1, (count, 5))
    targets += targets >= blank
    lengths = random.integers(0, 6, count).tolist()
    inputs = random.integers(0, steps + 1, count).tolist()
    if seed % 3 == 0:
        targets = np.concatenate([t[:n] for t, n in zip(targets, lengths)])
    options = {"blank": blank, "reduction": ("none", "sum", "mean")[seed % 3], "zero_infinity": seed % 2 == 0}
    return 3 * random.standard_normal((steps, count, classes)), targets, inputs, lengths, options


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_values_and_gradients_are_torchs(torch: Any, kind: str) -> None:
    for seed in range(40):
        scores, targets, inputs, lengths, options = case(seed)
        found = []
        for package in (lenet, torch):
            x = package.tensor(scores, dtype=getattr(package, kind), requires_grad=True)
            given = [package.tensor(v) if seed % 4 else tuple(v) for v in (inputs, lengths)]
            loss = package.nn.functional.ctc_loss(x.log_softmax(-1), package.tensor(targets), *given, **options)
            loss.sum().backward()
            found += [loss.detach().numpy(), x.grad.numpy()]
        tolerance = 2e-5 if kind == "float32" else 1e-10
        for ours, theirs in zip(found[:2], found[2:]):
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=f"seed {seed}")


def test_the_loss_is_the_sum_over_all_paths_and_its_gradient_the_numeric_one() -> None:
    random = np.random.default_rng(0)
    for target in ([], [1], [1, 1], [2, 1]):
        x = random.standard_normal((4, 3))
        logs = x - np.log(np.exp(x).sum(1, keepdims=True))
        spelled = [
            path
            for path in itertools.product(range(3), repeat=4)
            if [c for c, before in zip(path, (None, *path)) if c != before and c] == target
        ]
        wanted = -np.log(sum(np.exp(sum(logs[t, c] for t, c in enumerate(path))) for path in spelled))
        labels = lenet.tensor(target, dtype=lenet.int64)
        leaf = lenet.from_numpy(x).requires_grad_()

        def loss(x: Any, labels: Any = labels, size: int = len(target)) -> Any:
            return F.ctc_loss(x.log_softmax(1), labels, (4,), (size,), reduction="sum")

        assert float(loss(leaf)) == pytest.approx(wanted, rel=1e-12)
        assert gradcheck(loss, (leaf,))


def test_what_has_no_path_is_infinite_with_a_gradient_of_nan_or_counts_nothing() -> None:
    for zero, slope in ((False, np.nan), (True, 0.0)):
        x = lenet.zeros(2, 1, 3).log_softmax(2).requires_grad_()
        loss = F.ctc_loss(x, lenet.tensor([[1, 1]]), (2,), (2,), zero_infinity=zero)
        loss.backward()
        assert float(loss) == (0.0 if zero else np.inf)
        np.testing.assert_array_equal(x.grad.numpy(), np.full((2, 1, 3), slope))


def test_a_second_derivative_is_refused_by_name() -> None:
    x = lenet.zeros(3, 1, 3).log_softmax(2).requires_grad_()
    loss = F.ctc_loss(x, lenet.tensor([[1]]), (3,), (1,))
    with pytest.raises(NotImplementedError, match="CtcLoss has no second derivative"):
        lenet.autograd.grad(loss, x, create_graph=True)


X, T = lenet.zeros(5, 2, 4), lenet.tensor([[1, 2], [2, 3]])
REFUSED = {
    "one length of a batch of two": ((X, T, (5,), (2, 2)), "input_lengths must be of size batch_size, 2, got 1"),
    "one target length": ((X, T, (5, 5), (2,)), "target_lengths must be of size batch_size, 2, got 1"),
    "more steps than there are": ((X, T, (6, 4), (2, 2)), "at least 0 and at most 5, but got value 6"),
    "a negative length": ((X, T, (5, 5), (-1, 2)), "target_lengths to have values at least 0, but got value -1"),
    "lengths of halves": ((X, T, (5.5, 5), (2, 2)), "input_lengths must be integers"),
    "a target longer than its row": ((X, T, (5, 5), (3, 2)), r"\(2, 3 or more\) .* got \[2, 2\]"),
    "joined targets of another sum": ((X, lenet.tensor([1, 2, 3]), (5, 5), (2, 2)), "the 4 of target_lengths, got 3"),
    "targets of three dimensions": ((X, T[None], (5, 5), (2, 2)), "targets of 1 or 2 dimensions, got 3"),
    "a label that is no class": ((X, T + 2, (5, 5), (2, 2)), "label 4 is no class; .* are 0 to 3"),
    "a blank that is no class": ((X, T, (5, 5), (2, 2), 4), "blank must be in label range, 0 to 3, got 4"),
    "no steps": ((X[:0], T, (0, 0), (2, 2)), r"log_probs tensor must not be empty, got \[0, 2, 4\]"),
    "scores of one dimension": ((X[:, 0, 0], T, (5,), (2,)), r"expected log_probs \(T, N, C\) or \(T, C\), got 1"),
    "integers": ((X.long(), T, (5, 5), (2, 2)), "not implemented for torch.int64; call float"),
    "another reduction": ((X, T, (5, 5), (2, 2), 0, "average"), "'average' is not a valid value for reduction"),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_does_not_fit_is_refused(words: str) -> None:
    args, message = REFUSED[words]
    with pytest.raises((RuntimeError, TypeError, ValueError), match=message):
        F.ctc_loss(*args)


def test_the_layer_is_the_function() -> None:
    x = lenet.randn(6, 2, 4).log_softmax(2)
    layer = nn.CTCLoss(blank=1, reduction="sum", zero_infinity=True)
    wanted = F.ctc_loss(x, T - T % 2, (6, 5), (2, 1), 1, "sum", True)
    assert layer(x, T - T % 2, lenet.tensor([6, 5]), lenet.tensor([2, 1])).tolist() == wanted.tolist()
