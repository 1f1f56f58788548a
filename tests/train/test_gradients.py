"""Batches whose gradients make one step together are as one batch of all their samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lenetcli import load
from tests.train.small import CONFIG, train


@pytest.mark.parametrize(
    "change",
    ["train.class_weights=[1, 5, 20]", "loss.ignore_index=1", "loss.reduction=sum"],
)
def test_accumulated_batches_are_as_one_batch(change: str, tmp_path: Path) -> None:
    config = tmp_path / "plain.yaml"
    text = CONFIG.replace("    - {type: BatchNorm1d}\n    - {type: Dropout, p: 0.3}\n", "").replace("Adam", "SGD")
    config.write_text(text)
    common = (change, "train.epochs=1", "optimizer.lr=0.5")
    assert train(config, tmp_path / "parts", *common, "train.accumulate=3") == 0
    assert train(config, tmp_path / "whole", *common, "train.batch_size=12") == 0
    a, b = (load(tmp_path / run / "checkpoints" / "000002" / "model.safetensors") for run in ("parts", "whole"))
    for name in a:
        np.testing.assert_allclose(a[name].numpy(), b[name].numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
