"""Which part of a data set is to train on, which chooses the best epoch, which is to test on: told by their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lenetcli.errors import DataError

NAMES = {  # what the parts are usually called, in any case
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
USUAL = tuple(name for names in NAMES.values() for name in names)


@dataclass(frozen=True)
class Splits:
    """The parts of a data set by the names that they have there, where these are not the usual ones.

    Args:
        train: the part to train on.
        validation: the part that chooses the best epoch and stops early; without one, `train.validation` holds a share
            of the first back.
        test: the part to test on.

    Example:
        >>> from lenetcli.data.splits import Splits, assigned
        >>> assigned(["Train", "val", "test", "extra"])
        {'train': 'Train', 'validation': 'val', 'test': 'test'}
        >>> assigned(["train", "val"])
        {'train': 'train', 'test': 'val'}
        >>> assigned(["a", "b"], Splits(train="a", test="b"))
        {'train': 'a', 'test': 'b'}
    """

    train: str | None = None
    validation: str | None = None
    test: str | None = None


def assigned(there: Sequence[str], wanted: Splits | None = None) -> dict[str, str]:
    """The name of each split's part; splits that have none are left out.

    A part for validation is the one to test on where there is no other for that.

    Args:
        there: the names of the parts.
        wanted: says which, where given.
    """
    by_name = {name.lower(): name for name in reversed(there)}
    found: dict[str, str] = {}
    for split, usual in NAMES.items():
        own = None if wanted is None else getattr(wanted, split)
        name = own if wanted is not None else next((by_name[name] for name in usual if name in by_name), None)
        if name is not None:
            found[split] = name
    if "test" not in found and "validation" in found and wanted is None:
        found["test"] = found.pop("validation")
    return found


def check_wanted(where: object, wanted: Splits | None, there: Sequence[str]) -> None:
    """Refuses a choice of parts that are not there.

    Raises:
        DataError: one is not.
    """
    for split in NAMES:
        name = None if wanted is None else getattr(wanted, split)
        if name is not None and name not in there:
            raise DataError(f"{where}: no {name!r} in it (data.splits.{split}); it holds {', '.join(there[:9]) or '-'}")
