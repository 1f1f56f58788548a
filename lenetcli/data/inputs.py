"""What a trained model takes: the form of its data set's images and their preprocessing, so that any picture can be
brought into it. Kept in the run directory as inputs.json, and beside every exported model."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.data.array_shapes import arranged
from lenetcli.data.dataset import Source
from lenetcli.data.encoded import Pictures
from lenetcli.data.pictures import MOST_PIXELS, fitted
from lenetcli.data.row_cache import Kept
from lenetcli.data.transforms import MODES, Preprocessing
from lenetcli.disk import check_inside, has_content, is_there, make_way, read_within, write_atomically
from lenetcli.errors import ConfigError, DataError

Array = npt.NDArray[Any]

NAME = "inputs.json"
FAR = 2  # values beyond this many times white (or as far below black) are of another scale


@dataclass(frozen=True)
class Inputs:
    """How to make a picture into what a model was trained on: the data set's form first, then its preprocessing.

    Args:
        shape: (C, H, W) of an image as the data set holds it: pictures are first brought to H and W.
        white: the value of a white pixel there (black is 0).
        preprocessing: what the model's inputs went through in training.
        classes: the names of the model's outputs; empty where they are no classes.
        max_pixels: the most that are decoded of a picture.
        mode: how a picture of another form is brought to H and W, see `Resize`.
    """

    shape: tuple[int, int, int]
    white: float
    preprocessing: Preprocessing
    classes: tuple[str, ...] = ()
    max_pixels: int = MOST_PIXELS
    mode: str = "squeeze"

    @staticmethod
    def of(source: Source) -> Inputs | None:
        """Those of a data set; None where its samples are no images (C, H, W).

        Raises:
            DataError: the data cannot be read.
        """
        train = source.train
        shape = tuple(int(n) for n in train.images.shape[1:])
        if len(shape) != 3:
            return None
        white = _white(train.images, train.preprocessing.scale)
        most, mode = MOST_PIXELS, "squeeze"
        if isinstance(train.images, Pictures):
            most, mode = train.images.form.max_pixels, train.images.form.mode
        return Inputs(shape, white, train.preprocessing, tuple(source.classes), most, mode)

    @property
    def size(self) -> tuple[int, int]:
        """H and W of what the model sees."""
        return self.preprocessing.resize or self.shape[1:]

    def __call__(self, images: Array) -> Array:
        """Images (N, C, H, W), bytes or floats as `batch` gives them, of any size -> float32 for the model."""
        steps, held = self.preprocessing, self.shape[1:]
        if images.shape[2:] != held:
            images = fitted(images, held, self.mode)
        if images.dtype != np.uint8:
            return Preprocessing(1.0, steps.resize, steps.normalize)(images)
        return Preprocessing(self.white / 255 * steps.scale, steps.resize, steps.normalize)(images)

    def batch(self, found: Array, name: str) -> Array:
        """What a file holds as images (N, C, H, W): bytes for pixels from 0 to 255, or floats.

        What each axis is follows from the shape of the run's own images (see `arranged`). Integers are pixels from 0
        to 255, as in a picture; True is white. Floats are values after the data's own scale, usually
        0 to 1: they are resized and normalised only.

        Raises:
            DataError: a shape or values that cannot be such images.
        """
        if not found.size:
            raise DataError(f"{name}: an empty array {list(found.shape)}")
        if found.dtype == np.bool_:
            found = found.astype(np.uint8) * 255
        if found.dtype.kind in "iu":
            low, high = int(found.min()), int(found.max())
            if low < 0 or high > 255:
                raise DataError(f"{name}: integers from {low} to {high}; pixels are 0 (black) to 255 (white)")
            if 0 < high <= self.white < 128:
                raise DataError(
                    f"{name}: integers up to {high}: pixels are 0 (black) to 255 (white) here; the data set's own, "
                    f"where white is {self.white:g}, can be given as floats: divide by {self.white:g}"
                )
            return arranged(found.astype(np.uint8), self.shape, name)
        if not np.isfinite(found).all():
            raise DataError(f"{name}: NaN or infinite values")
        white = self.white * self.preprocessing.scale
        least, most = float(found.min()), float(found.max())
        if self.preprocessing.scale != 1 and (most > FAR * white or least < -white * (FAR - 1)):
            raise DataError(
                f"{name}: values from {least:g} to {most:g}; floats are 0 (black) to {white:g} (white) here"
            )
        return arranged(found.astype(np.float32), self.shape, name)

    def inverted(self, images: Array) -> Array:
        """White for black, and black for white, of what `batch` gave."""
        if images.dtype == np.uint8:
            return 255 - images
        return np.float32(self.white * self.preprocessing.scale) - images

    def text(self) -> str:
        """As JSON, a key a line."""
        return "{\n" + ",\n".join(f' "{key}": {json.dumps(value)}' for key, value in self.record().items()) + "\n}\n"

    def record(self) -> dict[str, Any]:
        """As plain data."""
        steps = self.preprocessing
        return {
            "version": 1,
            "shape": list(self.shape),
            "white": self.white,
            "scale": steps.scale,
            "resize": None if steps.resize is None else list(steps.resize),
            "normalize": None if steps.normalize is None else [_plain(part) for part in steps.normalize],
            "classes": list(self.classes),
            **({} if self.max_pixels == MOST_PIXELS else {"max_pixels": self.max_pixels}),
            **({} if self.mode == "squeeze" else {"mode": self.mode}),
        }


def write_inputs(directory: Path, inputs: Inputs | None) -> None:
    """Writes inputs.json, where there is something to write and it is not there yet.

    Raises:
        LenetError: it cannot be written.
        DataError: it is a link that leads out of the directory.
    """
    path = check_inside(directory, directory / NAME)
    if inputs is not None and not has_content(path):
        make_way(path)
        write_atomically(path, inputs.text().encode())


def read_inputs(directory: Path) -> Inputs | None:
    """What a run directory says of its inputs; None where it has no such file.

    Raises:
        DataError: the file is damaged, or a link leads out of the directory.
    """
    path = check_inside(directory, directory / NAME)
    if not is_there(path):
        return None
    try:
        record = json.loads(read_within(path, 1 << 22))
        return parse(record)
    except (ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise DataError(f"{path}: damaged: {type(error).__name__}: {error}") from None


def parse(record: Any) -> Inputs:
    """The inverse of `Inputs.record`.

    Raises:
        ValueError, KeyError, TypeError, ConfigError: it is none.
    """
    if record["version"] != 1:
        raise ValueError(f"version {record['version']!r} is unknown")
    shape = _sizes(record["shape"], 3)
    resize = None if record["resize"] is None else _sizes(record["resize"], 2)
    white, scale = _number(record["white"]), _number(record["scale"])
    if white <= 0:
        raise ValueError(f"white is {white}")
    normalize = None
    if record["normalize"] is not None:
        mean, std = (_numbers(part, shape[0]) for part in record["normalize"])
        normalize = mean, std
    classes = record["classes"]
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ValueError("classes must be a list of names")
    rows = None if resize is None else (resize[0], resize[1])
    (most,) = _sizes([record.get("max_pixels", MOST_PIXELS)], 1, 1 << 30)
    mode = record.get("mode", "squeeze")
    if mode not in MODES:
        raise ValueError(f"wanted a mode of {', '.join(MODES)}, got {str(mode)[:20]!r}")
    steps = Preprocessing(scale, rows, normalize)
    return Inputs((shape[0], shape[1], shape[2]), white, steps, tuple(classes), most, mode)


def _white(images: Array | Kept, scale: float) -> float:
    """The value of white: what the scale makes 1, or what the data's range says; 1 where that says nothing."""
    if scale != 1:
        return 255.0 if math.isclose(scale, 1 / 255, rel_tol=1e-3) else 1 / scale
    if isinstance(images, Kept) or images.dtype == np.uint8:
        return 255.0
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    return 255.0 if low >= 0 and 1 < high <= 255 else 1.0


def _plain(value: Any) -> Any:
    return [float(v) for v in value] if isinstance(value, Sequence) else float(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < sys.float_info.max:
        raise ValueError(f"wanted a number, got {str(value)[:20]}")
    return float(value)


def _numbers(value: Any, channels: int) -> float | list[float]:
    if not isinstance(value, list):
        return _number(value)
    if len(value) not in (1, channels):
        raise ValueError(f"{len(value)} numbers for {channels} channels")
    return [_number(v) for v in value]


def _sizes(value: Any, count: int, most: int = 1 << 20) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise ValueError(f"wanted {count} sizes, got {value!r}")
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 < n <= most for n in value):
        raise ValueError(f"wanted sizes, got {value!r}")
    return tuple(value)
