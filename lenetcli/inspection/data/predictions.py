"""What a trained model says of pictures: read, brought into the form of its inputs, run in batches, ranked."""

from __future__ import annotations

import glob
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.modes import no_grad
from lenetcli.background import mapped
from lenetcli.data.csv_lines import read_table
from lenetcli.data.inputs import Inputs
from lenetcli.data.left_out import Tally
from lenetcli.data.picture_files import picture_files
from lenetcli.data.pictures import KINDS, LARGEST, SUFFIXES, decode, read
from lenetcli.disk import check_regular, unreadable
from lenetcli.errors import DataError
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.answers import answered
from lenetcli.train.losses import main_term, terms_of

Array = npt.NDArray[Any]
Answer = tuple[
    str, Array, list[str]
]  # an output's name, what it gives, the names of classes where that is probabilities

BATCH = 256
STDIN = "-"


@dataclass(frozen=True)
class Prediction:
    """What the model says of one picture.

    Args:
        file: where it came from; `index` is its place in a file that holds several.
        top: the likeliest classes and their probabilities, likeliest first; empty where outputs are no classes.
        output: the model's numbers, where they are no classes.
        outputs: of a model with several outputs, what each says, by name; the rest is of the main one.
    """

    file: str
    top: tuple[tuple[str, float], ...]
    index: int | None = None
    output: list[Any] | None = None
    outputs: tuple[tuple[str, Prediction], ...] = ()

    @property
    def name(self) -> str:
        """The file, and the place in it where it holds several."""
        return self.file if self.index is None else f"{self.file}[{self.index}]"

    def record(self) -> dict[str, Any]:
        """As `--json` shows it."""
        found: dict[str, Any] = {"file": self.file, **self._answer()}
        if self.index is not None:
            found["index"] = self.index
        if self.outputs:
            found["outputs"] = {name: answer._answer() for name, answer in self.outputs}
        return found

    def _answer(self) -> dict[str, Any]:
        label, probability = self.top[0] if self.top else (None, None)
        found: dict[str, Any] = {"label": label, "probability": probability}
        found["top"] = [{"label": name, "probability": share} for name, share in self.top]
        if self.output is not None:
            found["output"] = self.output
        return found


