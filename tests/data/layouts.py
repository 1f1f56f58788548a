"""Small data sets in the layouts in which public ones come, for the tests that take them through all commands."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.display.png import png

CLASSES = 3


def pictures(count: int, *shape: int) -> np.ndarray:
    """Pictures whose brightness tells the class, which is the number modulo CLASSES."""
    rng = np.random.default_rng(count)
    labels = np.arange(count) % CLASSES
    return (rng.random((count, *shape)) * 60 + 90 * labels.reshape(-1, *[1] * len(shape))).astype(np.uint8)


def labels(count: int) -> np.ndarray:
    """Their classes."""
    return np.arange(count) % CLASSES


def idx(array: np.ndarray, kind: int = 0x08) -> bytes:
    """An array as an IDX file: of bytes, or (0x0C) of whole numbers of four bytes."""
    sizes = b"".join(int(s).to_bytes(4, "big") for s in array.shape)
    head = bytes([0, 0, kind, array.ndim])
    return head + sizes + array.astype(np.uint8 if kind == 0x08 else ">i4").tobytes()


def folder(place: Path, splits: dict[str, int], names: tuple[str, ...] = ("ant", "bee", "cat")) -> Path:
    """A folder of pictures for each class, in a folder for each split ("" is none)."""
    for split, count in splits.items():
        for i, (picture, label) in enumerate(zip(pictures(count, 18, 22, 3), labels(count))):
            path = place / split / names[label] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(picture))
    return place


def _emnist(place: Path) -> str:
    for split, count in (("train", 30), ("test", 9)):
        files = pictures(count, 28, 28).transpose(0, 2, 1), labels(count) + 1
        for kind, array in zip(("images-idx3", "labels-idx1"), files):
            (place / f"emnist-letters-{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    (place / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
    return "."


def _qmnist(place: Path) -> str:
    for split, count in (("train", 30), ("test", 9)):
        table = np.zeros((count, 8), np.int64)
        table[:, 0] = labels(count)
        (place / f"qmnist-{split}-images-idx3-ubyte").write_bytes(idx(pictures(count, 28, 28)))
        (place / f"qmnist-{split}-labels-idx2-int").write_bytes(idx(table, 0x0C))
    return "."


def _k49(place: Path) -> str:
    for split, count in (("train", 30), ("test", 9)):
        np.savez_compressed(place / f"k49-{split}-imgs.npz", pictures(count, 28, 28))
        np.savez_compressed(place / f"k49-{split}-labels.npz", labels(count).astype(np.uint8))
    return "."


def _medmnist(place: Path, shape: tuple[int, ...] = (28, 28, 3)) -> str:
    arrays: dict[str, Any] = {}
    for split, count in (("train", 30), ("val", 9), ("test", 9)):
        arrays |= {f"{split}_images": pictures(count, *shape), f"{split}_labels": labels(count)[:, None].astype("u1")}
    np.savez(place / "bloodmnist.npz", **arrays)
    return "bloodmnist.npz"


def _stl10(place: Path) -> str:
    (place / "stl10_binary").mkdir()
    for split, count in (("train", 12), ("test", 6)):
        (place / "stl10_binary" / f"{split}_X.bin").write_bytes(pictures(count, 3, 96, 96).tobytes())
        (place / "stl10_binary" / f"{split}_y.bin").write_bytes((labels(count) + 1).astype(np.uint8).tobytes())
    return "."


def table(path: Path, count: int, mark: str = ",", names: tuple[str, ...] | None = None, labelled: bool = True) -> None:
    """A CSV file of a label and 28 x 28 pixels on each line."""
    head = [*(["label"] if labelled else []), *(f"pixel{i}" for i in range(784))]
    rows = [head]
    for picture, label in zip(pictures(count, 784), labels(count)):
        said = [str(label) if names is None else names[label]] if labelled else []
        rows.append([*said, *map(str, picture)])
    path.write_text("\n".join(mark.join(row) for row in rows) + "\n")


def _sign_language(place: Path) -> str:
    table(place / "sign_mnist_train.csv", 30)
    table(place / "sign_mnist_test.csv", 9)
    return "sign_mnist_train.csv"


def _kaggle_digits(place: Path) -> str:
    table(place / "train.csv", 30)
    table(place / "test.csv", 9, labelled=False)
    return "train.csv"


def _texts(place: Path) -> str:
    table(place / "clothes.csv", 30, ";", ("shirt", "shoe", "bag"))
    return "clothes.csv"


def _listed(place: Path) -> str:
    (place / "images").mkdir()
    rows = ["id,breed"]
    for i, (picture, label) in enumerate(zip(pictures(30, 20, 20, 3), labels(30))):
        (place / "images" / f"x{i}.png").write_bytes(png(picture))
        rows.append(f"x{i},{('pug', 'collie', 'corgi')[label]}")
    (place / "labels.csv").write_text("\n".join(rows) + "\n")
    return "labels.csv"


def _hub(place: Path) -> str:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    for split, count in (("train", 30), ("validation", 9), ("test", 9)):
        cells = [{"bytes": png(p), "path": f"{i}.png"} for i, p in enumerate(pictures(count, 20, 20, 3))]
        words = [("low", "mid", "high")[label] for label in labels(count)]
        (place / "default" / split).mkdir(parents=True)
        parquet.write_table(arrow.table({"image": cells, "label": words}), place / "default" / split / "0000.parquet")
    return "."


def _three_folders(place: Path) -> str:
    folder(place / "photos", {"train": 30, "val": 9, "Test": 9})
    return "photos"


def _hidden_test(place: Path) -> str:
    folder(place / "photos", {"train": 30})
    (place / "photos" / "test").mkdir()
    for i, picture in enumerate(pictures(4, 18, 22, 3)):
        (place / "photos" / "test" / f"{i}.png").write_bytes(png(picture))
    return "photos"


def _hidden_labels(place: Path) -> str:
    arrays = {"x_train": pictures(30, 28, 28), "y_train": labels(30), "x_val": pictures(9, 28, 28), "y_val": labels(9)}
    np.savez(place / "own.npz", **arrays, x_test=pictures(9, 28, 28), y_test=np.full(9, -1))
    return "own.npz"


LAYOUTS: dict[str, tuple[Callable[[Path], str], tuple[int, int, int | None], str]] = {
    # name: what makes it and says what to give `init`; samples to train on, to test on, for validation; a class's name
    "EMNIST letters": (_emnist, (30, 9, None), "B/b"),
    "QMNIST": (_qmnist, (30, 9, None), "2"),
    "Kuzushiji-49": (_k49, (30, 9, None), "48"),
    "MedMNIST": (_medmnist, (30, 9, 9), "2"),
    "STL-10": (_stl10, (12, 6, None), "bird"),
    "Sign Language MNIST": (_sign_language, (30, 9, None), "2"),
    "digits of a competition": (_kaggle_digits, (24, 6, None), "2"),
    "texts as labels, semicolons": (_texts, (24, 6, None), "shoe"),
    "a table of paths and labels": (_listed, (24, 6, None), "collie"),
    "a hub's folders, texts as labels": (_hub, (30, 9, 9), "mid"),
    "train, val and test": (_three_folders, (30, 9, 9), "bee"),
    "a test folder without classes": (_hidden_test, (24, 6, None), "bee"),
    "labels hidden as -1": (_hidden_labels, (30, 9, None), "2"),
}
