"""NPZ: your own arrays in one NumPy file."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.augment import Augmentation
from lenetcli.data.dataset import ArrayDataset, Source
from lenetcli.data.finite import not_finite
from lenetcli.data.holdout import hold_back
from lenetcli.data.npz_arrays import names_in, read_array
from lenetcli.data.splits import USUAL, Splits, assigned, check_wanted
from lenetcli.data.transforms import Numbers, Preprocessing
from lenetcli.errors import ConfigError, DataError

MOST_CLASSES = 1_000_000
_HIDDEN = "samples to test on whose labels are all -1"
_FORMS = (("x_{}", "y_{}"), ("X_{}", "y_{}"), ("X_{}", "Y_{}"), ("{}_images", "{}_labels"), ("{}_x", "{}_y"))
_WHOLE = (("x", "y"), ("X", "y"), ("X", "Y"), ("images", "labels"), ("data", "labels"), ("data", "target"))
_CHANNELS = (1, 3, 4)


class NPZ(Source):
    """Images and targets from a .npz file with the arrays x_train, y_train, x_test and y_test.

    The arrays may also be called train_images, train_labels and so on, as MedMNIST's are, and there may be some for
    validation (x_val, val_images); arrays x and y (images and labels) alone are split by `test_fraction`, as those to
    train on are where nothing is to test on, or all labels there are -1.

    x: (N, C, H, W), (N, H, W) or, with 1, 3 or 4 channels, (N, H, W, C), of any numeric type; uint8 is scaled to 0..1.
    y: (N,) or (N, 1) class numbers from 0, true and false, several labels of 0 and 1 for each sample (N, L), or floats.
    Floats must be finite, as float32 too. Nothing is unpickled.

    Args:
        path: the file.
        resize: rows and columns to resize to.
        normalize: mean and standard deviation, each a number or one per channel.
        augment: random changes of the training pictures, such as {flip: true, crop: 4}; see Augmentation.
        splits: what the splits are called in the arrays' names, where not as usual: {train: a, test: b} for x_a, x_b.
        test_fraction: share of each class that is for testing, where no arrays are.
        seed: decides which.

    Raises:
        DataError: no such file, no NPZ file, a missing array, or arrays that do not fit together.
    """

    def __init__(
        self,
        path: str,
        resize: tuple[int, int] | None = None,
        normalize: tuple[Numbers, Numbers] | None = None,
        augment: Augmentation | None = None,
        splits: Splits | None = None,
        test_fraction: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__(augment)
        if not 0 < test_fraction < 1:
            raise ConfigError(f"test_fraction: wanted more than 0 and less than 1, got {test_fraction}")
        self.path, self.splits = Path(path).expanduser(), splits
        self.test_fraction, self.seed = test_fraction, seed
        self._resize, self._normalize = resize, normalize
        self._hidden: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:  # type: ignore[override]  # known only when the file has been read
        """The class numbers as text; empty where targets are floats."""
        splits = [part.targets for part in (self.train, self.test, self.validation) if part is not None]
        if any(y.dtype.kind not in "iu" for y in splits):
            return ()
        return tuple(str(i) for i in range(int(max(y.max() for y in splits)) + 1))

    @property
    def has_validation(self) -> bool:
        """Whether the file has arrays for it beside those to train and to test on."""
        return "validation" in self._arrays

    @cached_property
    def _arrays(self) -> dict[str, tuple[str, str]]:
        """The names of samples and targets of each split; of those to test on none where a share is drawn for that."""
        there = names_in(self.path)
        for x, y in _FORMS:
            named = [name for name in _named(there, x) if y.format(name) in there]
            if self.splits is not None:
                named = [name for name in asdict(self.splits).values() if name in named] or named
            parts = assigned(named, self.splits) if named else {}
            if "train" in parts:
                self._check_pairs(there, x, y)
            if "train" in parts and (self.splits is None or all(part in named for part in parts.values())):
                found = self._without_hidden({split: (x.format(p), y.format(p)) for split, p in parts.items()})
                self._note_unused(there, found)
                return found
        if self.splits is None:
            for x, y in _WHOLE:
                if x in there and y in there:
                    return {"train": (x, y)}
        else:
            check_wanted(self.path, self.splits, [name for x, _ in _FORMS for name in _named(there, x)])
        missing = next((name for name in ("x_train", "y_train") if name not in there), "x_train")
        raise DataError(f"{self.path}: no array {missing!r}; it holds {', '.join(there)[:200] or 'nothing'}")

    def _check_pairs(self, there: list[str], x: str, y: str) -> None:
        """Refuses samples without targets, and the other way round, of a split that is called as usual."""
        for one, other in ((x, y), (y, x)):
            for name in _named(there, one):
                if name.lower() in USUAL and other.format(name) not in there:
                    raise DataError(f"{self.path}: no array {other.format(name)!r}; it holds {', '.join(there)[:200]}")

    def _note_unused(self, there: list[str], found: dict[str, tuple[str, str]]) -> None:
        """Tells of arrays that are of no split, such as one whose name is mistyped."""
        for name in there:
            if not any(name in pair for pair in found.values()) and name not in self._hidden:
                self.dropped.add("arrays of no split", f"{self.path}: {name}")

    def _without_hidden(self, parts: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        """Leaves samples to test on out whose labels are not told; those for validation then take their place."""
        if "test" in parts:
            targets = read_array(self.path, parts["test"][1])
            if targets.dtype.kind == "i" and targets.size > 1 and (targets == -1).all():
                self._hidden = parts.pop("test")
                self.dropped.add(_HIDDEN, f"{self.path}: {self._hidden[1]}", len(targets))
        if "test" not in parts and "validation" in parts:
            parts["test"] = parts.pop("validation")
        return parts

    def load(self, split: str) -> ArrayDataset:
        drawn = "test" not in self._arrays
        x_name, y_name = self._arrays["train" if drawn else split]
        x, y = self._images(x_name), read_array(self.path, y_name)
        if y.ndim == 0:
            raise DataError(f"{self.path}: {y_name}: wanted one target for each sample, got a single number")
        if len(x) != len(y) or len(x) == 0:
            raise DataError(f"{self.path}: {x_name} has {len(x)} samples, {y_name} {len(y)}")
        y = self._targets(y, y_name)
        numbers = np.arange(len(y))
        if drawn:
            try:
                parts = hold_back(y, y, self.test_fraction, self.seed)
            except ValueError:
                raise DataError(f"{self.path}: one sample cannot be split into training and test data") from None
            numbers = parts[("train", "test").index(split)].indices
            x, y = x[numbers], y[numbers]
        scale = 1 / 255 if x.dtype == np.uint8 else 1.0

        def origin(index: int) -> str:
            return f"{self.path}: {x_name}[{numbers[index]}]"

        return ArrayDataset(x, y, Preprocessing(scale, self._resize, self._normalize), origin)

    def _images(self, name: str) -> npt.NDArray[Any]:
        x = read_array(self.path, name)
        given = list(x.shape)
        if x.ndim == 3:
            x = x[:, None]
        elif x.ndim == 4 and x.shape[3] in _CHANNELS and x.shape[1] not in _CHANNELS:
            x = np.ascontiguousarray(np.moveaxis(x, 3, 1))
        if x.ndim != 4 or x.dtype.kind not in "biuf":
            raise DataError(f"{self.path}: {name}: wanted numbers (N, C, H, W) or (N, H, W), got {x.dtype} {given}")
        return x

    def _targets(self, y: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
        """Class numbers (N,), or floats."""
        if y.dtype.kind in "biu":
            if y.ndim == 2 and y.shape[1] == 1:
                y = y[:, 0]
            several = y.ndim == 2 and ((y == 0) | (y == 1)).all()
            if several and (y.sum(axis=1) == 1).all():
                raise DataError(
                    f"{self.path}: {name}: one-hot rows {list(y.shape)}; class numbers are wanted: y.argmax(axis=1)"
                )
            if several:
                return y.astype(np.float32)
            if y.ndim != 1:
                raise DataError(
                    f"{self.path}: {name}: class numbers must be (N,), labels of 0 and 1 (N, L), got {list(y.shape)}"
                )
            wrong = np.flatnonzero((y < 0) | (y > MOST_CLASSES))
            if len(wrong):
                raise DataError(
                    f"{self.path}: {name}[{wrong[0]}]: class numbers must be from 0 to {MOST_CLASSES:,}, "
                    f"got {y[wrong[0]]}; {len(wrong):,} of {len(y):,} are not"
                )
            return y.astype(np.int64)
        if y.dtype.kind != "f":
            raise DataError(f"{self.path}: {name}: wanted class numbers or floats, got {y.dtype}")
        return y if len(not_finite(y)) else y.astype(np.float32)  # as they are, they are named when refused


def _named(there: list[str], form: str) -> list[str]:
    """What stands in the place of the split's name in the arrays' names of a form."""
    before, after = form.split("{}")
    inner = [name[len(before) : len(name) - len(after)] for name in there
             if name.startswith(before) and name.endswith(after)]  # fmt: skip
    return sorted(filter(None, inner), key=lambda name: name.lower() not in USUAL)
