"""A stand-in for CuPy on machines without a GPU: arrays that live apart from NumPy's and refuse to be mixed with them.

Its arrays do what CuPy's do and no more: functions, methods and arguments that CuPy lacks (surface.json, read off CuPy
itself by make_surface.py) raise as they do there; so does every implicit conversion. `.get()` and `.item()` are the
only ways to the host, and each is counted, so that a test can say that nothing waited for the device.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.device import emulator

SURFACE = json.loads(Path(__file__).with_name("surface.json").read_text("utf-8"))
NUMBERS = (bool, int, float, complex, np.generic)
REDUCED = ("add", "multiply")  # ufuncs with reduce and accumulate
SCATTERED = ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")  # ufuncs with at
counts = {"get": 0, "item": 0}  # copies to the host, and waits for single numbers


class ndarray:  # CuPy's name
    """A device array."""

    __array_priority__ = 100

    def __init__(self, host: Any, dtype: Any = None) -> None:
        self.host = host if isinstance(host, np.ndarray) else np.empty(host, dtype)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        counts["get"] += 1
        if out is not None:
            out[...] = self.host
            return out
        return np.array(self.host, order=order)  # type: ignore[call-overload]

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        self.host[...] = arr

    def item(self) -> Any:
        counts["item"] += 1
        return self.host.item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.item()) if self.size == 1 else bool(self.host)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __repr__(self) -> str:
        return f"standin.{self.host!r}"

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Iterator[ndarray]:
        return (self[i] for i in range(len(self)))

    __hash__ = None  # type: ignore[assignment]

    # What it is

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    itemsize = property(lambda self: self.host.itemsize)
    nbytes = property(lambda self: self.host.nbytes)
    strides = property(lambda self: self.host.strides)
    T = property(lambda self: ndarray(self.host.T))
    mT = property(lambda self: ndarray(self.host.mT))  # its name
    flat = property(lambda self: _Flat(self))
    base = property(lambda self: _wrap(self.host.base))
    device = property(lambda self: types.SimpleNamespace(id=0))
    data = property(lambda self: types.SimpleNamespace(ptr=self.host.__array_interface__["data"][0]))

    @property
    def flags(self) -> Any:
        f = self.host.flags
        return types.SimpleNamespace(c_contiguous=f.c_contiguous, f_contiguous=f.f_contiguous, owndata=f.owndata)

    def __getitem__(self, key: Any) -> ndarray:
        return _wrap(self.host[_key(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.host[_key(key)] = _operand(value)

    # NumPy's functions

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if name not in SURFACE["ufuncs"]:
            return NotImplemented
        if name not in {"__call__": [name], "at": SCATTERED}.get(method, REDUCED):
            raise NotImplementedError(f"`cupy_{name}.{method}` is not supported yet")
        allowed = {"out", "dtype", "casting"} if method == "__call__" else {"axis", "dtype", "out", "keepdims"}
        if set(kwargs) - allowed:
            raise TypeError(f"Wrong arguments {sorted(set(kwargs) - allowed)}")
        given = [_operand(x) for x in inputs]
        out = kwargs.pop("out", None)
        if out is not None:
            if not all(isinstance(o, ndarray) for o in out):
                raise TypeError("output arrays must live on the device, too")
            kwargs["out"] = tuple(o.host for o in out)
        result = getattr(ufunc, method)(*given, **kwargs)
        return _wrap(result) if out is None else out[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = ".".join((*func.__module__.split(".")[1:], func.__name__)).removeprefix("lib.").removeprefix("_core.")
        if name not in SURFACE["functions"]:
            return NotImplemented
        arguments = SURFACE["functions"][name]
        if arguments is not None and name != "einsum":
            if extra := set(kwargs) - set(arguments):
                raise TypeError(f"{name}() got an unexpected keyword argument {sorted(extra)}")
            if len(args) > len(arguments) and name not in ("broadcast_arrays", "meshgrid"):
                raise TypeError(f"{name}() takes {len(arguments)} arguments, got {len(args)}")
        if name == "repeat" and any(isinstance(a, (ndarray, np.ndarray)) for a in args[1:]):
            raise ValueError("repeat: repeats must be an integer, a list or a tuple")
        if name.endswith("_like") and not kwargs.get("shape", True):
            del kwargs["shape"]  # CuPy takes () and 0 for "the example's"
        out = kwargs.get("out")
        if name == "broadcast_to":  # NumPy's result is read-only
            return ndarray(np.lib.stride_tricks.as_strided(*_strided(_inside(args[0]), args[1])))
        result = _wrap(func(*map(_inside, args), **{k: _inside(v) for k, v in kwargs.items()}))
        if name == "diagonal":  # likewise
            result.host.flags.writeable = True
        return result if out is None else out


def _method(name: str) -> Any:
    arguments = SURFACE["methods"][name]

    def call(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        if arguments is not None and (extra := set(kwargs) - set(arguments)):
            raise TypeError(f"{name}() got an unexpected keyword argument {sorted(extra)}")
        if name == "nonzero" and not self.ndim:
            raise ValueError("Calling nonzero on 0d arrays is not allowed.")
        if name == "repeat" and isinstance(args[0], (ndarray, np.ndarray)):
            raise ValueError("repeat: repeats must be an integer, a list or a tuple")
        if "casting" in kwargs and kwargs["casting"] is None:
            del kwargs["casting"]
        return _wrap(getattr(self.host, name)(*map(_inside, args), **{k: _inside(v) for k, v in kwargs.items()}))

    return call


for _name in SURFACE["methods"]:
    if _name not in ("item", "tolist", "dump", "dumps", "tobytes", "tofile"):
        setattr(ndarray, _name, _method(_name))

_OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}  # fmt: skip


def _operator(ufunc: np.ufunc, swapped: bool = False, in_place: bool = False) -> Any:
    def operate(self: ndarray, other: Any) -> Any:
        if in_place:
            return ufunc(self, other, out=(self,))
        return ufunc(other, self) if swapped else ufunc(self, other)

    return operate


for _name, _ufunc in _OPERATORS.items():
    setattr(ndarray, f"__{_name}__", _operator(_ufunc))
    setattr(ndarray, f"__r{_name}__", _operator(_ufunc, swapped=True))
    setattr(ndarray, f"__i{_name}__", _operator(_ufunc, in_place=True))
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_ufunc))
for _name, _unary in {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}.items():
    setattr(ndarray, f"__{_name}__", lambda self, f=_unary: f(self))


def _strided(x: np.ndarray, shape: Any) -> Any:
    """What makes a broadcast view that can be written to."""
    shown = np.broadcast_to(x, shape)
    return x, shown.shape, shown.strides


class _Flat:
    def __init__(self, array: ndarray) -> None:
        self.array = array

    def __getitem__(self, key: Any) -> ndarray:
        return _wrap(self.array.host.flat[_key(key)])


def _operand(x: Any) -> Any:
    """What a device function takes: device arrays and numbers."""
    if isinstance(x, ndarray):
        return x.host
    if isinstance(x, NUMBERS):
        return x
    raise TypeError(f"Unsupported type {type(x)}")


def _inside(x: Any) -> Any:
    """Arguments of functions, device arrays in lists and tuples, too; arrays of the host are refused."""
    if isinstance(x, ndarray):
        return x.host
    if isinstance(x, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return type(x)(map(_inside, x)) if type(x) in (list, tuple) else x


def _key(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(map(_key, key))
    if isinstance(key, np.ndarray):
        raise TypeError("an index in the host's memory: it would be copied to the device each time")
    return key.host if isinstance(key, ndarray) else key


def _wrap(x: Any) -> Any:
    if isinstance(x, (np.ndarray, np.generic)):
        return ndarray(np.asarray(x))
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(_wrap, x))
    return type(x)(map(_wrap, x)) if type(x) in (list, tuple) else x


def asarray(a: Any, dtype: Any = None, order: Any = None, **_: Any) -> ndarray:
    """Host memory (or a device array) on the device."""
    if isinstance(a, ndarray):
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    return ndarray(np.array(a, dtype, order=order))


def _made(name: str) -> Any:
    function = getattr(np, name)
    return lambda *args, **kwargs: _wrap(function(*map(_inside, args), **{k: _inside(v) for k, v in kwargs.items()}))


class _Nothing:
    """A context that does nothing, for streams and devices."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.id = 0

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self


