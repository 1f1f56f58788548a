"""`lenet train --tensorboard`: what is wrong in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lenetcli import Trainer
from lenetcli.errors import ConfigError
from tests.cli.conftest import Lenet
from tests.train.small import train, write_config


def test_without_the_extra_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lenet: Lenet) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    done = lenet("train", "configs/mlp.yaml", "--tensorboard", "--out", "run")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: --tensorboard needs tensorboardX: python -m pip install 'lenet[tensorboard]'\n"
    assert not Path("run").exists()
    with pytest.raises(ConfigError, match="tensorboard"):
        Trainer("configs/mlp.yaml").fit(tensorboard=True)


def test_a_place_that_cannot_be_written_is_one_message(tmp_path: Path, lenet: Lenet) -> None:
    pytest.importorskip("tensorboardX")
    path = write_config(tmp_path)
    train(path, tmp_path / "run")
    (tmp_path / "run" / "tensorboard").write_text("in the way")
    done = lenet("train", "--resume", str(tmp_path / "run"), "train.epochs=4", "--tensorboard")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(f"error: cannot write to {tmp_path / 'run' / 'tensorboard'}: ")
