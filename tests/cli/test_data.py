"""lenet data list, get, check, show."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from lenetcli.data import catalogue
from lenetcli.data.catalogue import CATALOGUE, FILES
from tests.cli.conftest import Lenet
from tests.data.test_download import Site, site
from tests.data.test_own_pictures import make_folder
from tests.data.test_sources import idx, write_mnist

assert site, "a fixture"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """MNIST with small files of our own, on a mirror in this directory."""
    place = tmp_path / "mirror"
    write_mnist(place)
    md5 = {}
    for name in FILES:
        content = gzip.compress((place / name).read_bytes(), mtime=0)
        (place / f"{name}.gz").write_bytes(content)
        md5[f"{name}.gz"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(CATALOGUE, "MNIST", catalogue.Entry("MNIST", "data/mnist", "", md5, (f"{place.as_uri()}/",)))
    return place


def test_the_list_says_what_is_there(lenet: Lenet, own: Path) -> None:
    found = {row["name"]: row for row in json.loads(lenet("data", "list", "--json").out)["datasets"]}
    assert set(found) == {"Digits", *CATALOGUE}
    assert set(found["MNIST"]) == {"name", "about", "bytes", "root", "from", "licence", "present"}
    assert found["Digits"]["present"]
    assert not found["MNIST"]["present"]
    lenet("data", "get", "mnist")
    table = lenet("data", "list").out
    assert next(line for line in table.splitlines() if line.startswith("MNIST")).split()[1] == "yes"
    assert "CC BY-SA 4.0" in table


def test_the_list_fits_80_columns(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, lenet("data", "list").out.splitlines())) <= 80


def test_getting_checking_and_getting_again(lenet: Lenet, own: Path) -> None:
    first = lenet("data", "get", "MNIST", "--root", "here")
    assert (first.code, first.out.splitlines()[-1]) == (
        0,
        "MNIST: 4 files in here, 4 of them new, all with the right hash",
    )
    assert first.err.count("getting ") == 4
    again = lenet("data", "get", "MNIST", "--root", "here")
    assert again.out == "MNIST: 4 files in here, 0 of them new, all with the right hash\n"
    checked = lenet("data", "check", "MNIST", "--root", "here")
    assert checked.code == 0
    assert checked.out.count(": ok\n") == 4
    record = json.loads(lenet("data", "check", "MNIST", "--root", "here", "--json").out)
    assert record["ok"]
    assert [f["state"] for f in record["files"]] == ["ok"] * 4


def test_a_damaged_or_missing_file_is_named(lenet: Lenet, own: Path) -> None:
    lenet("data", "get", "MNIST")
    path = Path("data/mnist") / f"{FILES[2]}.gz"
    path.write_bytes(path.read_bytes() + b"x")
    (Path("data/mnist") / f"{FILES[0]}.gz").unlink()
    found = lenet("data", "check", "MNIST")
    assert found.code == 3
    assert f"{path}: wrong md5 " in found.err
    assert f"{FILES[0]}.gz: missing" in found.err
    assert found.out.count(": ok\n") == 2
    record = lenet("data", "check", "MNIST", "--json")
    assert (record.code, json.loads(record.out)["ok"]) == (3, False)
    assert lenet("data", "get", "MNIST").out.count("\n") == 3
    assert lenet("data", "check", "MNIST").code == 0


def test_unpacked_files_are_read(lenet: Lenet) -> None:
    write_mnist(Path("plain"))
    assert lenet("data", "check", "MNIST", "--root", "plain").out.count("ok, unpacked") == 4
    (Path("plain") / FILES[3]).write_bytes(idx(np.zeros(4)))
    found = lenet("data", "check", "MNIST", "--root", "plain")
    assert found.code == 3
    assert "5 images in t10k-images-idx3-ubyte, 4 labels" in found.err


def test_a_mirror_of_ones_own_and_one_that_is_down(lenet: Lenet, own: Path, site: Site) -> None:
    found = lenet("data", "get", "MNIST", "--mirror", site.at("broken"), "--mirror", own.as_uri())
    assert found.code == 0
    down = lenet("data", "get", "MNIST", "--root", "other", "--mirror", site.at("broken"))
    assert down.code == 3
    assert f"{site.at('broken')}: HTTP Error 500" in down.err


def test_every_sample_of_a_configuration_is_read(lenet: Lenet) -> None:
    found = lenet("data", "check", "configs/lenet.yaml")
    assert found.out == "configs/lenet.yaml: ok, 1,442 to train, 355 to test, samples [1, 32, 32], 10 classes\n"
    record = json.loads(lenet("data", "check", "configs/lenet.yaml", "data.resize=[16, 16]", "--json").out)
    assert (record["counts"], record["shape"]) == ({"train": 1442, "test": 355}, [1, 16, 16])


def test_a_directory_of_pictures_is_read_and_its_damage_named(lenet: Lenet) -> None:
    make_folder(Path("photos"), {"cat": 6, "dog": 6})
    assert "samples [3, 64, 64], 2 classes" in lenet("data", "check", "photos").out
    (Path("photos") / "dog" / "004.png").write_bytes(b"no picture")
    found = lenet("data", "check", "photos")
    assert found.code == 3
    assert "004.png: damaged or truncated picture" in found.err
    assert "cat" in lenet("data", "show", "photos", "--count", "2").out


def test_the_sheet_shows_a_picture_of_every_class(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = lenet("data", "show", "digits", "--count", "10", "--split", "test").out
    assert max(map(len, shown.splitlines())) <= 60
    assert "".join(shown.split())[-2:].isdigit()
    assert [word for word in shown.split() if word.isdigit()] == [str(i) for i in range(10)]
    assert "█" in shown


def test_the_sheet_in_colours_has_two_pixels_a_character() -> None:
    import io

    from rich.console import Console

    from lenetcli.inspection.data.contact_sheet import Sheet
    from lenetcli.report.data.contact_sheet import ContactSheet

    pictures = np.zeros((1, 3, 2, 3), np.uint8)
    pictures[0, 0, 0], pictures[0, 1, 1], pictures[0, 2, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=40)
    console.print(ContactSheet(Sheet(pictures, ("a\x1b[31mb",))))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    first, second, name = shown.splitlines()[:3]
    assert "38;2;255;0;0;48;2;0;0;0m▀" in first
    assert "38;2;0;0;0;48;2;0;255;0m▀" in first
    assert "38;2;0;0;255;48;2;0;0;0m▀" in second
    assert "\x1b[31m" not in name


def test_names_in_the_png_file_lose_accents_that_its_font_has_not() -> None:
    pytest.importorskip("PIL")
    from lenetcli.inspection.data.contact_sheet import Sheet
    from lenetcli.report.data.contact_sheet import png_sheet

    pictures = np.zeros((1, 8, 8, 3), np.uint8)
    assert png_sheet(Sheet(pictures, ("élan",))) == png_sheet(Sheet(pictures, ("elan",)))


def test_the_sheet_as_a_png_file(lenet: Lenet) -> None:
    pillow = pytest.importorskip("PIL.Image")
    assert lenet("data", "show", "configs/lenet.yaml", "--count", "20", "--png", "sheet.png").out == "sheet.png\n"
    with pillow.open("sheet.png") as image:
        assert image.size == (10 * (96 + 6) + 6, 2 * (96 + 14 + 6) + 6)


def test_augmentation_can_be_seen(lenet: Lenet) -> None:
    def shown(*words: str) -> str:
        found = lenet("data", "show", "configs/lenet.yaml", "data.augment={rotate: 30, shift: 4}", *words)
        assert found.code == 0
        return found.out

    assert (
        shown() != shown("--augmented") == shown("--augmented", "--epoch", "1") != shown("--augmented", "--epoch", "2")
    )
    none = lenet("data", "show", "configs/lenet.yaml", "--augmented")
    assert (none.code, none.err) == (2, "error: --augmented: configs/lenet.yaml has no augmentation (data.augment)\n")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("get", "cifar"), 2, "no data set 'cifar' to get; there are MNIST"),
        (("check", "none.yaml"), 2, "none.yaml: no such file"),
        (("show", "none"), 2, "no data set 'none'"),
        (("show", "mnist"), 3, "train-images-idx3-ubyte.gz not found"),
        (("check", "mnist"), 3, "train-images-idx3-ubyte.gz: missing"),
        (("show", "digits", "data.resize=[9, 9]"), 2, "it takes no changes"),
        (("show", "configs/lenet.yaml", "--root", "x"), 2, "write data.root=x"),
        (("show", "configs/lenet.yaml", "data.augment={flop: true}"), 2, "did you mean flip?"),
        (("show", "configs/lenet.yaml", "data.augment={rotate: 200}", "--augmented"), 2, "wanted 0 to 180, got 200"),
        (("get", "MNIST", "--root", "configs/lenet.yaml"), 3, "configs/lenet.yaml: not a directory"),
        (("show", "configs"), 3, "no folders in it|no pictures in it"),
    ],
)
def test_what_cannot_be_is_said_in_one_message(words: tuple[str, ...], code: int, message: str, lenet: Lenet) -> None:
    import re

    found = lenet("data", *words)
    assert (found.code, found.out) == (code, "")
    assert re.search(message, found.err)


def test_a_killed_training_with_augmentation_is_continued_to_the_bit(lenet: Lenet) -> None:
    changes = ("train.epochs=2", "data.augment={flip: true, rotate: 10, noise: 0.1}")
    found = lenet("verify-resume", "configs/mlp.yaml", *changes, "--kills", "2", "--seed", "1")
    assert found.code == 0
    assert "resume is exact" in found.out


def test_a_training_on_folders_of_pictures(lenet: Lenet) -> None:
    make_folder(Path("photos"), {"cat": 12, "dog": 12})
    Path("net.yaml").write_text(
        "model: {input: [3, 6, 8], layers: [{type: Flatten}, {type: Linear, out_features: 2}]}\n"
        "data: {type: ImageFolder, root: photos, augment: {flip: true, crop: 1}}\n"
        "loss: {type: CrossEntropyLoss}\noptimizer: {type: Adam, lr: 0.05}\ntrain: {epochs: 3, batch_size: 4}\n"
    )
    found = lenet("train", "net.yaml", "--out", "run", "--progress", "off")
    assert (found.code, found.err) == (0, "")
    assert json.loads(lenet("eval", "run", "--json").out)["accuracy"] > 0.7
    (Path("photos") / "dog" / "002.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    broken = lenet("train", "net.yaml", "--out", "other", "--progress", "off")
    assert broken.code == 3
    assert "002.png: damaged or truncated picture" in broken.err
