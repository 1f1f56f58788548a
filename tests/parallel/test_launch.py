"""How a process knows whether it trains with others, and what it says where it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lenetcli.errors import ConfigError
from lenetcli.parallel.launch import joined, launched
from tests.parallel.ranks import LENET, ROOT, ended, environment, needs_mpi, start, write_config


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (1, 0)),
        ({"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"}, (2, 1)),
        ({"PMI_SIZE": "3", "PMI_RANK": "0"}, (3, 0)),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, (1, 0)),
        ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "7"}, (8, 7)),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, (1, 0)),  # a batch script, outside srun
        ({"PMI_SIZE": "many", "PMI_RANK": "0"}, (1, 0)),
    ],
    ids=str,
)
def test_the_launchers_variables_tell(variables: dict[str, str], expected: tuple[int, int]) -> None:
    assert launched(variables) == expected


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process that has no MPI."""
    line = [sys.executable, "-c", f"import sys; sys.modules['mpi4py'] = None; {code}"]
    return subprocess.run(line, env={"PYTHONPATH": str(ROOT), **variables}, capture_output=True, text=True, timeout=60)


def test_a_missing_mpi_is_told_once_with_how_to_install_it(tmp_path: Path) -> None:
    code = f"sys.argv = ['lenet', 'train', {str(write_config(tmp_path))!r}]; from lenetcli.cli.app import main; main()"
    first, second = (python(code, PMI_SIZE="2", PMI_RANK=rank) for rank in "01")
    assert first.returncode == second.returncode == 2
    assert "2 processes were started to train together, but MPI cannot be used" in first.stderr
    assert "pip install 'lenet[mpi]'" in first.stderr
    assert second.stderr == ""


def test_a_process_alone_imports_no_mpi(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    out = str(tmp_path / "run")
    code = f"from lenetcli.cli.app import app; app(['train', {str(config)!r}, '--out', {out!r}], standalone_mode=False)"
    of_mpi = "name.startswith('mpi4py.') or name.endswith('parallel.communicator')"
    more = f"; assert not [name for name in sys.modules if {of_mpi}]"
    done = python(code + more, PMI_SIZE="1")
    assert done.returncode == 0, done.stderr


def test_a_launcher_of_another_mpi_is_found_out() -> None:
    pytest.importorskip("mpi4py")
    line = [sys.executable, "-c", "from lenetcli.parallel.launch import joined\nwith joined('auto'): pass"]
    variables = environment(SLURM_STEP_NUM_TASKS="4", SLURM_PROCID="0")
    done = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=60)
    assert "the launcher started 4 processes, but MPI sees 1" in done.stderr


def test_a_senseless_timeout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENET_MPI_TIMEOUT", "soon")
    pytest.importorskip("mpi4py")
    with (
        pytest.raises(ConfigError, match="LENET_MPI_TIMEOUT: wanted a number of seconds above 0, got 'soon'"),
        joined("mpi"),
    ):
        pass


@needs_mpi
def test_a_rank_may_start_late(tmp_path: Path) -> None:
    train = [*LENET, "train", str(write_config(tmp_path)), "--out", str(tmp_path / "run")]
    late = ["sh", "-c", 'sleep 2; exec "$@"', "sh", *train]
    code, printed, _ = ended(start(train, late))
    assert code == 0
    assert printed.count("run directory") == 1
