"""A run's C files on a microcontroller: built for a Cortex-M, run in an emulator, held to the engine's outputs.

    python tools/board.py [RUN] [--images N]

Prints for int8 (Cortex-M3, no floating-point unit) and float32 (Cortex-M4 with one) what the net takes of flash and
RAM, the deepest stack, and the instructions executed for an image: QEMU counts instructions, no cycles. Without RUN a
small net is trained first. Debian's packages are gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm; where
they are missing it says so and ends with 0.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.data.dataset import gather
from lenetcli.export.c_file import c_source
from lenetcli.export.c_int8 import c_int8_source
from lenetcli.export.int8_run import run_bytes
from lenetcli.export.lowering import lower
from lenetcli.runs.integers import integers_of
from lenetcli.runs.open import Loaded, load_run

Array = Any
GCC, SIZE, LD, QEMU = "arm-none-eabi-gcc", "arm-none-eabi-size", "arm-none-eabi-ld", "qemu-system-arm"
LOOP = 1_000_000  # turns of two instructions, by which the emulator's clock is read as instructions
NEAR = 1e-5  # of float32 outputs, relative to the largest


@dataclass(frozen=True)
class Board:
    """A machine of QEMU's, and what the compiler has to know of it."""

    machine: str
    options: tuple[str, ...]


