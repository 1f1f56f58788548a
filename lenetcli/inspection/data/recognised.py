"""What kind of data lies at a place: the class of `lenetcli.data` that reads it, with the arguments it needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lenetcli import data
from lenetcli.config.problems import did_you_mean
from lenetcli.data.catalogue import CATALOGUE, FILES, entry
from lenetcli.data.csv_form import guessed, lists_pictures
from lenetcli.data.dataset import Source
from lenetcli.data.picture_csv import listing
from lenetcli.data.picture_files import folders_in, is_hidden
from lenetcli.data.pictures import SUFFIXES
from lenetcli.data.splits import USUAL
from lenetcli.disk import is_regular, is_there
from lenetcli.errors import ConfigError, DataError

NAMES = ("Digits", *CATALOGUE)
TABLES = (".npz", ".csv", ".parquet")
LOOKED_AT = 2000  # names in a folder
_DEPTH = 2  # folders down in which files of tables are looked for


@dataclass(frozen=True)
class Recognised:
    """Data that a configuration can name.

    Args:
        type: the class of `lenetcli.data`.
        place: the argument that says where the data lies, and what it says; None: it comes with the package.
        args: its other arguments.
        name: what its runs may be called.
    """

    type: str
    place: tuple[str, str] | None = None
    args: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def source(self, **more: Any) -> Source:
        """The data, with more arguments; no file is read yet."""
        cls = getattr(data, self.type)
        given = dict([self.place]) if self.place is not None else {}
        found: Source = cls(**given, **{**self.args, **more})
        return found


def recognised(what: str) -> Recognised | None:
    """What data a folder, a file or a name stands for; None where it stands for none.

    Raises:
        DataError: a folder or file cannot be read, or is like data that is read, but for what the message says.

    Example:
        >>> recognised("digits").type
        'Digits'
    """
    place = Path(what).expanduser()
    if place.is_dir():
        return _folder(place, what)
    if place.suffix.lower() in TABLES and is_there(place):
        return _file(place, what)
    known = {name.lower(): name for name in NAMES}
    if what.lower() not in known or is_there(place):
        return None
    name = known[what.lower()]
    if name == "Digits":
        return Recognised(name, name="digits")
    return Recognised(name, ("root", entry(name).root), name=name.lower())


def needed(what: str) -> Recognised:
    """As `recognised`, for a command that can do nothing without.

    Raises:
        ConfigError: it stands for no data.
        DataError: it cannot be read.
    """
    found = recognised(what)
    if found is not None:
        return found
    place = Path(what).expanduser()
    wanted = "a folder of pictures (a folder for each class), a file .npz, .csv or .parquet"
    if place.is_dir():
        raise ConfigError(f"{what}: no data in it that is known; wanted {wanted}")
    if is_there(place):
        raise ConfigError(f"{what}: neither a configuration's name (.yaml) nor data; wanted {wanted}")
    said = (
        f"{what}: it is not there, and no data set is called so; wanted {wanted}, or one of {', '.join(NAMES)}; "
        f"a configuration's name ends in .yaml: {what}.yaml"
    )
    raise ConfigError("\n   ".join([said, *did_you_mean(what, NAMES)]))


def _folder(place: Path, what: str) -> Recognised | None:
    name = run_name(place.resolve().name)
    if all(is_regular(place / f"{file}.gz") or is_regular(place / file) for file in FILES):
        return Recognised(_of_idx(place), ("root", what), name=name)
    if any(is_regular(inner / "data_batch_1.bin") for inner in (place, place / "cifar-10-batches-bin")):
        return Recognised("CIFAR10", ("root", what), name=name)
    for kind, pattern in _FILES.items():
        if next(place.glob(pattern), None) is not None:
            return Recognised(kind, ("root", what), _selection(place) if kind == "EMNIST" else {}, name)
    if _has_parquet(place, _DEPTH):
        return Recognised("Parquet", ("root", what), name=name)
    holding = [folder for folder in folders_in(place)[:LOOKED_AT] if holds_pictures(place / folder)]
    if len(holding) > 1 or any(holds_pictures(place / split / folder)
                               for split in folders_in(place)[:LOOKED_AT] if _is_split(split)
                               for folder in folders_in(place / split)[:LOOKED_AT]):  # fmt: skip
        return Recognised("ImageFolder", ("root", what), name=name)
    tables = [
        path for path in sorted(place.glob("*.csv")) if lists_pictures(path) and path.stem.lower() not in _NOT_THESE
    ]
    if len(tables) == 1:
        return _listed(tables[0], str(Path(what) / tables[0].name), name)
    return None


_FILES = {  # data sets told by a file of theirs
    "EMNIST": "**/emnist-*-train-images-idx3-ubyte*", "QMNIST": "qmnist-train-images-idx3-ubyte*",
    "KMNIST49": "k49-train-imgs.npz", "STL10": "**/train_X.bin",
}  # fmt: skip
_NOT_THESE = ("test", "sample_submission", "submission")


def _selection(place: Path) -> dict[str, str]:
    """Which selection of EMNIST lies there; the balanced one, where several do."""
    found = {path.name.split("-")[1] for path in place.glob("**/emnist-*-train-images-idx3-ubyte*")}
    return {"split": "balanced" if "balanced" in found else sorted(found)[0]}


def _listed(place: Path, what: str, name: str) -> Recognised:
    """A table of pictures, with the folder that its paths begin in."""
    listed = listing(place)
    first = Path(listed.paths[0].replace("\\", "/"))
    ends = ("", *SUFFIXES)
    for folder in ("", *folders_in(place.parent)[:LOOKED_AT]):
        if any(is_regular(place.parent / folder / first.with_name(first.name + end)) for end in ends):
            args = {"root": str(Path(what).parent / folder)} if folder else {}
            return Recognised("PictureCSV", ("path", what), args, name)
    raise DataError(f"{what}:{listed.lines[0]}: {first} is neither beside the table nor in a folder there")


def _is_split(name: str) -> bool:
    return name.lower() in USUAL


def _of_idx(place: Path) -> str:
    """Which data set of four IDX files lies there, as far as the folder's name tells."""
    name = re.sub("[^a-z]", "", place.resolve().name.lower())
    return "FashionMNIST" if "fashion" in name else "KMNIST" if name.startswith("k") else "MNIST"


