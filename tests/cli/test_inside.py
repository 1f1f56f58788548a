"""`lenet inspect-params --inside`, and the same in the report."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Lenet
from tests.report.browser import check


def test_attention_and_gates_are_shown_written_and_told(tmp_path: Path, lenet: Lenet) -> None:
    picture = tmp_path / "x.png"
    told = lenet("inspect-params", "configs/attention.yaml", str(picture), "--inside", "--image", "3").out
    assert "encoder.0.0.self_attn MultiheadAttention: head 0, head 1, head 2, head 3; each 17 × 17" in told
    assert picture.read_bytes().startswith(b"\x89PNG")
    record = json.loads(lenet("inspect-params", "configs/sequence.yaml", "--inside", "--json").out)
    assert [(layer["layer"], len(layer["maps"]), len(layer["maps"][0])) for layer in record["layers"]] == [
        ("rows", 4, 8)
    ]
    assert "update gate z" in lenet("inspect-params", "configs/sequence.yaml", "--inside").out


def test_the_report_has_them(tmp_path: Path, lenet: Lenet) -> None:
    run = str(tmp_path / "run")
    lenet("train", "configs/sequence.yaml", "train.epochs=1", "--out", run, "--progress", "off")
    lenet("report", run, "-o", str(tmp_path / "r.html"))
    assert "reset gate r" in check((tmp_path / "r.html").read_text()).text


def test_what_is_refused(small_run: Path, lenet: Lenet) -> None:
    lenet("inspect-params", str(small_run), "--inside").assert_refused(2, "has no attention")
    lenet("inspect-params", "configs/sequence.yaml", "--inside", "--image", "99999").assert_refused(
        2, "numbered from 0"
    )
    lenet("inspect-params", "configs/sequence.yaml", "--image", "1").assert_refused(2, "goes with --inside")
    lenet("inspect-params", "configs/sequence.yaml", "x.jpg", "--inside").assert_refused(2, "ends in .png")
    weights = str(small_run / "model.safetensors")
    lenet("inspect-params", weights, "--inside").assert_refused(2, "holds weights without layers")
