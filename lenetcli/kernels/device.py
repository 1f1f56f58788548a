"""Where arrays live: NumPy's in the machine's memory, CuPy's on a GPU. The one place that knows CuPy.

Kernels and ops are written with NumPy's functions. Those dispatch on their arguments (`__array_ufunc__`,
`__array_function__`), so `np.exp(x)` of a CuPy array runs on the GPU; new arrays are made beside an example,
`np.arange(n, like=x)`, which is NumPy's own way to say where. CuPy is imported when a device is first asked for.
"""

from __future__ import annotations

import importlib
import inspect
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenetcli.errors import DeviceError
from lenetcli.kernels.layout import Array

HINT = "install CuPy for your CUDA version, such as: python -m pip install 'lenet[cuda]'"
library: Any = None  # the CuPy module, once a device was asked for
ARRAYS: tuple[Any, ...] = (np.ndarray,)  # what an array may be
watchers: list[Callable[[], None]] = []  # called when a device comes into use


def cupy() -> Any:
    """The CuPy module.

    Raises:
        DeviceError: it is not installed, finds no GPU, or the driver is too old for it.
    """
    if library is None:
        try:
            module = importlib.import_module("cupy")
        except ImportError as error:
            raise DeviceError(f"device cuda needs CuPy, which cannot be imported ({_line(error)}); {HINT}") from None
        try:
            count = module.cuda.runtime.getDeviceCount()
        except Exception as error:
            raise DeviceError(f"device cuda: {_line(error)}; {_advice(error)}") from None
        if count == 0:
            raise DeviceError("device cuda: the driver finds no GPU (see nvidia-smi); use device: cpu")
        use(module)
    return library


def use(module: Any) -> None:
    """Lets a module with CuPy's names be the one whose arrays live on the device; None means that there is none."""
    global library, ARRAYS
    library = module
    ARRAYS = (np.ndarray,) if module is None else (np.ndarray, module.ndarray)
    for watcher in watchers:
        watcher()


def _advice(error: Exception) -> str:
    text = str(error)
    if "InsufficientDriver" in text:
        return "there is no NVIDIA driver, or it is older than CuPy's CUDA: update it, or install an older CuPy"
    return "see nvidia-smi, or use device: cpu"


def _line(error: BaseException) -> str:
    """The first line of a message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def is_array(x: Any) -> bool:
    """True for arrays of either kind, False for numbers (NumPy's, too) and all else."""
    return isinstance(x, ARRAYS)


def on_device(x: Any) -> bool:
    """Whether an array lives on a GPU."""
    return library is not None and isinstance(x, library.ndarray)


def as_array(y: Any) -> Array:
    """A result as an array: NumPy gives scalars where no dimension is left."""
    return np.asarray(y) if isinstance(y, np.generic) else y


def to_host(x: Any) -> Array:
    """An array in the machine's memory, in the memory order it has; waits for the GPU's work on it."""
    if not on_device(x):
        return x
    axes, back = _order(x)  # so that a batch-last array stays one
    host: Array = x.transpose(axes).get(order="C").transpose(back)
    return host


def to_device(x: Any) -> Any:
    """An array on the current GPU, in the memory order it has."""
    if on_device(x):
        return x
    axes, back = _order(x)
    return cupy().asarray(np.asarray(x.transpose(axes), order="C")).transpose(back)


def put(x: Any, kind: str, index: int | None = None) -> Any:
    """An array on a device: "cpu", or "cuda" with the number of a GPU (None means the current one).

    Raises:
        DeviceError: the device is not there, or another GPU is in use.
    """
    if kind == "cpu":
        return to_host(x)
    if index is not None and index != current():
        hint = f"call lenet.cuda.set_device({index}) before the first"
        raise DeviceError(f"tensors live on one GPU at a time, now cuda:{current()}; {hint}")
    return to_device(x)


def current() -> int:
    """The number of the GPU that new arrays go to."""
    return int(cupy().cuda.Device().id)


def gpu_name(number: int) -> str:
    """The name of a GPU."""
    found = cupy().cuda.runtime.getDeviceProperties(number)["name"]
    return found.decode() if isinstance(found, bytes) else str(found)


def description() -> dict[str, Any]:
    """The GPU in use and what runs it, for a run's records."""
    module = cupy()
    runtime = module.cuda.runtime
    return {
        "name": gpu_name(current()),
        "cupy": module.__version__,
        "cuda": runtime.runtimeGetVersion(),
        "driver": runtime.driverGetVersion(),
    }


def kind(x: Any) -> str:
    """Where an array lives: "cpu" or "cuda"."""
    return "cuda" if on_device(x) else "cpu"


def index(x: Any) -> int | None:
    """The number of the GPU that an array lives on."""
    return int(x.device.id) if on_device(x) else None


def name(x: Any) -> str:
    """Where an array lives, as in "cpu" or "cuda:0"."""
    return f"cuda:{index(x)}" if on_device(x) else "cpu"


def mixed(call: Callable[..., Any], arrays: Sequence[Any], named: dict[str, Any], error: Exception) -> Exception:
    """What to raise where a call failed: that its arrays lie on several devices, where they do, else the error itself.

    Args:
        call: takes a context, then the arrays; their names are those of its arguments.
    """
    if library is None:
        return error
    names = [*inspect.signature(call).parameters][1:]
    found = [(n, x) for n, x in (*zip(names, arrays), *named.items()) if is_array(x)]
    places = {name(x) for _, x in found}
    if len(places) < 2:
        return error
    first = name(found[0][1])
    other, argument = next((name(x), n) for n, x in found if name(x) != first)
    where = " and ".join(sorted(places))
    return DeviceError(
        f"expected all tensors on the same device, got {where}: argument {argument} is on {other}; move it with .to()"
    )


def write(target: Any, values: Any) -> None:
    """target[...] = values, from either kind of memory."""
    target[...] = beside(target, values) if is_array(values) else values


def beside(example: Any, x: Any) -> Any:
    """An array where the example lives."""
    return to_device(x) if on_device(example) else to_host(x)


def address(x: Any) -> int:
    """Where the first element lies."""
    return int(x.data.ptr if on_device(x) else x.__array_interface__["data"][0])


def strided(x: Any, shape: Any, strides: Any, writeable: bool) -> Any:
    """A view of x's memory under another shape and other strides."""
    if on_device(x):
        return cupy().lib.stride_tricks.as_strided(x, shape, strides)
    return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=writeable and x.flags.writeable)


