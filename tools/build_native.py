"""Builds the native kernels in place, into lenetcli/kernels/native, for work in the source tree without installing.

python tools/build_native.py [--targets all]

For this machine's instruction set, or for all, which the tests of each need.
Needs cmake, a C++17 compiler (GCC or Clang) and nanobind (`pip install nanobind cmake ninja`).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "lenetcli" / "kernels" / "native"


def build(name: str, prefix: Path, *options: str) -> None:
    """Configures and builds in build/NAME, and installs under the prefix."""
    place = ROOT / "build" / name
    configure = ["cmake", "-S", SOURCE, "-B", place, f"-DPython_EXECUTABLE={sys.executable}", *options]
    if shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    subprocess.run(configure, check=True)
    subprocess.run(["cmake", "--build", place, "--parallel", "2"], check=True)
    subprocess.run(["cmake", "--install", place, "--prefix", prefix], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--targets", default="native", help="native, all, or some of v4;v3;v2")
    build("native", ROOT, "-DCMAKE_BUILD_TYPE=Release", f"-DLENET_TARGETS={parser.parse_args().targets}")
