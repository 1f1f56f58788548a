"""The data sets that can be downloaded: their files, hashes, mirrors and licences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lenetcli.disk import md5_of
from lenetcli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lenetcli.data.download import Progress

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CIFAR10_ARCHIVE = "cifar-10-binary.tar.gz"


@dataclass(frozen=True)
class Entry:
    """One data set.

    Args:
        root: the directory where it lies unless told otherwise.
        about: what it is.
        md5: of each file, by name.
        mirrors: addresses to try in turn.
        size: bytes to download.
        licence: its terms, in a word.
    """

    name: str
    root: str
    about: str
    md5: dict[str, str]
    mirrors: tuple[str, ...]
    size: int = 0
    licence: str = ""


def _idx_entry(name: str, root: str, about: str, licence: str, size: int, hashes: str, *mirrors: str) -> Entry:
    md5 = dict(zip((f + ".gz" for f in FILES), hashes.split()))
    return Entry(name, root, about, md5, mirrors, size, licence)


CATALOGUE = {
    e.name: e
    for e in (
        _idx_entry(
            "MNIST", "data/mnist", "70,000 handwritten digits, 28x28 (Y. LeCun, C. Cortes)", "CC BY-SA 3.0", 11_594_722,
            "f68b3c2dcbeaaa9fbdd348bbdeb94873 d53e105ee54ea40749a09fcbcd1e9432 "
            "9fb629c4189551a2d022fa330f9573f3 ec29112dd5afa0611ce80d1b7f02629c",
            "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        _idx_entry(
            "FashionMNIST", "data/fashion-mnist", "70,000 pictures of clothes, 28x28 (Zalando SE)", "MIT", 30_878_645,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d 25c81989df183df01b3e8a0aad5dffbe "
            "bef4ecab320f06d8554ea6380940ec79 bb300cfdad3c16e7a12a480ee83cd310",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        _idx_entry(
            "KMNIST", "data/kmnist", "70,000 handwritten Hiragana, 28x28 (CODH)", "CC BY-SA 4.0", 21_240_888,
            "bdb82020997e1d708af4cf47b453dcf7 e144d726b3acfaa3e44228e80efcd344 "
            "5c965bf0a639b31b8f53240b1b52f4d7 7320c461ea6c1c855c0b718fb2a4b134",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        Entry(
            "CIFAR10", "data/cifar-10", "60,000 colour photos of 10 classes, 32x32 (A. Krizhevsky)",
            {CIFAR10_ARCHIVE: "c32a1d4ab5d03f1284b67883e8d87530"}, ("https://www.cs.toronto.edu/~kriz/",),
            170_052_171, "none stated",
        ),
    )
}  # fmt: skip


def entry(name: str) -> Entry:
    """A data set by name, in any case.

    Raises:
        ConfigError: unknown; the message lists the known ones.
    """
    for known, found in CATALOGUE.items():
        if known.lower() == name.lower():
            return found
    raise ConfigError(f"no data set {name!r} to get; there are {', '.join(CATALOGUE)}")


def check(name: str, root: Path | None = None) -> dict[str, str]:
    """The state of every file: "ok", "missing", or what is wrong with it."""
    found = entry(name)
    return {file: state(directory(found, root) / file, md5) for file, md5 in found.md5.items()}


def present(name: str, root: Path | None = None) -> bool:
    """Whether every file is there, as it is downloaded or unpacked; nothing is read."""
    found = entry(name)
    place = directory(found, root)
    return all((place / file).is_file() or _unpacked(place, file) for file in found.md5)


def _unpacked(place: Path, file: str) -> bool:
    if file == CIFAR10_ARCHIVE:
        return any((inner / "data_batch_1.bin").is_file() for inner in (place, place / "cifar-10-batches-bin"))
    return (place / file.removesuffix(".gz")).is_file()


def state(path: Path, md5: str) -> str:
    """ "ok", "missing", or the md5 it has instead of the right one."""
    if not path.is_file():
        return "missing"
    try:
        found = md5_of(path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "ok" if found == md5 else f"wrong md5 {found}"


def get(
    name: str,
    root: Path | None = None,
    mirrors: tuple[str, ...] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[Path]:
    """Downloads what is missing or damaged; each file appears whole, with the right hash, or not at all.

    What a broken download left (`FILE.part`) is continued.

    Args:
        mirrors: addresses to try in turn, in place of the known ones.
        progress: is told how far a file has come.

    Raises:
        DownloadError: no mirror delivered a file; the message says what each answered.
        DataError: the files cannot be written.
    """
    from lenetcli.data.download import download  # only here: the standard library's HTTP is long to import

    found = entry(name)
    fetched = []
    for file, md5 in found.md5.items():
        path = directory(found, root) / file
        if state(path, md5) != "ok":
            download(path, md5, mirrors or found.mirrors, progress)
            fetched.append(path)
    return fetched


def directory(found: Entry, root: Path | None) -> Path:
    """Where a data set lies.

    Raises:
        DataError: something else than a directory is there.
    """
    place = Path(found.root) if root is None else root
    if place.exists() and not place.is_dir():
        raise DataError(f"{place}: not a directory")
    return place