def shares_elements(x: Any) -> bool:
    """Whether an array must not be written into: it is expanded (NumPy marks such ones), or read-only."""
    if type(x) is not np.ndarray and on_device(x):
        return any(stride == 0 and size > 1 for stride, size in zip(x.strides, x.shape))
    return not x.flags.writeable


def _order(x: Any) -> tuple[list[int], list[int]]:
    """Axes as they lie in memory, the slowest first, and the way back."""
    axes = sorted(range(x.ndim), key=lambda i: (-abs(x.strides[i]), i))
    return axes, sorted(range(x.ndim), key=axes.__getitem__)


@dataclass
class Upload:
    """Arrays that are being copied to the device."""

    arrays: list[Any]
    pinned: list[Any]  # what is copied from must stay until it has been
    copied: Any  # an event of the copying stream

    def arrive(self) -> list[Any]:
        """The arrays: work that is asked for from now on waits for the copy, the program does not."""
        cupy().cuda.get_current_stream().wait_event(self.copied)
        return self.arrays


class Uploads:
    """Copies through memory that stays in place, on a stream of their own, beside the device's other work."""

    DEPTH = 3  # copies whose memory is kept

    def __init__(self) -> None:
        self.stream = cupy().cuda.Stream(non_blocking=True)
        self.under_way: deque[Upload] = deque()

    def send(self, arrays: Sequence[Array]) -> Upload:
        """Starts to copy arrays; what the device has been given before may use memory that the copy goes to."""
        module = cupy()
        if len(self.under_way) == self.DEPTH:
            self.under_way.popleft().copied.synchronize()
        self.stream.wait_event(module.cuda.get_current_stream().record())
        made, pinned = [], []
        with self.stream:
            for x in arrays:
                axes, back = _order(x)
                rows = x.transpose(axes)
                memory = module.cuda.alloc_pinned_memory(max(x.nbytes, 1))
                staged: Array = np.frombuffer(memory, x.dtype, x.size).reshape(rows.shape)
                np.copyto(staged, rows)
                target = module.empty(rows.shape, x.dtype)
                target.set(staged)
                made.append(target.transpose(back))
                pinned.append(memory)
            upload = Upload(made, pinned, self.stream.record())
        self.under_way.append(upload)
        return upload
