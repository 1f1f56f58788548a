"""Distributions beside torch's: every method, every divergence, gradients, random numbers, texts, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import distributions
from lenetcli.autograd.random import drawing_from
from lenetcli.autograd.torch_random import TorchGenerator
from lenetcli.distributions import (
    Bernoulli,
    Categorical,
    Exponential,
    Independent,
    Normal,
    OneHotCategorical,
    Uniform,
    kl_divergence,
)

ROW = [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]
LOGITS = [[0.5, -1.0, 2.0], [0.0, 3.0, -2.0]]
SAMPLES: dict[str, tuple[list[Any], Any]] = {  # name [and words]: parameters, a value
    "Normal": ([[0.0, 1.5], [1.0, 0.3]], [0.3, -1.0]),
    "Uniform": ([[0.0, -1.0], [2.0, 3.0]], [0.3, -0.5]),
    "Exponential": ([[0.5, 3.0]], [0.3, 2.0]),
    "Bernoulli": ([[0.3, 0.9]], [1.0, 0.0]),
    "Bernoulli of logits": ([None, [0.5, -3.0]], [1.0, 0.0]),
    "Categorical": ([ROW], [2, 0]),
    "Categorical of logits": ([None, LOGITS], [2, 0]),
    "OneHotCategorical": ([ROW], [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    "OneHotCategorical of logits": ([None, LOGITS], [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
}
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "log_prob": lambda d, v: d.log_prob(v),
    "entropy": lambda d, v: d.entropy(),
    "perplexity": lambda d, v: d.perplexity(),
    "mean": lambda d, v: d.mean,
    "mode": lambda d, v: d.mode,
    "variance": lambda d, v: d.variance,
    "stddev": lambda d, v: d.stddev,
    "cdf": lambda d, v: d.cdf(v),
    "icdf": lambda d, v: d.icdf(v.clamp(0.1, 0.9)),
    "probs": lambda d, v: d.probs,
    "logits": lambda d, v: d.logits,
    "enumerate_support": lambda d, v: d.enumerate_support(),
    "enumerate_support, not expanded": lambda d, v: d.enumerate_support(expand=False),
    "expanded log_prob": lambda d, v: d.expand((4, 2)).log_prob(v),
    "expanded entropy": lambda d, v: d.expand((4, 2)).entropy(),
}


def made(package: Any, words: str, second: float = 0.0) -> tuple[Any, list[Any], Any]:
    """The distribution, its parameters as leaves, and the value; `second` gives another one of the kind."""
    given, value = SAMPLES[words]
    leaves = [None if g is None else package.tensor(g, requires_grad=True) for g in given]
    shifted = [g if g is None else g * (1 - second) + second / 3 for g in leaves]
    return getattr(package.distributions, words.split()[0])(*shifted), leaves, package.tensor(value)


def outcome(package: Any, words: str, call: str) -> tuple[Any, list[Any]]:
    """A result and its gradients; None where it is not there."""
    distribution, leaves, value = made(package, words)
    try:
        result = CALLS[call](distribution, value)
    except (NotImplementedError, AttributeError):
        return None, []
    if result.requires_grad:
        result.sum().backward()
    return result.detach().numpy(), [None if x is None or x.grad is None else x.grad.numpy() for x in leaves]


@pytest.mark.parametrize("words", SAMPLES)
def test_results_and_gradients_are_torchs(torch: Any, words: str) -> None:
    for call in CALLS:
        (ours, slopes), (theirs, wanted) = outcome(lenet, words, call), outcome(torch, words, call)
        assert (ours is None) == (theirs is None), call
        if ours is None:
            continue
        assert ours.dtype == theirs.dtype, call
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=call)
        for a, b in zip(slopes, wanted):
            assert (a is None) == (b is None), call
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=call)


@pytest.mark.parametrize("words", SAMPLES)
def test_what_is_drawn_is_torchs_after_the_same_seed(torch: Any, words: str) -> None:
    ours, theirs = made(lenet, words)[0], made(torch, words)[0]
    for draw in ("sample", "rsample") if theirs.has_rsample else ("sample",):
        torch.manual_seed(3)
        with drawing_from(TorchGenerator().manual_seed(3)):
            found = [getattr(ours, draw)(shape) for shape in ((), (4,), (2, 3))]
        for a, shape in zip(found, ((), (4,), (2, 3))):
            b = getattr(theirs, draw)(shape)
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6, atol=1e-7)
            assert a.requires_grad == b.requires_grad
            assert tuple(ours._extended_shape(shape)) == tuple(b.shape)
    if not theirs.has_rsample:
        with pytest.raises(NotImplementedError, match=rf"{words.split()[0]}: rsample is not there; use sample"):
            ours.rsample()


@pytest.mark.parametrize("words", SAMPLES)
def test_shapes_and_texts_are_torchs(torch: Any, words: str) -> None:
    ours, theirs = made(lenet, words)[0], made(torch, words)[0]
    assert repr(ours) == repr(theirs)
    assert repr(ours.support) == repr(theirs.support).replace("Backward0", "Backward")
    assert (tuple(ours.batch_shape), tuple(ours.event_shape)) == (tuple(theirs.batch_shape), tuple(theirs.event_shape))
    assert repr(ours.expand((4, 2))) == repr(theirs.expand((4, 2)))
    assert ours.has_rsample == theirs.has_rsample
    assert repr(Independent(ours, 1)) == repr(torch.distributions.Independent(theirs, 1))


@pytest.mark.parametrize("words", SAMPLES)
def test_divergences_and_their_gradients_are_torchs(torch: Any, words: str) -> None:
    found = []
    for package in (lenet, torch):
        (p, leaves, _), (q, others, _) = made(package, words), made(package, words, 0.2)
        found.append(package.distributions.kl_divergence(p, q))
        found[-1].sum().backward()
        found += [x.grad for x in leaves + others if x is not None]
        i, j = (package.distributions.Independent(d, 1) for d in (p, q))
        found += [package.distributions.kl_divergence(i, j), i.log_prob(p.sample()).sum() * 0, i.entropy()]
    half = len(found) // 2
    for a, b in zip(found[:half], found[half:]):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_divergences_across_kinds_and_at_the_ends(torch: Any) -> None:
    for first, second in (("Uniform", "Normal"), ("Normal", "Uniform")):
        ours = kl_divergence(made(lenet, first)[0], made(lenet, second)[0])
        theirs = torch.distributions.kl_divergence(made(torch, first)[0], made(torch, second)[0])
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-5)
    for kind, p, q in (
        ("Bernoulli", [0.0, 1.0, 0.5, 1.0, 0.0], [0.5, 0.5, 0.0, 0.0, 0.0]),
        ("Categorical", [[0.0, 1.0], [0.5, 0.5]], [[0.5, 0.5], [0.0, 1.0]]),
    ):
        found = [
            d.kl_divergence(*(getattr(d, kind)(tensor(x)) for x in (p, q)))
            for d, tensor in ((distributions, lenet.tensor), (torch.distributions, torch.tensor))
        ]
        np.testing.assert_allclose(found[0].numpy(), found[1].numpy(), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="p type Normal and q type Bernoulli"):
        kl_divergence(Normal(0.0, 1.0), Bernoulli(0.5))


def test_a_rule_of_ones_own_is_taken_for_subclasses_too() -> None:
    class Own(Normal):
        pass

    distributions.register_kl(Own, Bernoulli)(lambda p, q: p.loc + q.probs)
    assert float(kl_divergence(Own(1.0, 1.0), Bernoulli(0.5))) == 1.5
    assert float(kl_divergence(Own(0.0, 1.0), Normal(0.0, 1.0))) == 0.0
    del distributions.kl.RULES[Own, Bernoulli]


BAD: dict[str, Callable[[Any], Any]] = {
    "scale below 0": lambda p: p.distributions.Normal(0.0, -1.0),
    "one scale below 0": lambda p: p.distributions.Normal(p.tensor([0.0, 1.0]), p.tensor([1.0, -1.0])),
    "probability above 1": lambda p: p.distributions.Bernoulli(1.5),
    "no probability": lambda p: p.distributions.Bernoulli(),
    "probability and logit": lambda p: p.distributions.Bernoulli(0.5, logits=1.0),
    "a class below 0": lambda p: p.distributions.Categorical(p.tensor([1.5, -0.5])),
    "a number as probabilities": lambda p: p.distributions.Categorical(p.tensor(0.5)),
    "logits of NaN": lambda p: p.distributions.Categorical(logits=p.tensor([0.5, float("nan")])),
    "a number to weigh": lambda p: p.distributions.Normal(0.0, 1.0).log_prob(1.0),
    "NaN to weigh": lambda p: p.distributions.Normal(0.0, 1.0).log_prob(p.tensor(float("nan"))),
    "neither yes nor no": lambda p: p.distributions.Bernoulli(0.5).log_prob(p.tensor(2.0)),
    "a class that is not there": lambda p: p.distributions.Categorical(p.tensor([0.5, 0.5])).log_prob(p.tensor(2)),
    "low above high": lambda p: p.distributions.Uniform(1.0, 0.0),
    "beyond the ends": lambda p: p.distributions.Uniform(0.0, 1.0).log_prob(p.tensor(2.0)),
    "two ones": lambda p: p.distributions.OneHotCategorical(p.tensor([0.5, 0.5])).log_prob(p.tensor([1.0, 1.0])),
    "a rate below 0": lambda p: p.distributions.Exponential(-1.0),
    "shapes that do not fit": lambda p: p.distributions.Normal(p.zeros(2), p.ones(2)).log_prob(p.zeros(3)),
    "an event of another size": lambda p: p.distributions.OneHotCategorical(p.tensor([0.5, 0.5])).log_prob(p.zeros(3)),
    "more dimensions than there are": lambda p: p.distributions.Independent(p.distributions.Normal(0.0, 1.0), 1),
}


@pytest.mark.parametrize("words", BAD)
def test_what_does_not_fit_is_refused_in_torchs_words(torch: Any, words: str) -> None:
    said = []
    for package in (torch, lenet):
        try:
            BAD[words](package)
        except ValueError as error:
            said.append(str(error))
    assert len(said) == 2
    assert said[0] == said[1]


def test_texts_as_parameters_are_refused_and_checks_can_be_left_out() -> None:
    with pytest.raises(ValueError, match=r"instances of Number or torch\.Tensor, got str, int"):
        Normal("a", 1)  # type: ignore[arg-type]  # what is wrong here
    assert not np.isfinite(Normal(0.0, -1.0, validate_args=False).log_prob(lenet.tensor(1.0)).item())
    assert float(Uniform(0.0, 1.0, validate_args=False).log_prob(lenet.tensor(2.0))) == -np.inf
    distributions.Distribution.set_default_validate_args(False)
    try:
        Exponential(-1.0)
    finally:
        distributions.Distribution.set_default_validate_args(True)
    assert OneHotCategorical(lenet.ones(3)).sample().sum().item() == 1.0
    assert Categorical(lenet.ones(3)).param_shape == (3,)
