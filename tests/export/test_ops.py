"""Every op of the samples leaves with the engine's numbers, as ONNX and as Python, or is refused by its name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import CheckFailed
from lenetcli.export.checked import difference
from lenetcli.export.graph import Graph, NotExportable
from lenetcli.export.lowering import lowered
from lenetcli.export.onnx_file import runner, to_bytes
from lenetcli.export.python_file import python_source
from lenetcli.export.python_file import runner as python_runner
from lenetcli.export.trace import flat
from tests.ops.sample import Sample, all_samples, resolve

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

# ops that no sample of theirs leaves with; each is refused by its name
REFUSED = {
    "affine_grid", "grid_sample",
    "argwhere", "binary_cross_entropy", "binary_cross_entropy_with_logits", "bincount", "bitwise_left_shift",
    "bitwise_not", "bitwise_right_shift", "block_diag", "bucketize", "cdist", "combinations", "cross", "cummax",
    "cummin", "cumprod", "histc", "huber_loss", "index_add", "index_copy", "index_fill",
    "index_put", "index_reduce", "isin", "linalg.cross", "linalg.svdvals", "logcumsumexp", "masked_scatter",
    "masked_select", "mode", "multi_margin_loss",
    "multilabel_margin_loss", "nanmedian", "nanquantile", "nll_loss", "nonzero", "put", "scatter",
    "scatter_add", "scatter_reduce", "searchsorted", "soft_margin_loss", "unique",
    "unique_consecutive",
    "copysign", "det", "diagonal_scatter", "erfinv", "fmax", "fmin", "gcd", "heaviside", "inverse", "isneginf",
    "isposinf", "lcm", "linalg.det", "linalg.inv", "linalg.slogdet", "logaddexp", "logaddexp2", "logdet",
    "nextafter", "ctc_loss", "fractional_max_pool2d", "fractional_max_pool3d", "pdist", "select_scatter",
    "signbit", "sinc", "slice_scatter", "slogdet",
}  # fmt: skip

# ops that leave, but with none of their samples: indices of a pool or of a rank, images of five dimensions
PARTLY = {"adaptive_max_pool1d", "kthvalue", "nn.functional.pixel_shuffle"}


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


class Call(nn.Module):
    """A module of one call: its arrays are the inputs, or the first of them alone."""

    def __init__(self, sample: Sample, alone: bool) -> None:
        super().__init__()
        self.sample, self.function = sample, resolve(lenet, sample.name)
        found = [*_arrays(sample.args), *_arrays(tuple(sample.kwargs.values()))]
        self.arrays = found[:1] if alone else found

    def forward(self, *inputs: Any) -> Any:
        left = list(inputs)

        def put(value: Any) -> Any:
            if isinstance(value, np.ndarray):
                return left.pop(0) if left else lenet.from_numpy(value.copy())
            return type(value)(put(v) for v in value) if isinstance(value, (list, tuple)) else value

        args = put(self.sample.args)
        return self.function(*args, **{name: put(value) for name, value in self.sample.kwargs.items()})


def _arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _arrays(v)


def attempt(call: Call, counted: bool) -> Graph | str:
    """The graph, checked in both forms; or why there is none."""
    try:
        graph = lowered(call, call.arrays, counted=counted)
        runs = [runner(to_bytes(graph)), python_runner(python_source(graph, None, "numbers"))]
        for run in runs:
            assert run is not None
            if not counted:
                equal(run, call)
            if "gaussian_nll_loss" not in call.sample.name:  # which wants variances
                difference(run, call, graph, examples=call.arrays)
    except (NotExportable, CheckFailed) as refusal:
        return str(refusal)
    return graph


def equal(run: Any, call: Call) -> None:
    """With the sample's own values, in value and type; of pools of no finite values ONNX says nothing."""
    if "max_pool" in call.sample.name and not all(np.isfinite(x).all() for x in call.arrays):
        return
    inputs = [array.copy() for array in call.arrays]
    wanted = [t.array for _, t in flat("", call(*(lenet.from_numpy(x.copy()) for x in inputs)))]
    found = run(*inputs)
    for got, y in zip(found if isinstance(found, (list, tuple)) else [found], wanted):
        np.testing.assert_allclose(got, y, rtol=2e-5, atol=2e-5)
        assert (np.asarray(got).dtype, np.shape(got)) == (y.dtype, y.shape)


SAMPLES = [s for s in all_samples() if list(_arrays((*s.args, *s.kwargs.values())))]
NAMES = sorted({sample.name for sample in SAMPLES})


@pytest.mark.parametrize("name", NAMES)
def test_an_op_leaves_with_the_engines_numbers_or_is_refused(name: str) -> None:
    """For fixed sizes, with all arrays as inputs and with the first; and for any number of samples of that."""
    left = False
    for sample in SAMPLES:
        if sample.name != name:
            continue
        found = [attempt(Call(sample, alone), False) for alone in (False, True)]
        if Call(sample, True).arrays[0].ndim:
            found.append(attempt(Call(sample, True), True))
        for refusal in found:
            if isinstance(refusal, str):
                assert "cannot be exported: " in refusal or "not written" in refusal
            else:
                left = True
    short = name.rpartition("functional.")[2]
    assert left == (short not in REFUSED and not {short, name} & PARTLY)


def test_nothing_is_said_to_be_refused_that_there_is_not() -> None:
    assert {name.rpartition("functional.")[2] for name in NAMES} >= REFUSED
