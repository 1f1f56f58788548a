"""An image through a run's net as C, in ONNX Runtime and in the engine, in float32 and in integers: processor time.

    python benchmarks/as_c.py RUN

One image, one thread. Rounds take turns; of each the fastest counts. The C files are built with the compiler of this
machine (`CC`, cc, gcc or clang) and -O3.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.export.c_compiled import compiler
from lenetcli.export.c_file import c_source
from lenetcli.export.c_int8 import c_int8_source
from lenetcli.export.int8_onnx import qdq_graph
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import Written, to_bytes
from lenetcli.kernels import threads
from lenetcli.runs.integers import integers_of
from lenetcli.runs.open import load_run

ROUNDS, TIMES = 7, 300

DRIVER = """
#include <stdint.h>
#include <stdio.h>
#include <time.h>
void net_{call}(const {kind} *in, {kind} *out);
int main(void) {{
  static {kind} in[{inputs}], out[{outputs}];
  int seen = 0;
  for (int i = 0; i < {inputs}; i++) in[i] = ({kind})(i * 7919 % 256 - 128);
  const clock_t before = clock();
  for (int n = 0; n < {times}; n++) {{
    in[n % {inputs}] = ({kind})(n % 100);
    net_{call}(in, out);
    seen += out[0] > 0;
  }}
  printf("%.9g %d\\n", (double)(clock() - before) / CLOCKS_PER_SEC / {times}, seen);
  return 0;
}}
"""


def in_c(source: str, call: str, kind: str, inputs: int, outputs: int, place: Path) -> Callable[[], float]:
    """Seconds for a sample, of a program that is built once."""
    words = compiler()
    assert words is not None, "a C compiler is here"
    program = place / call
    text = DRIVER.format(call=call, kind=kind, inputs=inputs, outputs=outputs, times=TIMES)
    (place / f"{call}.c").write_text(source)
    (place / f"{call}_main.c").write_text(text)
    files = [place / f"{call}.c", place / f"{call}_main.c"]
    subprocess.run([*words, "-std=c99", "-O3", *files, "-o", program, "-lm"], check=True)
    return lambda: float(subprocess.run(program, capture_output=True, check=True).stdout.split()[0])


def in_onnxruntime(content: bytes, x: Any) -> Callable[[], float]:
    """Seconds for a sample."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return timed(lambda: session.run(None, {"input": x}))


def timed(work: Callable[[], Any]) -> Callable[[], float]:
    """Seconds for a call."""

    def measure() -> float:
        before = time.process_time()
        for _ in range(TIMES):
            work()
        return (time.process_time() - before) / TIMES

    return measure


def main() -> None:
    """As the module says."""
    run = Path(sys.argv[1])
    threads.set_num_threads(1)
    loaded = load_run(run)
    shape = tuple(loaded.config.model.input)
    x = np.random.default_rng(0).standard_normal((1, *shape), np.float32)
    graph, net = lower(loaded.model, shape, batch=1), integers_of(loaded)
    size, classes = x.size, int(np.prod(graph.output.shape[1:]))

    def engine() -> Any:
        with lenet.no_grad():
            return loaded.model(lenet.from_numpy(x))

    with tempfile.TemporaryDirectory() as where:
        place = Path(where)
        pieces = {
            "C, int8": in_c(c_int8_source(net, None, "net"), "predict_int8", "int8_t", size, classes, place),
            "C, float32": in_c(c_source(graph, None, "net"), "predict", "float", size, classes, place),
            "ONNX Runtime, int8": in_onnxruntime(to_bytes(qdq_graph(net, 18), Written(18, 1)), x),
            "ONNX Runtime, float32": in_onnxruntime(to_bytes(graph, Written(18, 1)), x),
            "the engine, float32": timed(engine),
        }
        found: dict[str, list[float]] = {name: [] for name in pieces}
        for _ in range(ROUNDS):
            for name, piece in pieces.items():
                found[name].append(piece())
    print("| one image, one thread | microseconds of processor time |\n|---|---:|")
    for name, seconds in found.items():
        print(f"| {name} | {min(seconds) * 1e6:.0f} |")


if __name__ == "__main__":
    main()