def _has_parquet(place: Path, depth: int) -> bool:
    if next(place.glob("*.parquet"), None) is not None:
        return True
    return depth > 0 and any(_has_parquet(place / name, depth - 1) for name in folders_in(place)[:LOOKED_AT])


def _file(place: Path, what: str) -> Recognised:
    name, suffix = run_name(place.stem), place.suffix.lower()
    if suffix == ".npz":
        return Recognised("NPZ", ("path", what), name=name)
    if suffix == ".parquet":
        folder = Path(what).parent
        if not place.name.startswith("train"):
            raise DataError(f"{what}: Parquet files are found by their names: wanted train-*.parquet in {folder}")
        return Recognised("Parquet", ("root", str(folder)), name=run_name(folder.resolve().name))
    if lists_pictures(place):
        return _listed(place, what, name)
    return Recognised("CSV", ("path", what), guessed(place), name)


def run_name(text: str) -> str:
    """A name that runs may have, as near to a text as may be.

    Example:
        >>> run_name("my photos (2)"), run_name("猫")
        ('my-photos-2', 'pictures')
    """
    return re.sub("[^A-Za-z0-9._]+", "-", text).strip("-._")[:60] or "pictures"


def holds_pictures(folder: Path) -> bool:
    """Whether a picture is among the first entries of a folder, or of the folders in it."""
    names: Sequence[Path] = [each for each, _ in zip(folder.iterdir(), range(LOOKED_AT)) if not is_hidden(each.name)]
    return any(each.suffix.lower() in SUFFIXES for each in names)
