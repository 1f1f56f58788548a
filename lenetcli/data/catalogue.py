"""The data sets that can be downloaded: their files, hashes, mirrors and licences; checking and getting them."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from lenetcli.errors import DataError, DownloadError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
TIMEOUT = 30  # seconds without an answer


@dataclass(frozen=True)
class Entry:
    """One data set: file names, md5 of each, addresses to try in turn."""

    name: str
    root: str  # where it lies unless told otherwise
    about: str
    md5: dict[str, str]
    mirrors: tuple[str, ...]


def _entry(name: str, root: str, about: str, hashes: str, *mirrors: str) -> Entry:
    return Entry(name, root, about, dict(zip((f + ".gz" for f in FILES), hashes.split())), mirrors)


CATALOGUE = {
    e.name: e
    for e in (
        _entry(
            "MNIST", "data/mnist", "70,000 handwritten digits, 28x28. Y. LeCun, C. Cortes; CC BY-SA 3.0",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873 d53e105ee54ea40749a09fcbcd1e9432 "
            "9fb629c4189551a2d022fa330f9573f3 ec29112dd5afa0611ce80d1b7f02629c",
            "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        _entry(
            "FashionMNIST", "data/fashion-mnist", "70,000 pictures of clothes, 28x28. Zalando SE; MIT",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d 25c81989df183df01b3e8a0aad5dffbe "
            "bef4ecab320f06d8554ea6380940ec79 bb300cfdad3c16e7a12a480ee83cd310",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        _entry(
            "KMNIST", "data/kmnist", "70,000 handwritten Hiragana, 28x28. CODH; CC BY-SA 4.0",
            "bdb82020997e1d708af4cf47b453dcf7 e144d726b3acfaa3e44228e80efcd344 "
            "5c965bf0a639b31b8f53240b1b52f4d7 7320c461ea6c1c855c0b718fb2a4b134",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
    )
}  # fmt: skip


def entry(name: str) -> Entry:
    """A data set by name, in any case.

    Raises:
        DataError: unknown; the message lists the known ones.
    """
    for known, found in CATALOGUE.items():
        if known.lower() == name.lower():
            return found
    raise DataError(f"no data set {name!r} to get; there are {', '.join(CATALOGUE)}")


def check(name: str, root: Path | None = None) -> dict[str, str]:
    """The state of every file: "ok", "missing", or what is wrong with it."""
    found = entry(name)
    return {file: state(_directory(found, root) / file, md5) for file, md5 in found.md5.items()}


def state(path: Path, md5: str) -> str:
    """ "ok", "missing", or the md5 it has instead of the right one."""
    if not path.is_file():
        return "missing"
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    return "ok" if digest == md5 else f"wrong md5 {digest}"


def get(name: str, root: Path | None = None, mirrors: tuple[str, ...] | None = None) -> list[Path]:
    """Downloads what is missing or damaged; each file appears whole, with the right hash, or not at all.

    Raises:
        DownloadError: no mirror delivered a file; the message says what each answered.
    """
    found = entry(name)
    directory = _directory(found, root)
    fetched = []
    for file, md5 in found.md5.items():
        if state(directory / file, md5) != "ok":
            _download(directory / file, md5, mirrors or found.mirrors)
            fetched.append(directory / file)
    return fetched


def _directory(found: Entry, root: Path | None) -> Path:
    return Path(found.root) if root is None else root


def _download(path: Path, md5: str, mirrors: tuple[str, ...]) -> None:
    failures = []
    for mirror in mirrors:
        try:
            with urllib.request.urlopen(mirror + path.name, timeout=TIMEOUT) as answer:
                content = answer.read(1 << 28)
        except (OSError, urllib.error.URLError, ValueError) as error:
            failures.append(f"{mirror}: {error}")
            continue
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if digest != md5:
            failures.append(f"{mirror}: wrong md5 {digest}, wanted {md5}")
            continue
        _put(path, content)
        return
    tried = "".join(f"\n  {f}" for f in failures)
    raise DownloadError(f"{path.name}: no mirror delivered it; put the file into {path.parent} yourself{tried}")


def _put(path: Path, content: bytes) -> None:
    """Writes under a temporary name, then renames."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}") from None
