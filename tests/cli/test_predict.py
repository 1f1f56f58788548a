"""`lenet predict`: pictures in, classes out; and what `lenet eval` says beside the accuracy."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.data import Digits, pictures
from tests.cli.conftest import Lenet

DATA = Digits().test


def picture(path: Path, number: int, size: tuple[int, int] = (8, 8), mode: str = "L", **options: Any) -> Path:
    """A digit of the test split as a picture file."""
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.rint(DATA.images[number, 0] * (255 / 16)).astype(np.uint8)
    image = image_module.fromarray(pixels).resize(size[::-1], image_module.Resampling.NEAREST)
    image.convert(mode).save(path, **options)
    return path


def predictions(lenet: Lenet, *words: str) -> list[dict[str, Any]]:
    done = lenet("predict", "run", *words, "--json")
    assert (done.code, done.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def test_json_has_the_shape_of_the_contract(lenet: Lenet, run: Path, place: Path) -> None:
    picture(place / "digit.png", 0)
    (found,) = predictions(lenet, "digit.png")
    assert list(found) == ["file", "label", "probability", "top"]
    assert found["file"] == "digit.png"
    assert len(found["top"]) == 3
    assert found["top"][0] == {"label": found["label"], "probability": found["probability"]}
    shares = [entry["probability"] for entry in found["top"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.0001


def test_predictions_of_the_test_split_are_those_that_eval_counts(lenet: Lenet, run: Path, place: Path) -> None:
    np.save(place / "all.npy", (DATA.images / 16).astype(np.float32))
    found = predictions(lenet, "all.npy", "--top", "1")
    labels = np.array([int(p["label"]) for p in found])
    evaluated = json.loads(lenet("eval", "run", "--json").out)
    assert (labels == DATA.targets).mean() == pytest.approx(evaluated["accuracy"])
    assert [p["index"] for p in found] == list(range(len(DATA)))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_a_picture_of_any_size_and_mode_is_recognised(lenet: Lenet, run: Path, place: Path, mode: str) -> None:
    picture(place / "a.png", 1)
    picture(place / "b.png", 1, (120, 96), mode)
    picture(place / "c.jpg", 1, (64, 64), "L" if mode != "RGB" else mode)
    assert {p["label"] for p in predictions(lenet, "a.png", "b.png", "c.jpg")} == {str(DATA.targets[1])}


def test_dark_ink_on_paper_is_inverted_on_request(lenet: Lenet, run: Path, place: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    path = picture(place / "a.png", 1)
    image_module.eval(image_module.open(path), lambda v: 255 - v).save(place / "paper.png")
    light = predictions(lenet, "a.png")[0]
    dark = predictions(lenet, "paper.png", "--invert")[0]
    assert dark["label"] == light["label"]
    assert dark["probability"] == pytest.approx(light["probability"])


def test_stdin_and_directories_are_read(lenet: Lenet, run: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "more" / "deep").mkdir(parents=True)
    picture(place / "more" / "b.PNG", 2, format="PNG")
    picture(place / "more" / "deep" / "a.jpeg", 3)
    (place / "more" / "notes.txt").write_text("no picture")
    data = picture(place / "more" / "c.png", 4).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    found = predictions(lenet, "more", "-")
    assert [p["file"] for p in found] == ["more/b.PNG", "more/c.png", "more/deep/a.jpeg", "-"]
    assert found[1]["top"] == found[3]["top"]


def test_patterns_that_no_shell_has_filled_in_are(lenet: Lenet, run: Path, place: Path) -> None:
    (place / "more" / "deep").mkdir(parents=True)
    for name in ("more/b.png", "more/deep/a.png", "more/deep/[x].png"):
        picture(place / name, 2)
    assert [p["file"] for p in predictions(lenet, "more/*.png", "more/deep/[x].png")] == [
        "more/b.png",
        "more/deep/[x].png",
    ]
    assert [p["file"] for p in predictions(lenet, "**/[ab].png")] == ["more/b.png", "more/deep/a.png"]
    done = lenet("predict", "run", "*.gif", "more/*")
    assert (done.code, done.err) == (3, "error: *.gif: no file is so named\n")
    assert "more/b.png" in done.out


def test_what_cannot_be_read_is_told_and_the_rest_is_done(lenet: Lenet, run: Path, place: Path) -> None:
    whole = picture(place / "good.png", 0).read_bytes()
    (place / "cut.png").write_bytes(whole[: len(whole) // 2])
    (place / "text.png").write_text("no picture")
    (place / "empty").mkdir()
    np.save(place / "odd.npy", np.zeros((2, 2, 8, 8), np.float32))
    done = lenet("predict", "run", "cut.png", "text.png", "none.png", "empty", "odd.npy", "good.png", "--json")
    assert done.code == 3
    assert [p["file"] for p in json.loads(done.out)] == ["good.png"]
    lines = done.err.splitlines()
    assert len(lines) == 5
    assert all(line.startswith("error: ") for line in lines)
    for name in (
        "cut.png: damaged or truncated",
        "text.png: neither",
        "none.png",
        "empty: no pictures",
        "odd.npy: wanted",
    ):
        assert name in done.err


def test_nothing_readable_still_prints_sound_json_and_csv(lenet: Lenet, run: Path) -> None:
    assert lenet("predict", "run", "none.png", "--json").out == "[]\n"
    assert lenet("predict", "run", "none.png", "--csv").out.startswith("file,index,label,probability")
    assert lenet("predict", "run", "none.png").out == ""


def test_csv_has_a_line_for_each_picture(lenet: Lenet, run: Path, place: Path) -> None:
    picture(place / "a, b.png", 0)
    np.save(place / "two.npy", (DATA.images[:2] / 16).astype(np.float32))
    done = lenet("predict", "run", "a, b.png", "two.npy", "--csv", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == ["file", "index", "label", "probability", "label_2", "probability_2"]
    assert [(r["file"], r["index"]) for r in rows] == [("a, b.png", ""), ("two.npy", "0"), ("two.npy", "1")]
    assert rows[1]["label"] == str(DATA.targets[0])


def test_the_table_names_files_as_they_are(lenet: Lenet, run: Path, place: Path) -> None:
    picture(place / "[bold]x.png", 0)
    done = lenet("predict", "run", "[bold]x.png")
    assert "[bold]x.png" in done.out
    assert str(DATA.targets[0]) in done.out


def test_a_run_remembers_its_inputs_when_its_data_is_gone(lenet: Lenet, place: Path) -> None:
    rows = "\n".join(f"{i % 3},{','.join(str((i * j) % 7 * 30) for j in range(4))}" for i in range(30))
    (place / "d.csv").write_text(rows)
    lenet("train", "configs/mlp.yaml", "data={type: CSV, path: d.csv, shape: [1, 2, 2], scale: 0.00392157}",
          "model.input=[1, 2, 2]", "train.epochs=1", "--out", "run")  # fmt: skip
    (place / "d.csv").unlink()
    np.save(place / "x.npy", np.array([[0, 90], [120, 255]]))
    (found,) = predictions(lenet, "x.npy")
    assert found["label"] in set("0123456789")


def test_a_regression_gives_its_numbers(lenet: Lenet, place: Path) -> None:
    lenet("train", "configs/tutorial.yaml", "train.epochs=1", "--out", "run")
    np.save(place / "x.npy", np.zeros((32, 32), np.float32))
    (found,) = predictions(lenet, "x.npy")
    assert (found["label"], found["probability"], found["top"]) == (None, None, [])
    assert len(found["output"]) == 10
    assert lenet("predict", "run", "x.npy").code == 0
    assert lenet("predict", "run", "x.npy", "--csv").out.startswith("file,index,output\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["predict", "nowhere", "x.png"], 2, "not a run directory"),
        (["predict", "run"], 2, "FILE"),
        (["predict", "run", "x.npy", "--json", "--csv"], 2, "--json, --csv or --submission: one of them"),
        (["predict", "run", "-", "-"], 2, "only once"),
        (["predict", "run", "x.npy", "--top", "0"], 2, "top"),
    ],
)
def test_wrong_input_is_one_message_and_the_right_code(
    lenet: Lenet, run: Path, words: list[str], code: int, message: str
) -> None:
    lenet(*words).assert_refused(code, message)


@pytest.mark.parametrize("damage", ["{}", "a white of 400 digits"])
def test_damaged_inputs_of_a_run_are_refused(lenet: Lenet, run: Path, place: Path, damage: str) -> None:
    np.save(place / "x.npy", np.zeros((8, 8), np.float32))
    if damage != "{}":
        damage = json.dumps({**json.loads((run / "inputs.json").read_text()), "white": 10**400})
    (run / "inputs.json").write_text(damage)
    done = lenet("predict", "run", "x.npy")
    assert (done.code, done.out) == (3, "")
    assert "inputs.json: damaged" in done.err


def test_without_pillow_the_hint_says_how_to_get_it(
    lenet: Lenet, run: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(place / "a.png", 0)
    for name in [name for name in sys.modules if name == "PIL" or name.startswith("PIL.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    pictures._pillow.cache_clear()
    done = lenet("predict", "run", "a.png")
    assert done.code == 2
    assert "python -m pip install 'lenet[images]'" in done.err


def test_eval_tells_calibration_and_figures_of_every_class(lenet: Lenet, run: Path) -> None:
    found = json.loads(lenet("eval", "run", "--json").out)
    assert {"split", "loss", "accuracy", "count", "confusion"} <= found.keys()
    assert 0 <= found["calibration_error"] <= 1
    confusion = np.array(found["confusion"])
    assert [c["class"] for c in found["classes"]] == list("0123456789")
    for i, figures in enumerate(found["classes"]):
        assert figures["count"] == confusion[i].sum()
        assert figures["recall"] == pytest.approx(confusion[i, i] / confusion[i].sum())
        assert figures["precision"] == pytest.approx(confusion[i, i] / max(confusion[:, i].sum(), 1))
        if figures["precision"] + figures["recall"]:
            mean = 2 * figures["precision"] * figures["recall"] / (figures["precision"] + figures["recall"])
            assert figures["f1"] == pytest.approx(mean)
    assert "calibration error" in lenet("eval", "run").out