def module(kernels: bool = False) -> types.ModuleType:
    """What stands for the package; with `kernels`, CUDA source can be compiled, too (by the emulator)."""
    found: Any = types.ModuleType("cupy")
    found.__version__ = SURFACE["cupy"]
    found.ndarray = ndarray
    found.asarray = found.array = found.ascontiguousarray = asarray
    for name in ("zeros", "ones", "empty", "full", "arange", "empty_like", "zeros_like"):
        setattr(found, name, _made(name))
    found.lib = types.SimpleNamespace(
        stride_tricks=types.SimpleNamespace(
            as_strided=lambda x, *args: ndarray(np.lib.stride_tricks.as_strided(x.host, *args))
        )
    )
    runtime = types.SimpleNamespace(
        getDeviceCount=lambda: 1,
        memGetInfo=lambda: (2**30, 2**34),
        getDeviceProperties=lambda _: {"name": b"stand-in"},
        runtimeGetVersion=lambda: 13000,
        driverGetVersion=lambda: 13000,
    )
    found.cuda = types.SimpleNamespace(
        runtime=runtime,
        Device=_Nothing,
        Stream=_Nothing,
        get_current_stream=_Nothing,
        alloc_pinned_memory=bytearray,
    )
    if kernels:
        found.RawModule = emulator.RawModule
    return found


@contextmanager
def installed(kernels: bool = False) -> Iterator[None]:
    """In a block, `import cupy` gives the stand-in."""
    from lenetcli.kernels import device

    before, loaded = sys.modules.get("cupy"), device.library
    sys.modules["cupy"] = module(kernels)
    device.use(None)
    try:
        yield
    finally:
        device.use(loaded)
        if before is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = before
