"""Every source, walked once; and each kind of damaged file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli.data as data
from lenetcli.data.catalogue import FILES, check, get
from lenetcli.data.idx import IMAGES, LABELS, read_idx
from lenetcli.errors import ConfigError, DataError, DownloadError
from tests.data.layouts import LAYOUTS
from tests.data.test_own_pictures import make_cifar, make_parquet, make_split_folder


def idx(array: np.ndarray) -> bytes:
    """An array as an IDX file."""
    sizes = b"".join(int(s).to_bytes(4, "big") for s in array.shape)
    return (0x00000800 + array.ndim).to_bytes(4, "big") + sizes + array.astype(np.uint8).tobytes()


def write_mnist(root: Path) -> None:
    """Four small IDX files."""
    root.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for name, array in zip(
        FILES,
        (rng.integers(0, 255, (12, 28, 28)), np.arange(12) % 10, rng.integers(0, 255, (5, 28, 28)), np.arange(5)),
    ):
        (root / name).write_bytes(idx(array))


def npz(path: Path, **changes: Any) -> Path:
    """A sound NPZ file, apart from the changes (None leaves an array out)."""
    arrays = {
        "x_train": np.ones((4, 3, 8, 8), np.uint8),
        "y_train": np.arange(4),
        "x_test": np.ones((2, 3, 8, 8), np.uint8),
        "y_test": np.arange(2),
    } | changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def make_csv(path: Path, lines: int = 10) -> Path:
    path.write_text("label,p0,p1,p2,p3\n" + "".join(f"{i % 2},{i},0,1,2\n" for i in range(lines)))
    return path


def idx_source(kind: type[data.MNIST]) -> Callable[[Path], data.Source]:
    def build(place: Path) -> data.Source:
        write_mnist(place)
        return kind(root=str(place))

    return build


def in_layout(kind: type[Any], name: str, place: Path) -> data.Source:
    """A source that reads a layout."""
    what = LAYOUTS[name][0](place)
    if kind is data.PictureCSV:
        return data.PictureCSV(str(place / what), root=str(place / "images"))
    source: data.Source = kind(str(place), **({"split": "letters"} if kind is data.EMNIST else {}))
    return source


SAMPLES: dict[type[data.Source], tuple[Callable[[Path], data.Source], tuple[int, int], tuple[int, ...]]] = {
    data.Digits: (lambda place: data.Digits(), (1442, 355), (1, 8, 8)),
    data.MNIST: (idx_source(data.MNIST), (12, 5), (1, 28, 28)),
    data.FashionMNIST: (idx_source(data.FashionMNIST), (12, 5), (1, 28, 28)),
    data.KMNIST: (idx_source(data.KMNIST), (12, 5), (1, 28, 28)),
    data.NPZ: (lambda place: data.NPZ(str(npz(place / "a.npz"))), (4, 2), (3, 8, 8)),
    data.CSV: (lambda place: data.CSV(str(make_csv(place / "a.csv")), (1, 2, 2)), (8, 2), (1, 2, 2)),
    data.CIFAR10: (lambda place: data.CIFAR10(str(make_cifar(place))), (20, 4), (3, 32, 32)),
    data.ImageFolder: (lambda place: data.ImageFolder(str(make_split_folder(place))), (5, 3), (3, 6, 8)),
    data.Parquet: (lambda place: data.Parquet(str(make_parquet(place))), (4, 2), (3, 6, 8)),
    data.Random: (lambda place: data.Random((2, 5, 5), train=6, test=3), (6, 3), (2, 5, 5)),
}
for kind, (made, counts, shape) in {
    data.EMNIST: ("EMNIST letters", (30, 9), (1, 28, 28)),
    data.QMNIST: ("QMNIST", (30, 9), (1, 28, 28)),
    data.KMNIST49: ("Kuzushiji-49", (30, 9), (1, 28, 28)),
    data.STL10: ("STL-10", (12, 6), (3, 96, 96)),
    data.PictureCSV: ("a table of paths and labels", (24, 6), (3, 20, 20)),
}.items():
    SAMPLES[kind] = (lambda place, kind=kind, made=made: in_layout(kind, made, place), counts, shape)  # type: ignore[misc]
SOURCES = [
    s for s in (getattr(data, name) for name in data.__all__)
    if isinstance(s, type) and issubclass(s, data.Source) and s is not data.Source
]  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES, ids=lambda s: s.__name__)
def test_every_source_gives_two_splits_of_its_shape(kind: type[data.Source], tmp_path: Path) -> None:
    build, (train, test), shape = SAMPLES[kind]
    source = build(tmp_path)
    assert (len(source.train), len(source.test)) == (train, test)
    for split in (source.train, source.test):
        assert split.sample_shape == shape
        inputs, targets = split.gather(np.array([0, 1]))
        assert inputs.dtype == np.float32
        assert inputs.shape == (2, *shape)
        assert targets.dtype in (np.int64, np.float32)
        assert targets.dtype != np.int64 or targets.max() < len(source.classes)


def test_digits_are_split_evenly_over_the_classes() -> None:
    digits = data.Digits()
    counts = np.bincount(digits.test.targets)
    assert counts.min() >= 34
    assert counts.max() <= 36
    assert digits.train.images.max() * digits.preprocessing.scale == 1.0


def test_real_mnist_loads(real_data: Path) -> None:
    mnist = data.MNIST(str(real_data / "mnist"), resize=(32, 32))
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert mnist.train.sample_shape == (1, 32, 32)
    assert np.bincount(mnist.test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert check("mnist", real_data / "mnist") == dict.fromkeys((f + ".gz" for f in FILES), "ok")


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz not found in .* data.download=true"):
        _ = data.MNIST(root=str(tmp_path)).train


def test_a_changed_download_is_refused(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(np.zeros((1, 28, 28)))))
    with pytest.raises(DataError, match="wrong md5: wanted f68b3c2d"):
        _ = data.MNIST(root=str(tmp_path)).train


def test_images_without_their_labels_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / FILES[1]).write_bytes(idx(np.zeros(11)))
    with pytest.raises(DataError, match=r"12 images in .*, 11 labels"):
        _ = data.MNIST(root=str(tmp_path)).train


GOOD = idx(np.zeros((2, 3, 3)))
DAMAGED = {
    "empty": (b"", "wrong magic number.*got nothing"),
    "wrong magic": (b"\x00\x00\x08\x01" + GOOD[4:], "wrong magic number: wanted 00000803, got 00000801"),
    "half a header": (GOOD[:10], "truncated: the header has 10 of 16 bytes"),
    "truncated": (GOOD[:-1], "truncated: .* needs 18 bytes, there are 17"),
    "trailing bytes": (GOOD + b"x", "bytes left over"),
    "no images": (idx(np.zeros((0, 3, 3))), "absurd sizes"),
    "absurd sizes": (b"\x00\x00\x08\x03" + b"\xff" * 12, "absurd sizes"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_idx_files_are_refused(case: str, tmp_path: Path) -> None:
    content, message = DAMAGED[case]
    (tmp_path / "plain").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "plain", IMAGES)
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "zipped.gz", IMAGES)


def test_damaged_gzip_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(b"not gzip at all")
    with pytest.raises(DataError, match="damaged gzip file"):
        read_idx(path, LABELS)
    path.write_bytes(gzip.compress(idx(np.arange(200)))[:-20])
    with pytest.raises(DataError, match="truncated"):
        read_idx(path, LABELS)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(4)) + bytes(50_000_000)))
    with pytest.raises(DataError, match="bytes left over"):
        read_idx(path, LABELS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "no array 'x_test'"),
        ({"y_test": np.arange(3)}, "x_test has 2 samples, y_test 3"),
        ({"x_test": np.ones((2, 8))}, "wanted numbers"),
        ({"y_test": np.array([0, -1])}, r"y_test\[1\]: class numbers must be from 0 to .*got -1; 1 of 2 are not"),
        ({"y_test": np.array([10**12, 0])}, r"y_test\[0\]: class numbers must be .*1,000,000, got 1000000000000"),
        ({"y_test": np.array([[2, 3], [0, 1]])}, r"y_test: class numbers must be \(N,\), .*, got \[2, 2\]"),
        ({"y_test": np.array(1)}, "y_test: wanted one target for each sample, got a single number"),
        ({"y_test": np.array(["a", "b"])}, "wanted class numbers or floats"),
        ({"y_test": np.array([{}, {}])}, "not a sound .npz file"),
    ],
)
def test_unfit_npz_arrays_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        _ = data.NPZ(str(npz(tmp_path / "a.npz", **changes))).test


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY"])
def test_files_that_are_no_npz_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz"):
        _ = data.NPZ(str(path)).train


def test_a_missing_npz_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        _ = data.NPZ(str(tmp_path / "no.npz")).train


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no lines of data"),
        ("label,a,b,c,d\n", "no lines of data"),
        ("0,1,2,3\n", ":1: 4 columns, wanted 5"),
        ("0,1,2,3,4\n0,1,2,3,4,5\n", ":2: 6 columns, wanted 5"),
        ("0,1,2,3,4\n0,1,x,3,4\n", "not a sound CSV file"),
        ("0.5,1,2,3,4\n", "class numbers from 0"),
        ("0,1,2,3,nan\n", "finite"),
        ("0,1,2,3,4\n", "too few lines to split"),
    ],
)
def test_unfit_csv_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        _ = data.CSV(str(path), (1, 2, 2)).test


def test_a_csv_file_of_its_own_can_be_the_test_split(tmp_path: Path) -> None:
    a, b = make_csv(tmp_path / "a.csv", 3), make_csv(tmp_path / "b.csv", 7)
    source = data.CSV(str(a), (1, 2, 2), test=str(b))
    assert (len(source.train), len(source.test)) == (3, 7)


def test_random_refuses_sizes_below_one() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        data.Random((0, 2, 2))


def test_download_takes_the_first_mirror_that_delivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    contents = {f + ".gz": gzip.compress(f.encode()) for f in FILES}
    for name, content in contents.items():
        (good / name).write_bytes(content)
        (bad / name).write_bytes(b"something else")
    import hashlib

    from lenetcli.data import catalogue

    entry = catalogue.Entry("Own", "", "", {n: hashlib.md5(c).hexdigest() for n, c in contents.items()}, ())
    monkeypatch.setitem(catalogue.CATALOGUE, "Own", entry)
    mirrors = tuple(f"{place.as_uri()}/" for place in (tmp_path / "none", bad, good))
    root = tmp_path / "root"
    assert len(get("own", root, mirrors)) == 4
    assert set(check("own", root).values()) == {"ok"}
    assert get("own", root, mirrors) == []
    assert sorted(p.name for p in root.iterdir()) == sorted(contents)


def test_a_failed_download_says_what_each_mirror_answered(tmp_path: Path) -> None:
    mirrors = tuple(f"{(tmp_path / name).as_uri()}/" for name in ("one", "two"))
    with pytest.raises(DownloadError) as caught:
        get("MNIST", tmp_path / "root", mirrors)
    assert "/one/" in str(caught.value)
    assert "/two/" in str(caught.value)
    assert not list((tmp_path).glob("root/*"))


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="no data set 'cifar' to get; there are MNIST"):
        check("cifar")
