"""Builds the native kernels in place, into lenetcli/kernels/native, for work in the source tree without installing.

python tools/build_native.py [--sanitize]

Needs cmake, a C++17 compiler (GCC or Clang) and nanobind (`pip install nanobind cmake ninja`). `--sanitize` builds with
the address and undefined-behaviour sanitizers; run Python with their library preloaded then, as the last line says.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "lenetcli" / "kernels" / "native"


def main() -> None:
    """Configures, builds and installs into the source tree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sanitize", action="store_true")
    arguments = parser.parse_args()
    build = ROOT / "build" / ("native-sanitized" if arguments.sanitize else "native")
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS="]
    if arguments.sanitize:  # with little optimisation: the sanitizers make the unrolled kernels slow to compile
        flags = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
        options = ["-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_CXX_FLAGS={flags}"]
    configure = ["cmake", "-S", SOURCE, "-B", build, f"-DPython_EXECUTABLE={sys.executable}", *options]
    if shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    subprocess.run(configure, check=True)
    subprocess.run(["cmake", "--build", build, "--parallel", "2"], check=True)
    subprocess.run(["cmake", "--install", build, "--prefix", ROOT], check=True)
    if arguments.sanitize:
        print(
            "run with: LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 python -m pytest ..."
        )


if __name__ == "__main__":
    main()