BOARDS = {
    "int8": Board("mps2-an385", ("-mcpu=cortex-m3",)),
    "float32": Board("mps2-an386", ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")),
}

LINKED = """
MEMORY { code (rx) : ORIGIN = 0, LENGTH = 4M  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 4M }
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > code
  .ARM.exidx : { *(.ARM.exidx*) } > code
  .data : { _data = .; *(.data*) _data_end = .; } > ram AT > code
  _data_from = LOADADDR(.data);
  .bss : { _bss = .; *(.bss*) *(COMMON) . = ALIGN(8); _bss_end = .; end = .; } > ram
  _top = ORIGIN(ram) + LENGTH(ram);
}
"""

MAIN = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
{declared}
static const {kind} inputs[{count}][{size}] = {{
{inputs}}};
static {kind} out[{outputs}];

extern uint32_t _data, _data_end, _data_from, _bss, _bss_end, _top;
extern void initialise_monitor_handles(void);
static volatile uint32_t *const timer = (volatile uint32_t *)0xE000E010;  /* SysTick: control, reload, value */
enum {{ PAINTED = 4096 }};

static uint32_t ticks(void (*f)(int), int i) {{
  timer[1] = 0xFFFFFF, timer[2] = 0, timer[0] = 5;
  const uint32_t before = timer[2];
  f(i);
  return (before - timer[2]) & 0xFFFFFF;
}}

static void turn(int i) {{ __asm volatile("1: subs %0, #1; bne 1b" : "+r"(i) : : "cc"); }}

/* Its own frame, so that what is painted is free. */
__attribute__((noinline)) static void predict(int i) {{ {call}(inputs[i], out); }}

__attribute__((noinline)) static uint32_t deepest(int paint) {{
  volatile uint32_t words[PAINTED];
  uint32_t free_ = 0;
  if (paint) for (int i = 0; i < PAINTED; i++) words[i] = 0xDEADBEEF;
  else while (free_ < PAINTED && words[free_] == 0xDEADBEEF) free_++;
  return 4 * (PAINTED - free_);
}}

int main(void) {{
  printf("%lu\\n", (unsigned long)ticks(turn, {loop}));
  for (int i = 0; i < {count}; i++) {{
    deepest(1);
    const uint32_t taken = ticks(predict, i), deep = deepest(0);
    printf("%lu %lu", (unsigned long)taken, (unsigned long)deep);
    for (int j = 0; j < {outputs}; j++) {{
      union {{ {kind} value; uint32_t bits; }} one = {{0}};
      one.value = out[j];
      printf(" %08lx", (unsigned long)one.bits);
    }}
    putchar('\\n');
  }}
  return 0;
}}

void started(void) {{
  for (uint32_t *from = &_data_from, *to = &_data; to < &_data_end;) *to++ = *from++;
  for (uint32_t *to = &_bss; to < &_bss_end;) *to++ = 0;
#ifdef __ARM_FP
  *(volatile uint32_t *)0xE000ED88 |= 0xF << 20;  /* the floating-point unit */
  __asm volatile("dsb\\n isb");
#endif
  initialise_monitor_handles();
  exit(main());
}}

void wrong(void) {{ exit(99); }}
void _init(void) {{}}
void _fini(void) {{}}
__attribute__((section(".vectors"), used)) static void *const vectors[16] = {{
    &_top, (void *)started, (void *)wrong, (void *)wrong, (void *)wrong, (void *)wrong, (void *)wrong}};
"""


@dataclass(frozen=True)
class Measured:
    """What a net takes there."""

    flash: int
    ram: int
    stack: int
    instructions: int
    outputs: Array  # (N, O), as 32 bits each


def measured(form: str, source: str, call: str, x: Array, outputs: int, place: Path) -> Measured:
    """Builds a C file with a program around it, and runs that on samples.

    Args:
        call: the function that takes them.
        x: (N, I), int8 or float32.
        outputs: how many numbers come out.
    """
    board, kind = BOARDS[form], "int8_t" if x.dtype == np.int8 else "float"
    rows = "".join(f"  {{{', '.join(map(_number, row))}}},\n" for row in x)
    declared = f"void {call}(const {kind} *in, {kind} *out);"
    words = {"declared": declared, "kind": kind, "call": call, "outputs": outputs, "inputs": rows}
    (place / "net.c").write_text(source)
    (place / "main.c").write_text(MAIN.format(**words, count=len(x), size=x.shape[1], loop=LOOP))
    (place / "board.ld").write_text(LINKED)
    common = [*board.options, "-mthumb", "-O2", "-ffunction-sections", "-fdata-sections", "-ffp-contract=off"]
    strict = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    _run([GCC, *common, *strict, "-c", "net.c", "-o", "net.o"], place)
    _run([LD, "-r", "--gc-sections", "-u", call, "net.o", "-o", "alone.o"], place)
    text, data, bss, *_ = map(int, _run([SIZE, "alone.o"], place).splitlines()[1].split()[:3])
    linked = ["--specs=rdimon.specs", "-nostartfiles", "-Wl,--gc-sections", "-T", "board.ld", "-lm"]
    _run([GCC, *common, "main.c", "net.o", "-o", "program.elf", *linked], place)
    emulator = [QEMU, "-M", board.machine, "-display", "none", "-monitor", "none", "-serial", "none"]
    emulator += ["-semihosting-config", "enable=on,target=native", "-icount", "shift=0", "-kernel", "program.elf"]
    (loop,), *said = [line.split() for line in _run(emulator, place).splitlines()]
    bits = np.array([[int(word, 16) for word in line[2:]] for line in said], np.uint32)
    ticks, stacks = zip(*((int(line[0]), int(line[1])) for line in said))
    instructions = round(float(np.mean(ticks)) * 2 * LOOP / int(loop))
    return Measured(text + data, data + bss, max(stacks), instructions, bits)


def compared(run: Path, count: int) -> None:
    """Both forms of a run's model, on test samples.

    Raises:
        SystemExit: the outputs differ from the engine's.
    """
    loaded = load_run(run)
    x = _samples(loaded, count)
    net = integers_of(loaded)
    graph = lower(loaded.model, tuple(loaded.config.model.input), batch=1)
    bytes_ = net.grids[net.graph.input.name].of(x)
    wanted = np.concatenate([y.reshape(len(x), -1) for y in run_bytes(net, bytes_)], 1)
    size = wanted.shape[1]
    with tempfile.TemporaryDirectory() as place:
        small = measured(
            "int8", c_int8_source(net, None, "net"), "net_predict_int8", bytes_.reshape(len(x), -1), size, Path(place)
        )
        large = measured(
            "float32", c_source(graph, None, "net"), "net_predict", x.reshape(len(x), -1), size, Path(place)
        )
    same = small.outputs.astype(np.uint8).view(np.int8).reshape(wanted.shape) == wanted
    real = _engine(loaded, x)
    apart = float(np.abs(large.outputs.view(np.float32) - real).max())
    print(f"{run}: {len(x)} test samples on QEMU's Cortex-M3 (int8) and Cortex-M4 (float32), gcc -O2\n")
    print("| | flash | RAM | stack | instructions for a sample | outputs |")
    print("|---|---:|---:|---:|---:|---|")
    for name, found, said in (
        ("int8", small, "the engine's integers" if same.all() else "NOT the engine's"),
        ("float32", large, f"within {apart:.0e} of the engine's"),
    ):
        print(f"| {name} | {found.flash:,} | {found.ram:,} | {found.stack:,} | {found.instructions:,} | {said} |")
    if not same.all() or not apart <= NEAR * max(1.0, float(np.abs(real).max())):
        sys.exit("the outputs differ from the engine's")


def _samples(loaded: Loaded, count: int) -> Array:
    data = loaded.split("test")
    places = np.unique(np.linspace(0, len(data) - 1, count).round().astype(np.int64))
    return np.ascontiguousarray(gather(data, places)[0])


def _engine(loaded: Loaded, x: Array) -> Array:
    from lenetcli.autograd.modes import no_grad
    from lenetcli.export.trace import flat
    from lenetcli.tensors.tensor import from_numpy

    with no_grad():
        parts = [t.numpy().reshape(len(x), -1) for _, t in flat("", loaded.model.eval()(from_numpy(x)))]
    return np.concatenate(parts, 1)


def _number(value: Any) -> str:
    return str(value) if isinstance(value, np.int8) else f"{value:.9g}"


def _run(command: list[str], place: Path) -> str:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} ends with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--images", type=int, default=8)
    given = parser.parse_args()
    missing = [name for name in (GCC, LD, SIZE, QEMU) if shutil.which(name) is None]
    if missing:
        print(f"{', '.join(missing)}: not here; nothing is run on a board")
        return
    if given.run is not None:
        compared(given.run, given.images)
        return
    from lenetcli.cli.training import start_run

    with tempfile.TemporaryDirectory() as place:
        config = str(Path(__file__).parents[1] / "configs" / "lenet.yaml")
        if start_run(config, ["train.epochs=1"], Path(place) / "digits", "off") == 0:
            compared(Path(place) / "digits", given.images)


if __name__ == "__main__":
    main()
