"""`lenet export RUN -o NAME.html`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet


def test_a_run_becomes_a_page_of_one_file(lenet: Lenet, run: Path) -> None:
    done = lenet("export", "run", "-o", "net.html", "--json")
    record = json.loads(done.out)
    assert record["format"] == "html"
    assert ("difference" in record) == (shutil.which("node") is not None)
    assert record.get("difference", 0) < 1e-5
    text = Path("net.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert "default-src 'none'" in text
    assert record["bytes"] == len(text.encode())
    assert lenet("export", "run", "-o", "net.html", "--batch", "3").code == 2


def test_lenet_with_its_weights_and_samples_is_small_enough_to_be_handed_out(lenet: Lenet, place: Path) -> None:
    lenet("train", "configs/lenet.yaml", "train.epochs=1", "--progress", "off", "--out", "digits")
    assert lenet("export", "digits", "-o", "net.html").code == 0
    size = Path("net.html").stat().st_size
    assert 500_000 < size < 560_000  # with 40 samples of 28 x 28 there are 40,000 more


def test_without_node_it_is_written_untried(lenet: Lenet, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenetcli.export.html_file.tried.shutil.which", lambda name: None)
    assert "; not tried: no Node here" in lenet("export", "run", "-o", "net.html").out


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here")
def test_nothing_is_written_that_gives_other_numbers(lenet: Lenet, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lenetcli.export.html_file import tried

    right = tried.engine()
    monkeypatch.setattr(tried, "engine", lambda: right.replace("x > 0 || x !== x ? x : 0", "x"))
    done = lenet("export", "run", "-o", "net.html")
    assert done.code != 0
    assert "differ from the engine's" in done.err
    assert not Path("net.html").exists()


def test_a_net_that_cannot_go_is_named(lenet: Lenet, place: Path) -> None:
    lenet("train", "configs/sequence.yaml", "train.epochs=1", "--progress", "off", "--out", "rows")
    done = lenet("export", "rows", "-o", "net.html")
    assert done.code == 2
    assert "rows: GRU: has no step there; a page cannot be made" in done.err
    assert not Path("net.html").exists()


def test_a_run_whose_data_is_gone_has_a_page_without_samples(lenet: Lenet, place: Path) -> None:
    from PIL import Image

    for split in ("train", "test"):
        for i in range(6):
            folder = place / "own" / split / ("red", "blue")[i % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (9, 8), ((200, 0, i), (0, i, 200))[i % 2]).save(folder / f"{i}.png")
    Path("own.yaml").write_text(
        "version: 1\nname: own\nmodel:\n  input: [3, 8, 8]\n  layers:\n    - {type: Flatten}\n"
        "    - {type: Linear, out_features: 2}\ndata: {type: ImageFolder, root: own, resize: [8, 8]}\n"
        "loss: {type: CrossEntropyLoss}\noptimizer: {type: SGD, lr: 0.01}\ntrain: {epochs: 1, batch_size: 2}\n"
    )
    done = lenet("train", "own.yaml", "--progress", "off", "--out", "colours")
    assert done.code == 0, done.err
    assert lenet("export", "colours", "-o", "with.html").err == ""
    shutil.rmtree(place / "own")
    done = lenet("export", "colours", "-o", "without.html")
    assert (done.code, "note: without test samples: " in done.err) == (0, True)
    text = Path("without.html").read_text("utf-8")
    assert '"samples":null' in text
    assert '"classes":["blue","red"]' in text
    for name in ("net.py", "net.c"):
        assert lenet("export", "colours", "-o", name).code == 0