@dataclass(frozen=True)
class Predictor:
    """A model in evaluation mode with what it takes and what its outputs mean."""

    model: Module
    criterion: Module
    inputs: Inputs
    top: int = 3
    invert: bool = False

    def __call__(
        self, places: Sequence[str], failed: Callable[[DataError], None], left_out: Tally | None = None
    ) -> Iterator[Prediction]:
        """The predictions for files, directories, patterns and STDIN, in order; `failed` gets what cannot be read.

        Files are decoded by several threads, as many at a time as make a batch.

        Args:
            left_out: counts the files of directories that are no pictures.
        """
        files = list(_files(places, failed, Tally() if left_out is None else left_out))
        for start in range(0, len(files), BATCH):
            read = mapped(self._read, files[start : start + BATCH], min(8, os.cpu_count() or 1))
            yield from self._some(read, failed)

    def one_by_one(
        self, places: Sequence[str], failed: Callable[[DataError], None], left_out: Tally
    ) -> Iterator[tuple[Array, Prediction]]:
        """Each image as the model takes it, (C, H, W), with what the model says of it."""
        for file in _files(places, failed, left_out):
            name, found, several = self._read(file)
            if isinstance(found, DataError):
                failed(found)
                continue
            for index, answers in enumerate(self._outputs([found])):
                image = np.ascontiguousarray(found[..., index])
                yield image, self._said(name, index if several else None, answers)

    def of(self, found: Array, name: str = "images") -> list[Prediction]:
        """The predictions for images in memory, of the shapes and types that a .npy file may hold.

        Raises:
            DataError: they are no images.
        """
        ready = self._ready(found, name)
        results = self._outputs([ready])
        several = ready.shape[-1] > 1 or found.ndim == 4
        return [self._said(name, i if several else None, next(results)) for i in range(ready.shape[-1])]

    def _ready(self, found: Array, name: str) -> Array:
        """Images as the model takes them (C, H, W, N)."""
        images = self.inputs.batch(found, name)
        if self.invert:
            images = self.inputs.inverted(images)
        return np.concatenate([stored(self.inputs(images[i : i + BATCH])) for i in range(0, len(images), BATCH)], -1)

    def _read(self, file: str) -> tuple[str, Array | DataError, bool]:
        """A file's images, ready for the model (C, H, W, N), or what is wrong with it; and whether it holds a list."""
        channels, held, most = self.inputs.shape[0], self.inputs.shape[1:], self.inputs.max_pixels
        try:
            if file == STDIN:
                data = sys.stdin.buffer.read(LARGEST + 1)
                if not data:
                    raise DataError(
                        f"{STDIN}: nothing came from stdin: it is empty or closed; try {STDIN} < picture.png"
                    )
                if len(data) > LARGEST:
                    raise DataError(f"{STDIN}: more than {LARGEST:,} bytes")
                found = decode(data, STDIN, channels, held, most)
            elif Path(file).suffix.lower() == ".csv":
                found = pixels_in(Path(file), self.inputs)
            else:
                found = read(Path(file), channels, held, most)
            ready = self._ready(found, file)
            return file, ready, ready.shape[-1] > 1 or found.ndim == 4 or file.lower().endswith(".csv")
        except DataError as error:
            return file, error, False

    def _some(
        self, read: Sequence[tuple[str, Array | DataError, bool]], failed: Callable[[DataError], None]
    ) -> Iterator[Prediction]:
        """The predictions for files that have been read, in batches over all of them."""
        results = self._outputs([found for _, found, _ in read if not isinstance(found, DataError)])
        for file, found, several in read:
            if isinstance(found, DataError):
                failed(found)
                continue
            for index in range(found.shape[-1]):
                yield self._said(file, index if several else None, next(results))

    def _said(self, file: str, index: int | None, answers: Sequence[Answer]) -> Prediction:
        """What the outputs say of one image: what the main one says and, where there are several, what each does."""
        found = {name: ranked(file, index, row, classes, self.top) for name, row, classes in answers}
        main = found[main_term(self.criterion).name]
        return replace(main, outputs=tuple(found.items())) if len(found) > 1 else main

    def _outputs(self, ready: Sequence[Array]) -> Iterator[list[Answer]]:
        """What the model says of each image (C, H, W, N)."""
        if not ready:
            return
        joined = np.concatenate(ready, -1) if len(ready) > 1 else ready[0]
        for start in range(0, joined.shape[-1], BATCH):
            batch = np.ascontiguousarray(joined[..., start : start + BATCH])
            with no_grad():
                given = self.model(from_numpy(logical(batch)))
            found = []
            for term in terms_of(self.criterion):
                known = self.inputs.classes if term.target == "label" else ()
                rows, names = answered(term.of(given).array, term.criterion, known)
                if term.target == "input":  # a picture, whatever its loss takes it for
                    rows, names = term.of(given).array, []
                found.append((term.name, np.ascontiguousarray(rows), names))
            for i in range(batch.shape[-1]):
                yield [(name, rows[i], names) for name, rows, names in found]


def pixels_in(path: Path, inputs: Inputs) -> Array:
    """The pictures of a table of pixels without labels, one a line, as a competition's file to test on has them: rows.

    Raises:
        DataError: it cannot be read, or has another number of columns.
    """
    check_regular(path, LARGEST)
    try:
        table = read_table(path, math.prod(inputs.shape), None).numbers
    except OSError as error:
        raise unreadable(path, error) from None
    whole = (table == np.floor(table)).all() and table.min() >= 0 and table.max() <= 255
    return table.astype(np.uint8) if whole and inputs.white > 1 else table * inputs.preprocessing.scale


def ranked(file: str, index: int | None, output: Array, classes: Sequence[str], top: int) -> Prediction:
    """What an output says: its likeliest classes, or its numbers where it is no probabilities of classes (no names)."""
    if not classes:
        return Prediction(file, (), index, output.tolist())
    order = np.argsort(-output, kind="stable")[:top]
    return Prediction(file, tuple((classes[i], float(output[i])) for i in order), index)


def _files(places: Sequence[str], failed: Callable[[DataError], None], left_out: Tally) -> Iterator[str]:
    """The files named, with those of directories (and directories in them) and of patterns in alphabetical order."""
    for place in places:
        if place != STDIN and Path(place).is_dir():
            try:
                found = [str(path) for path in picture_files(Path(place), left_out, (*SUFFIXES, ".npy"))]
            except DataError as error:
                failed(error)
                continue
            if not found:
                failed(DataError(f"{place}: no pictures in this directory ({KINDS}, .npy)"))
            yield from found
        elif glob.has_magic(place) and not Path(place).exists():  # a pattern that no shell has filled in
            found = sorted(p for p in glob.glob(place, recursive=True) if Path(p).is_file())
            if not found:
                failed(DataError(f"{place}: no file is so named"))
            yield from found
        else:
            yield place
