"""Runs tests of the native kernels under the address and undefined-behaviour sanitizers.

python tools/sanitize.py [PYTEST ARGUMENTS]

Builds the kernels with the sanitizers beside a copy of the package in build/sanitized and runs pytest there: without
arguments the tests of kernels, fusion and the ops and layers made of them. The tree's own module stays. Needs GCC
besides what build_native.py needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from build_native import ROOT, build

COPY = ROOT / "build" / "sanitized"
FLAGS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
WORDS = "kernels or fusion or conv or pool or relu or norm or linear or softmax or entropy"
TESTS = ["tests/kernels", "tests/nn", "tests/ops", "-k", WORDS]


def main() -> int:
    """Builds, copies and tests; gives pytest's exit code."""
    for name in ("lenetcli", "tests", "configs"):
        shutil.rmtree(COPY / name, ignore_errors=True)
        shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", COPY)
    build("native-sanitized", COPY, "-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_CXX_FLAGS={FLAGS}")
    library = subprocess.run(["g++", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": library.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps memory to the end
        "LENET_KERNELS": "native",
        "PYTHONPATH": os.pathsep.join([str(COPY), *sys.path[1:]]),
    }
    words = sys.argv[1:] or TESTS
    # -S: an editable installation would bring the tree's own package
    command = [sys.executable, "-S", "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=COPY, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
