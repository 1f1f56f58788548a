"""Which twin of each kernel runs, NumPy's or the native one, and how to force it.

Callers use the names below as attributes of this module (`kernels.conv2d(...)`), so that the choice may change while
the program runs. LENET_KERNELS decides from outside: numpy, native, or the native ones for one of the instruction sets
(v4, v3, v2) that were built and this processor has; without it, native twins run where they can, for the best of these.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from lenetcli.errors import ConfigError
from lenetcli.kernels import cuda, device, native
from lenetcli.kernels import threads as _threads
from lenetcli.kernels.activation import curve, curve_backward
from lenetcli.kernels.attention import attention, attention_backward
from lenetcli.kernels.avg_pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    avg_pool2d,
    avg_pool2d_backward,
)
from lenetcli.kernels.checksum import crc32
from lenetcli.kernels.conv import channel_sums, conv2d, conv2d_backward, conv2d_input_grad, conv2d_weight_grad
from lenetcli.kernels.environment import wanted_kernels
from lenetcli.kernels.finite import all_finite
from lenetcli.kernels.flatten import flatten
from lenetcli.kernels.fused import conv_at_winners, conv_relu_pool, conv_relu_pool_backward
from lenetcli.kernels.linear import linear, linear_backward, linear_relu, linear_relu_backward, product, rows_product
from lenetcli.kernels.memory import keep_freed_memory
from lenetcli.kernels.native.twins import twins
from lenetcli.kernels.nll import cross_entropy, cross_entropy_backward, nll_mean, nll_mean_backward
from lenetcli.kernels.norm import (
    batch_moments,
    batch_norm,
    batch_norm_backward,
    batch_norm_relu,
    batch_norm_relu_backward,
    by_moments,
    channel_norm,
    channel_norm_backward,
    channel_norm_relu,
    element_norm,
    group_norm,
    sample_norm_backward,
    track,
)
from lenetcli.kernels.pool import max_pool2d, max_pool2d_backward
from lenetcli.kernels.product import plus, times
from lenetcli.kernels.recurrent import (
    gru_walk,
    gru_walk_backward,
    lstm_walk,
    lstm_walk_backward,
    rnn_gates,
    rnn_gates_backward,
)
from lenetcli.kernels.resize import resample, resample_backward
from lenetcli.kernels.selection import relu, relu_backward
from lenetcli.kernels.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward
from lenetcli.kernels.update import adadelta, adagrad, adam, adamax, nadam, radam, rmsprop, rprop, sgd
from lenetcli.kernels.update import asgd as asgd  # of which there is no twin

__all__ = [
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "all_finite",
    "attention",
    "attention_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_moments",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_relu",
    "batch_norm_relu_backward",
    "by_moments",
    "channel_norm",
    "channel_norm_backward",
    "channel_norm_relu",
    "channel_sums",
    "conv2d",
    "conv2d_backward",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "conv_at_winners",
    "conv_relu_pool",
    "conv_relu_pool_backward",
    "crc32",
    "cross_entropy",
    "cross_entropy_backward",
    "curve",
    "curve_backward",
    "element_norm",
    "flatten",
    "group_norm",
    "gru_walk",
    "gru_walk_backward",
    "linear",
    "linear_backward",
    "linear_relu",
    "linear_relu_backward",
    "log_softmax",
    "log_softmax_backward",
    "lstm_walk",
    "lstm_walk_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "nadam",
    "nll_mean",
    "nll_mean_backward",
    "plus",
    "product",
    "radam",
    "relu",
    "relu_backward",
    "resample",
    "resample_backward",
    "rmsprop",
    "rnn_gates",
    "rnn_gates_backward",
    "rows_product",
    "rprop",
    "sample_norm_backward",
    "sgd",
    "softmax",
    "softmax_backward",
    "times",
    "track",
]

Twin = Literal["numpy", "native"]

SLOWER = "up to 5 times"  # than the native ones; measured, see docs/performance.md

_references: dict[str, Callable[..., Any]] = {name: globals()[name] for name in __all__}
_native = twins()
twin: Twin = "numpy"  # which twins run; read it as `dispatch.twin`


def use(wanted: Twin) -> None:
    """Chooses the twins that run from now on.

    Raises:
        ValueError: neither numpy nor native.
        ImportError: the native twins are not here; the message says why.
    """
    global twin
    if wanted not in ("numpy", "native"):
        raise ValueError(f"kernels are numpy or native, got {wanted!r}")
    if wanted == "native" and native.absent is not None:
        raise ImportError(f"{native.absent}; {native.remedy}")
    twin = wanted
    globals().update(_references | (_native if wanted == "native" else {}))
    if device.library is not None:
        on_device = _references | (cuda.twins() if hasattr(device.library, "RawModule") else {})
        globals().update({name: _routed(globals()[name], on_device[name]) for name in __all__})


def _routed(here: Callable[..., Any], there: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that takes arrays of a device, too; made only once one is in use."""

    def run(first: Any, *others: Any) -> Any:
        x = first[0] if type(first) is list and first else first
        return (here if type(x) is np.ndarray else there)(first, *others)

    return run


def slow_because() -> str:
    """Where NumPy's kernels run and nobody asked for them: how much slower, why, and what helps; else empty."""
    if native.absent is None or os.environ.get("LENET_KERNELS"):
        return ""
    return f"NumPy's kernels run, {SLOWER} slower: {native.absent}; {native.remedy}"


def description() -> str:
    """The twins in use, native ones with their instruction set: "numpy", "native v4"."""
    return twin if twin == "numpy" else f"{twin} {native.target()}"


@contextmanager
def force(wanted: Twin) -> Iterator[None]:
    """Runs a block with the twins of one kind."""
    before = twin
    use(wanted)
    try:
        yield
    finally:
        use(before)


def _choice() -> Twin:
    sets = [] if native.absent is not None else native.targets()
    wanted = wanted_kernels(tuple(sets))
    if wanted in sets:
        native.set_target(wanted)
        return "native"
    if wanted == "native" and native.absent is not None:
        raise ConfigError(f"LENET_KERNELS=native: {native.absent}; {native.remedy}")
    if wanted:
        return wanted  # type: ignore[return-value]  # one of the two, as checked
    return "numpy" if native.absent is not None else "native"


keep_freed_memory()
use(_choice())
_threads.begin(twin == "native")
device.watchers.append(lambda: use(twin))
