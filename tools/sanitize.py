"""Runs tests of the native kernels under the address and undefined-behaviour sanitizers.

python tools/sanitize.py [PYTEST ARGUMENTS]

Builds the kernels with the sanitizers beside a copy of the package in build/sanitized and runs pytest there: without
arguments all folders of tests, in about fifteen minutes, but for those that start other programs, MPI's and a browser,
which the sanitizers' library would be loaded into, too. The tree's own module stays. Needs GCC besides what
build_native.py needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from build_native import ROOT, build

COPY = ROOT / "build" / "sanitized"
FLAGS = "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
FOLDERS = "benchmarks", "configs", "docs", "lenetcli", "tests", "tools"
ELSEWHERE = "parallel", "torch_databases", "__pycache__"  # other programs; no tests
BROWSER = "tests/report/test_trace_html.py"  # all of it; elsewhere tests that start one are named so


def main() -> int:
    """Builds, copies and tests; gives pytest's exit code."""
    for name in FOLDERS:
        shutil.rmtree(COPY / name, ignore_errors=True)
        shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for file in (*ROOT.glob("*.md"), *ROOT.glob("*.toml"), *ROOT.glob("*.yml"), ROOT / "LICENSE"):
        shutil.copy(file, COPY)
    options = "-DCMAKE_BUILD_TYPE=None", f"-DCMAKE_CXX_FLAGS={FLAGS}", "-DLENET_TARGETS=all"
    build("native-sanitized", COPY, *options)
    # libstdc++, too: Python does not load it, and the sanitizer looks for it once, at the start
    libraries = [library("libasan.so"), library("libstdc++.so")]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps memory to the end
        "LENET_KERNELS": "native",
        "PYTHONPATH": os.pathsep.join([str(COPY), *sys.path[1:]]),
    }
    words = sys.argv[1:] or [*tests(), f"--ignore={BROWSER}", "-k", "not browser"]
    # -S: an editable installation would bring the tree's own package
    command = [sys.executable, "-S", "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(command, cwd=COPY, env=environment).returncode


def library(name: str) -> str:
    """Where the compiler's library of this name lies."""
    found = subprocess.run(["g++", f"-print-file-name={name}"], check=True, capture_output=True, text=True)
    return found.stdout.strip()


def tests() -> list[str]:
    """The folders of tests."""
    folders = (folder for folder in (ROOT / "tests").iterdir() if folder.is_dir() and folder.name not in ELSEWHERE)
    return sorted(str(folder.relative_to(ROOT)) for folder in folders)


if __name__ == "__main__":
    sys.exit(main())
