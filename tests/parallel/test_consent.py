"""Ranks import what the user of rank 0 has agreed to, also where their home is another one."""

from __future__ import annotations

from pathlib import Path

from tests.parallel.ranks import CONFIG, LENET, ended, needs_mpi, start, write_config

OWN = "from lenetcli import nn\nprint('IMPORTED')\nclass Net(nn.ReLU):\n    pass\n"


@needs_mpi
def test_ranks_take_over_consent(tmp_path: Path) -> None:
    config = write_config(tmp_path, CONFIG.replace("{type: ReLU}", "{type: 'own.py:Net'}"))
    (tmp_path / "own.py").write_text(OWN)
    homes = [["env", f"XDG_CONFIG_HOME={tmp_path / name}", *LENET] for name in ("one", "other")]
    train = ["train", str(config), "--out", str(tmp_path / "run")]
    resume = ["train", "--resume", str(tmp_path / "run")]
    code, out, err = ended(start(*([*home, *train] for home in homes)))
    assert (code, out.count("IMPORTED"), err.count("sha256")) == (0, 2, 1), err
    assert not (tmp_path / "other" / "lenet").exists()
    code, out, err = ended(
        start(*([*home, *resume, "train.epochs=3"] for home in homes[::-1]))
    )  # rank 0's is the other
    assert (code, "--allow-code" in err) == (2, True)
    code, _, err = ended(start(*([*home, *resume, "train.epochs=3", "--allow-code"] for home in homes[::-1])))
    assert code == 0, err
