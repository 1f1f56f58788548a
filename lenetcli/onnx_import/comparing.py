"""Whether a model that was made of a file gives what the file gives, where something is installed that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.errors import CheckFailed
from lenetcli.nn.module import Module
from lenetcli.onnx_import.imported import Imported
from lenetcli.onnx_import.net import Array
from lenetcli.tensors.tensor import from_numpy

NEAR = 1e-4  # relative to the largest output
SAMPLES = 2
_SLOW = 1 << 24  # bytes of a file that ONNX's own reference, which is slow, is given


def difference(
    path: Path, found: Imported, model: Module, sample: Sequence[int] | None = None
) -> tuple[float | None, str]:
    """The greatest difference between outputs for random inputs, and by what; None, and why, where it is not known.

    Args:
        sample: sizes of one sample of the model's, where they are not the file's: [16, 1, 1] for [16].

    Raises:
        CheckFailed: it is more than rounding.
    """
    if found.in_training:
        return None, "it gives what the net gives in training; write it again after model.eval()"
    try:
        session, by = _session(path)
    except ImportError:
        return None, "neither onnxruntime nor onnx is installed"
    except Exception as error:  # whatever a runtime does not like
        return None, _said(error)
    if session is None:
        return None, by
    given = session.get_inputs()[0] if hasattr(session, "get_inputs") else None
    shape = tuple(found.model["input"])
    count = SAMPLES
    if given is not None and given.shape and isinstance(given.shape[0], int):
        count = given.shape[0]
    x = np.random.default_rng(0).standard_normal((count, *shape)).astype(np.float32)
    name = given.name if given is not None else session.input_names[0]
    kinds = {"tensor(float16)": np.float16, "tensor(double)": np.float64}
    fed = np.moveaxis(x, 1, -1) if found.turned else x
    try:
        outputs: list[Array] = session.run(None, {name: fed.astype(kinds.get(given.type if given else "", np.float32))})
    except Exception as error:
        return None, _said(error)
    with no_grad():
        own = model.eval()(from_numpy(x.reshape(count, *(sample or shape))))
    greatest = 0.0
    for i, (y, wanted) in enumerate(zip(own if isinstance(own, tuple) else (own,), outputs)):
        mine = y.array.transpose(found.outputs_axes[i] or range(y.array.ndim)).astype(np.float64)
        if mine.shape != wanted.shape:
            raise CheckFailed(f"{path}: output {i} has sizes {list(wanted.shape)} there, {list(mine.shape)} here")
        apart = float(np.abs(mine - wanted).max(initial=0))
        if not apart <= NEAR * max(1.0, float(np.abs(wanted).max(initial=0))) * (100 if _half(given) else 1):
            raise CheckFailed(f"{path}: output {i} differs by {apart:g} from what {by} gives: not imported")
        greatest = max(greatest, apart)
    return greatest, by


def _half(given: Any) -> bool:
    return given is not None and given.type == "tensor(float16)"


def _session(path: Path) -> tuple[Any, str]:
    try:
        import onnxruntime
    except ImportError:
        import onnx
        from onnx.reference import ReferenceEvaluator

        if path.stat().st_size > _SLOW:
            return None, "without onnxruntime a file of this size takes too long"
        return ReferenceEvaluator(onnx.load(str(path))), "onnx's reference"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), "onnxruntime"


def _said(error: Exception) -> str:
    return f"the runtime does not run it: {' '.join(str(error).split())[:120]}"
