"""Where the native kernels are not built, cannot be loaded, or are for other processors: NumPy's run, and say so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lenetcli.kernels import dispatch, native
from tests.conftest import ROOT

# What takes the place of the compiled module, and what is said of it.
STATES = {
    "not built": ("raise ModuleNotFoundError('no _native')", "are not built; install the C++ compiler GCC or Clang"),
    "not loadable": ("raise ImportError('wrong ELF class')", "cannot be loaded: wrong ELF class; install this package"),
    "for others": (
        "module.built = lambda: ['v4', 'v3']; module.targets = lambda: []",
        "are built for processors with v4 or v3, which this one lacks; install this package once more on this machine",
    ),
}
NAME = "lenetcli.kernels.native._native"
CODE = """
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

class Instead(MetaPathFinder, Loader):
    def find_spec(self, name, path, target=None):
        return ModuleSpec(name, self) if name == NAME else None

    def exec_module(self, module):
        STATE

sys.meta_path.insert(0, Instead())
from lenetcli.__main__ import main
main()
"""
TRAIN = ("train", str(ROOT / "configs/mlp.yaml"), "train.epochs=2", "train.limit_batches=3")


def run(state: str, place: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command where the module is in one of the states."""
    clean = {k: v for k, v in os.environ.items() if k != "LENET_KERNELS" and not k.endswith("_THREADS")}
    code = CODE.replace("NAME", repr(NAME)).replace("STATE", STATES[state][0])
    command = [sys.executable, "-c", code, *words]
    environment = {**clean, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), **environment}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("state", STATES)
def test_a_training_says_so_once(state: str, tmp_path: Path) -> None:
    done = run(state, tmp_path, *TRAIN)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "NumPy's kernels" in line]
    assert line.startswith(f"NumPy's kernels run, {dispatch.SLOWER} slower: the native kernels ")
    assert STATES[state][1] in line
    assert "kernels" not in done.stdout
    if state != "not built":
        return
    resumed = run(state, tmp_path, "train", "--resume", "runs/mlp/001", "train.epochs=3")
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("NumPy's kernels") == 1


def test_data_and_silence_stay_free_of_it_and_who_chose_knows(tmp_path: Path) -> None:
    for words, environment in (
        (("--progress", "json"), {}),
        (("--progress", "off"), {}),
        ((), {"LENET_KERNELS": "numpy"}),
    ):
        done = run("not built", tmp_path, *TRAIN, *words, **environment)
        assert done.returncode == 0, done.stderr
        assert "NumPy's kernels" not in done.stdout + done.stderr


@pytest.mark.parametrize("state", STATES)
def test_the_doctor_says_what_helps(state: str, tmp_path: Path) -> None:
    done = run(state, tmp_path, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = {line["what"]: line for line in json.loads(done.stdout)}
    assert not found["kernels"]["ok"]
    assert STATES[state][1] in f"{found['kernels']['found'].removeprefix('numpy: ')}; {found['kernels']['hint']}"
    assert found["threads"]["found"].startswith("1 of ")


def test_wanting_native_ones_says_why_there_are_none(tmp_path: Path) -> None:
    done = run("for others", tmp_path, *TRAIN, LENET_KERNELS="native")
    assert done.returncode != 0
    assert STATES["for others"][1] in done.stderr


@pytest.mark.skipif(native.absent is not None, reason=str(native.absent))
@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system does not tell the processor's features")
def test_the_sets_are_those_of_the_processor() -> None:
    from lenetcli.kernels.native import _native

    flags = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    needs = {"v4": {"avx512f", "avx512bw", "avx512vl"}, "v3": {"avx2", "fma", "bmi2"}, "v2": {"sse4_2"}, "plain": set()}
    assert _native.targets() == [name for name in _native.built() if needs[name] <= flags]
    assert native.target() in _native.targets()


@pytest.mark.skipif(native.absent is not None, reason=str(native.absent))
def test_the_kernels_tests_go_through_all_sets_of_this_processor() -> None:
    from lenetcli.kernels.native import _native

    built = _native.built()
    if built in (["v4"], ["v3"], ["v2"]):
        pytest.skip(f"only {built[0]} was built; for tests of all: -C cmake.define.LENET_TARGETS=all")
    assert built in (["v4", "v3", "v2"], ["plain"])
