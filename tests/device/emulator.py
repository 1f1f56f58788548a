"""CUDA source run on the CPU: compiled as C++, the threads of a block as threads that wait for each other.

What stands for `cupy.RawModule` in the stand-in, so that kernels are tested where there is no GPU. One block runs after
the other; a kernel without barriers runs its threads one after the other, too.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

COMPILER = shutil.which("g++")
PLACE = Path(tempfile.gettempdir()) / "lenet-emulated-kernels"

SHIM = """
#include <cmath>
#include <barrier>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>
struct Place { unsigned x, y, z; };
static thread_local Place threadIdx;
static Place blockIdx, blockDim, gridDim;
static std::unique_ptr<std::barrier<>> gate;
static char shuffled[1024][8];
static void __syncthreads() { if (gate) gate->arrive_and_wait(); }
template <class T> T __shfl_down_sync(unsigned, T v, int step) {
  std::memcpy(shuffled[threadIdx.x], &v, sizeof(T));
  __syncthreads();
  unsigned from = threadIdx.x % 32 + step < 32 ? threadIdx.x + step : threadIdx.x;
  T other;
  std::memcpy(&other, shuffled[from], sizeof(T));
  __syncthreads();
  return other;
}
#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)
"""

RUNNER = """
extern "C" void run_NAME(void** a, unsigned gx, unsigned gy, unsigned gz, unsigned threads) {
  gridDim = {gx, gy, gz};
  blockDim = {threads, 1, 1};
  auto blocks = [&](unsigned t) {
    threadIdx = {t, 0, 0};
    for (unsigned z = 0; z < gz; z++) for (unsigned y = 0; y < gy; y++) for (unsigned x = 0; x < gx; x++) {
      if (gate) gate->arrive_and_wait();
      if (t == 0 || !gate) blockIdx = {x, y, z};
      if (gate) gate->arrive_and_wait();
      NAME(CALL);
    }
  };
  if (TOGETHER) {
    gate = std::make_unique<std::barrier<>>(threads);
    std::vector<std::thread> all;
    for (unsigned t = 0; t < threads; t++) all.emplace_back(blocks, t);
    for (auto& one : all) one.join();
    gate.reset();
  } else
    for (unsigned t = 0; t < threads; t++) blocks(t);
}
"""


class RawModule:
    """A library of kernels."""

    def __init__(self, code: str, options: tuple[str, ...]) -> None:
        self.parameters = {
            name: [re.sub(r"\s*\b\w+$", "", p.strip()) for p in text.split(",")]
            for name, text in re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', code)
        }
        runners = ""
        for name, kinds in self.parameters.items():
            call = ", ".join(f"*({kind}*)a[{i}]" for i, kind in enumerate(kinds))
            body = code.split(f"void {name}(")[1].split('extern "C"')[0]
            together = "1" if "__syncthreads" in body or "warp_sum" in body else "0"
            runners += RUNNER.replace("NAME", name).replace("CALL", call).replace("TOGETHER", together)
        source = SHIM + code + runners
        flags = [o for o in options if o.startswith("-D")]
        PLACE.mkdir(exist_ok=True)
        name = hashlib.sha256((source + " ".join(flags)).encode()).hexdigest()[:24]
        built = PLACE / f"{name}.so"
        if not built.exists():
            text = PLACE / f"{name}.{id(self)}.cc"
            text.write_text(source, "utf-8")
            command = [COMPILER or "g++", "-std=c++20", "-O1", "-w", "-shared", "-fPIC", "-pthread", *flags, str(text)]
            subprocess.run([*command, "-o", str(text) + ".so"], check=True)
            Path(str(text) + ".so").replace(built)
            text.unlink()
        self.library = ctypes.CDLL(str(built))

    def get_function(self, name: str) -> Any:
        function, kinds = getattr(self.library, f"run_{name}"), self.parameters[name]

        def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
            assert len(arguments) == len(kinds), f"{name} takes {len(kinds)} arguments, got {len(arguments)}"
            kept = [_memory(value, kind) for value, kind in zip(arguments, kinds)]
            places = (ctypes.c_void_p * len(kept))(*(ctypes.addressof(k) for k in kept))
            function(places, *(*grid, 1, 1)[:3], block[0])

        return launch


def _memory(value: Any, kind: str) -> Any:
    """What an argument is passed as, the way CuPy passes it."""
    if value is None or hasattr(value, "host"):
        assert kind.endswith("*"), f"an array is passed as {kind}"
        if value is None:
            return ctypes.c_void_p(None)
        expected = {"float": np.float32, "double": np.float64, "uint8": np.uint8, "int": np.int32}
        word = kind.replace("const", "").strip(" *")
        assert value.dtype == expected.get(word, value.dtype), f"{value.dtype} is passed as {kind}"
        assert value.flags.c_contiguous or value.flags.f_contiguous or value.ndim > 2, "memory with gaps"
        return ctypes.c_void_p(value.data.ptr)
    if isinstance(value, np.ndarray):
        assert value.size == 1, "only one structure is passed by value"
        return (ctypes.c_char * value.nbytes).from_buffer(value)
    assert type(value) is {"Long": int, "double": float}[kind], f"{value!r} is passed as {kind}"
    return ctypes.c_longlong(value) if kind == "Long" else ctypes.c_double(value)
