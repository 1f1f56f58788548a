"""The columns of pictures and class numbers in Parquet files: found by name, metadata or type, read and checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.disk import check_regular, unreadable
from lenetcli.errors import ConfigError, DataError, in_a_line

LARGEST = 1 << 33  # bytes of all files of a split together, and of what they unpack to
MOST_CLASSES = 1_000_000
IMAGES = ("image", "img", "picture", "photo", "pixel_values", "jpg", "png")  # what such columns are often called
LABELS = ("label", "labels", "target", "class", "category", "class_id", "y")
MOST_TEXTS = 10_000  # labels
_NO_LABEL = -1  # what hubs write in place of a label that is not told


class Unlabelled(DataError):
    """Pictures whose classes are not told."""

    def __init__(self, message: str, count: int) -> None:
        super().__init__(message)
        self.count = count


@dataclass(frozen=True)
class Columns:
    """What the files of a split hold.

    Args:
        image: the column of the pictures.
        pictures: encoded, as Arrow's array of bytes.
        labels: (N,) class numbers.
        classes: the classes' names; empty where the metadata names none.
        texts: the labels in the order of the alphabet, which the numbers count, where they are texts.
    """

    image: str
    pictures: Any
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    texts: tuple[str, ...] = ()

    def numbered(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """The class numbers, where the classes are those of several files together.

        Raises:
            DataError: these labels are no texts, the others are.
        """
        if not texts or self.texts == tuple(texts):
            return self.labels
        if not self.texts:
            raise DataError(f"column {self.image!r} has class numbers in some files and names in others")
        return np.searchsorted(np.array(texts), np.array(self.texts))[self.labels]


def read_columns(root: Path, files: Sequence[Path], image: str, label: str) -> Columns:
    """The pictures and class numbers of files, one after the other.

    Args:
        root: for messages.
        image, label: the columns; where there are none so named, what else can only be meant.

    Raises:
        Unlabelled: no picture has a label.
        DataError: a damaged file, a missing column, or other values than these.
        ConfigError: pyarrow is not installed.
    """
    arrow = _pyarrow()
    if sum(check_regular(path, LARGEST) for path in files) > LARGEST:
        raise DataError(f"{root}: files of more than {LARGEST:,} bytes")
    pictures: list[Any] = []
    labels: list[npt.NDArray[np.int64]] = []
    texts: list[tuple[str, ...]] = []
    classes: tuple[str, ...] = ()
    for path in files:
        try:
            image, picture, label_numbers, names, words = _columns(arrow, path, image, label)
        except DataError:
            raise
        except OSError as error:
            if error.errno is not None:  # the system's
                raise unreadable(path, error) from None
            raise DataError(f"{path}: not a sound Parquet file: {in_a_line(error)}") from None
        except (arrow.ArrowException, ValueError, TypeError, KeyError, MemoryError, OverflowError) as error:
            reason = in_a_line(error)
            raise DataError(f"{path}: not a sound Parquet file: {reason}") from None
        pictures += picture.chunks
        labels.append(label_numbers)
        texts.append(words)
        classes = classes or names
    every = tuple(sorted({word for words in texts for word in words}))
    if every:
        if not all(texts):
            raise DataError(f"{root}: labels are texts in some files of a split and numbers in others")
        labels = [np.searchsorted(np.array(every), np.array(w))[n] for w, n in zip(texts, labels)]
    numbers = np.concatenate(labels)
    if (numbers == _NO_LABEL).all():
        raise Unlabelled(f"{files[0]}: none of its {len(numbers):,} pictures has a label", len(numbers))
    _check_numbers(files, labels)
    return Columns(image, arrow.chunked_array(pictures, arrow.large_binary()), numbers, classes, every)


def _columns(
    arrow: ModuleType, path: Path, image: str, label: str
) -> tuple[str, Any, npt.NDArray[np.int64], tuple[str, ...], tuple[str, ...]]:
    """Of one file: the column of the pictures, these, the class numbers (-1 without a label), the classes' names, and
    the labels themselves where they are texts, which the numbers then count."""
    with arrow.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        features = _features(schema.metadata)
        image = _found(path, schema, image, "image", IMAGES, features, lambda kind: _is_picture(arrow, kind))
        stated = sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))
        if not 0 <= stated <= LARGEST:
            raise DataError(f"{path}: states {stated:,} bytes of content, more than {LARGEST:,}")
        try:
            label = _found(path, schema, label, "label", LABELS, features, lambda kind: _is_class(arrow, kind))
        except DataError:
            if file.metadata.num_rows and _is_test(path):
                raise Unlabelled(f"{path}: no column of labels", file.metadata.num_rows) from None
            raise
        table = file.read(columns=[image, label])
    picture, numbers = table.column(image), table.column(label)
    if arrow.types.is_struct(picture.type) and picture.type.get_field_index("bytes") >= 0:
        picture = arrow.compute.struct_field(picture, "bytes")
    if not _is_binary(arrow, picture.type):
        raise DataError(f"{path}: column {image!r} holds {picture.type}, wanted encoded pictures {{bytes, path}}")
    if not len(numbers):
        raise DataError(f"{path}: no rows")
    words: tuple[str, ...] = ()
    if _is_text(arrow, numbers.type) and numbers.null_count < len(numbers):
        numbers, words = _counted(path, label, numbers)
    return (
        image,
        picture.cast(arrow.large_binary()),
        _numbers(arrow, path, label, numbers),
        (_class_names(features, label) or (("false", "true") if arrow.types.is_boolean(numbers.type) else ())),
        words,
    )


def _is_text(arrow: ModuleType, kind: Any) -> bool:
    kind = kind.value_type if arrow.types.is_dictionary(kind) else kind
    return bool(arrow.types.is_string(kind) or arrow.types.is_large_string(kind))


def _counted(path: Path, label: str, column: Any) -> tuple[Any, tuple[str, ...]]:
    """Labels that are texts as numbers, and the texts in the order of the alphabet."""
    import pyarrow

    if column.null_count:
        raise DataError(f"{path}: column {label!r} holds empty cells, wanted a label in each")
    found = column.to_pylist()
    words = tuple(sorted(set(found)))
    if len(words) > MOST_TEXTS:
        raise DataError(f"{path}: column {label!r} holds {len(words):,} different texts, too many for classes")
    number = {word: i for i, word in enumerate(words)}
    return pyarrow.chunked_array([pyarrow.array([number[word] for word in found], pyarrow.int64())]), words


def _numbers(arrow: ModuleType, path: Path, label: str, column: Any) -> npt.NDArray[np.int64]:
    """Class numbers, -1 for those of a column that is empty throughout."""
    if column.null_count == len(column):
        return np.full(len(column), _NO_LABEL, np.int64)
    if not _is_class(arrow, column.type) or column.null_count:
        what = "empty cells" if column.null_count else str(column.type)
        raise DataError(f"{path}: column {label!r} holds {what}, wanted class numbers")
    if arrow.types.is_boolean(column.type):
        column = column.cast(arrow.int8())
    return np.asarray(column.cast(arrow.int64()).to_numpy(), np.int64)


def _check_numbers(files: Sequence[Path], labels: Sequence[npt.NDArray[np.int64]]) -> None:
    for path, numbers in zip(files, labels):
        wrong = np.flatnonzero((numbers < 0) | (numbers >= MOST_CLASSES))
        if len(wrong):
            raise DataError(
                f"{path}: class number {numbers[wrong[0]]} in row {wrong[0]}, one of {len(wrong):,} such rows; "
                f"they start from 0 and stay below {MOST_CLASSES:,}"
            )


def _found(
    path: Path, schema: Any, wanted: str, key: str, usual: Sequence[str], features: dict[str, Any], fits: Any
) -> str:
    """The column of a name or, where there is none and only one other can be meant, that one.

    Raises:
        DataError: there is none, or there are several.
    """
    names: list[str] = list(schema.names)
    if wanted in names:
        return wanted
    missing = f"{path}: no column {wanted!r}; it holds {', '.join(names) or 'none'}"
    if wanted != key:  # that one was asked for
        raise DataError(missing)
    kind = "Image" if key == "image" else "ClassLabel"
    told = [name for name in names if isinstance(features.get(name), dict) and features[name].get("_type") == kind]
    called = [name for name in usual if name in names]
    fitting = [name for name in names if fits(schema.field(name).type)]
    for candidates in (told, called[:1], fitting):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise DataError(f"{missing}; several may be meant: choose one, data.{key}={candidates[0]}")
    raise DataError(f"{missing}; name it with data.{key}=COLUMN")


def _is_test(path: Path) -> bool:
    return not path.name.startswith("train") and path.parent.name != "train"


def _is_binary(arrow: ModuleType, kind: Any) -> bool:
    return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))


def _is_picture(arrow: ModuleType, kind: Any) -> bool:
    if arrow.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at >= 0 and _is_binary(arrow, kind.field(at).type)
    return _is_binary(arrow, kind)


def _is_class(arrow: ModuleType, kind: Any) -> bool:
    return bool(arrow.types.is_integer(kind) or arrow.types.is_boolean(kind))


def _features(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """What `datasets` writes of the columns; empty where it does not."""
    try:
        found = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _class_names(features: dict[str, Any], column: str) -> tuple[str, ...]:
    """The classes' names; none where there are none."""
    told = features.get(column)
    names = told.get("names") if isinstance(told, dict) else None
    sound = isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return tuple(names or ()) if sound else ()


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise ConfigError("Parquet files need pyarrow: python -m pip install 'lenet[parquet]'") from None
    module: ModuleType = pyarrow
    return module
