"""Every op, layer, optimizer and scheduler on the device, beside the CPU: the same numbers, and nothing leaves it.

On a machine with a GPU and CuPy this runs on both; elsewhere on the stand-in alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from tests.cases import each_by_name
from tests.device import standin
from tests.nn.sample import LayerSample, collected, outputs
from tests.ops.sample import Sample, all_samples, resolve

FROM_NUMBERS = {"tril_indices", "triu_indices"}  # have no tensor that says where
# ops that take places as a tensor, which are numbers for the host, and the layers of some; ctc_loss also goes through
# its steps, each of which needs the one before, on the host
HOST_ARGUMENTS = {
    *("tensor_split", "nn.functional.embedding_bag", "EmbeddingBag"),
    *("nn.functional.ctc_loss", "CTCLoss"),
}
LAYERS = collected("SAMPLES")


def moved(value: Any, where: str, leaves: list[Any], grad: bool) -> Any:
    """NumPy arrays as tensors on a device; the floating ones require gradients where the sample has them."""
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        return type(value)(moved(v, where, leaves, grad) for v in value)
    if not isinstance(value, np.ndarray):
        return value
    leaf = lenet.from_numpy(value.copy()).to(where)
    if value.dtype.kind == "f" and grad:
        leaf.requires_grad_()
        leaves.append(leaf)
    return leaf


def on(where: str, sample: Sample) -> tuple[list[Any], list[Any], dict[str, int]]:
    """Results and gradients of a sample on a device, and how often it waited."""
    lenet.manual_seed(0)
    leaves: list[Any] = []
    args = [moved(a, where, leaves, sample.grad) for a in sample.args]
    kwargs = {k: moved(v, where, leaves, sample.grad) for k, v in sample.kwargs.items()}
    before = dict(standin.counts)
    outs = outputs(resolve(lenet, sample.name)(*args, **kwargs))
    random = np.random.default_rng(1)
    for out in outs:
        if isinstance(out, lenet.Tensor) and out.requires_grad:
            seed = random.standard_normal(tuple(out.shape)).astype(out.dtype.numpy)
            out.backward(lenet.from_numpy(np.asarray(seed)).to(where), retain_graph=True)
    waits = {k: standin.counts[k] - before[k] for k in before}
    return outs, [leaf.grad for leaf in leaves], waits


@pytest.mark.filterwarnings("ignore::UserWarning")  # about uses that torch warns about, too
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@each_by_name(LAYERS)
def test_layers_equal_those_on_the_cpu(sample: LayerSample, training: bool, cuda: str) -> None:
    results = {}
    for where in ("cpu", cuda):
        lenet.manual_seed(0)
        layer = sample.make(lenet.nn, lenet.from_numpy).train(training).to(where)
        xs = [lenet.from_numpy(x.copy()).to(where) for x in sample.arrays()]
        for number, x in enumerate(xs):
            if x.is_floating_point() and number < sample.differentiable:
                x.requires_grad_()
        before = dict(standin.counts)
        random = np.random.default_rng(1)
        given = [x.clone() for x in xs] if getattr(layer, "inplace", False) else xs
        outs = outputs(layer(*given, **sample.named(lambda x, where=where: lenet.from_numpy(x).to(where))))
        for out in outs:
            if out.requires_grad:
                seed = np.asarray(random.standard_normal(tuple(out.shape)), out.dtype.numpy)
                out.backward(lenet.from_numpy(seed).to(where), retain_graph=True)
        waits = standin.counts["get"] - before["get"]
        assert waits == 0 or sample.name in HOST_ARGUMENTS, "values were copied to the host on the way"
        found = {f"output {i}": out for i, out in enumerate(outs)}
        found |= {f"gradient of input {i}": x.grad for i, x in enumerate(xs)}
        found |= {f"gradient of {name}": p.grad for name, p in layer.named_parameters()}
        results[where] = found | dict(layer.named_buffers())
    assert all(t.is_cuda for t in results[cuda].values() if t is not None)
    for name, expected in results["cpu"].items():
        if not (sample.random and training):
            assert_equal(results[cuda][name], expected, 20 * sample.tolerance, name)


def assert_equal(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """Equal values up to rounding, and on the device."""
    assert (found is None) == (expected is None), what
    if not isinstance(expected, lenet.Tensor):
        assert found == expected, what
        return
    assert found.dtype is expected.dtype, what
    a, b = found.detach().cpu().numpy(), expected.detach().numpy()
    assert a.shape == b.shape, what
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


@each_by_name(all_samples())
def test_ops_equal_those_on_the_cpu(sample: Sample, cuda: str) -> None:
    expected, d_expected, _ = on("cpu", sample)
    found, d_found, waits = on(cuda, sample)
    assert len(found) == len(expected)
    if sample.name not in FROM_NUMBERS:
        assert all(out.is_cuda for out in found if isinstance(out, lenet.Tensor))
    for number, pair in enumerate(zip(found, expected)):
        assert_equal(*pair, 10 * sample.tolerance, f"result {number}")
    for number, pair in enumerate(zip(d_found, d_expected)):
        assert_equal(*pair, 20 * sample.tolerance, f"gradient {number}")
    assert waits["get"] == 0 or sample.name in HOST_ARGUMENTS, "values were copied to the host on the way"
