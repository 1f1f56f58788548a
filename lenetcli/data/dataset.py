"""Data sets: images and targets that a loader can gather by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import Generator, numpy_generator
from lenetcli.data.augment import Augmentation, Augmenter
from lenetcli.data.finite import check_finite
from lenetcli.data.left_out import LeftOut, Tally
from lenetcli.data.row_cache import Kept
from lenetcli.data.transforms import Preprocessing
from lenetcli.errors import DataError
from lenetcli.tensors.tensor import Tensor, from_numpy

Array = npt.NDArray[Any]


class ArrayDataset:
    """Images and targets; images stay as they came and are scaled, resized and normalised batch by batch.

    (To do that once and keep the float32 images costs more than it saves: a batch of 64 from MNIST, resized to 32x32,
    is made in 0.14 ms, and gathered from memory in 0.07 ms.)

    Args:
        images: (N, C, H, W), of any numeric type; in memory, or Kept, which makes them when they are asked for.
        targets: (N,) class numbers, or (N, ...) floats.
        preprocessing: what turns raw images into what the model sees.
        origin: where a sample comes from, by its number: a file, a line of one.

    Raises:
        DataError: another number of images than of targets, or no image at all.
    """

    def __init__(
        self,
        images: Array | Kept,
        targets: Array,
        preprocessing: Preprocessing | None = None,
        origin: Callable[[int], str] | None = None,
    ) -> None:
        if len(images) != len(targets):
            raise DataError(f"{len(images)} images but {len(targets)} targets")
        if images.ndim != 4:
            raise DataError(f"wanted images (N, C, H, W), got an array of shape {list(images.shape)}")
        self.images, self.targets = images, targets
        self.preprocessing = preprocessing or Preprocessing()
        self.origin = origin

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_slow(self) -> bool:
        """Files have to be read and decoded for the next samples."""
        return isinstance(self.images, Kept) and not self.images.complete

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """(C, H, W) of one sample as the model sees it."""
        return self.preprocessing.output_shape(self.images.shape[1:])

    def gather(self, indices: npt.NDArray[np.int64]) -> tuple[Array, Array]:
        """Samples by number: inputs float32 (B, C, H, W), batch-last, and their targets."""
        return self.preprocessing(rows_of(self.images, indices)), rows_of(self.targets, indices)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        inputs, targets = self.gather(np.array([index % len(self)]))
        target = targets[0]
        return from_numpy(inputs[0]), target.item() if target.ndim == 0 else from_numpy(target)


class TensorDataset:
    """Tensors of equal length, side by side. Source: torch.utils.data.TensorDataset.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.data import TensorDataset
        >>> TensorDataset(lenet.ones(3, 2), lenet.arange(3))[1]
        (tensor([1., 1.]), tensor(1))
    """

    def __init__(self, *tensors: Tensor) -> None:
        lengths = {len(t) for t in tensors}
        if len(lengths) != 1:
            raise ValueError(f"Size mismatch between tensors: lengths {sorted(lengths)}")
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(t[index] for t in self.tensors)

    def gather(self, indices: npt.NDArray[np.int64]) -> tuple[Array, ...]:
        """Rows by number, of every tensor."""
        return tuple([rows_of(t.array, indices) for t in self.tensors])


class Subset:
    """Some samples of a data set, by number. Source: torch.utils.data.Subset.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.data import Subset, TensorDataset
        >>> len(Subset(TensorDataset(lenet.arange(5)), [0, 2]))
        2
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = np.asarray(indices, np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]

    def gather(self, indices: npt.NDArray[np.int64]) -> tuple[Array, ...]:
        """Samples by their number within the subset."""
        return gather(self.dataset, self.indices[indices])


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Splits a data set at random. Lengths are counts, or shares that add up to 1.

    Raises:
        ValueError: the lengths do not add up to the whole.

    Source: torch.utils.data.random_split.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.data import TensorDataset, random_split
        >>> [len(s) for s in random_split(TensorDataset(lenet.arange(10)), [0.7, 0.3])]
        [7, 3]
    """
    count = len(dataset)
    if abs(sum(lengths) - 1) < 1e-9 and sum(lengths) <= 1:
        counts = [int(count * share) for share in lengths]
        for i in range(count - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [int(n) for n in lengths]
    if sum(counts) != count:
        raise ValueError(f"Sum of input lengths {sum(counts)} does not equal the length of the dataset, {count}")
    order = numpy_generator(generator).permutation(count)
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - n : end].tolist()) for n, end in zip(counts, ends)]


def gather(dataset: Any, indices: npt.NDArray[np.int64]) -> tuple[Array, ...]:
    """Samples of any data set by number, stacked; without a loop where the data set has `gather`."""
    if hasattr(dataset, "gather"):
        found: tuple[Array, ...] = dataset.gather(indices)
        return found
    samples = [dataset[int(i)] for i in indices]
    parts = zip(*(s if isinstance(s, tuple) else (s,) for s in samples))
    return tuple(np.stack([p.array if isinstance(p, Tensor) else np.asarray(p) for p in part]) for part in parts)


def rows_of(array: Any, indices: npt.NDArray[np.int64]) -> Array:
    """Rows by number, in an array of their own."""
    whole = type(array) is np.ndarray and array.ndim > 1 and array.flags.c_contiguous
    rows: Array = array.take(indices, 0) if whole else array[indices]  # `take` is quicker, but lays all in row order
    return rows


def is_slow(dataset: Any) -> bool:
    """Whether making a batch of the data set takes so long that it pays to begin early."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return bool(getattr(dataset, "is_slow", False))


def origin_of(dataset: Any, index: int) -> str:
    """Where a sample comes from, such as a file; empty where the data set does not say.

    Example:
        >>> import numpy as np
        >>> from lenetcli.data import ArrayDataset, Subset
        >>> from lenetcli.data.dataset import origin_of
        >>> whole = ArrayDataset(np.zeros((3, 1, 2, 2)), np.arange(3), origin="cat/{}.png".format)
        >>> origin_of(Subset(whole, [2]), 0)
        'cat/2.png'
    """
    while isinstance(dataset, Subset):
        dataset, index = dataset.dataset, int(dataset.indices[index])
    origin = getattr(dataset, "origin", None)
    return origin(index) if callable(origin) else ""


def numbering(dataset: Any) -> npt.NDArray[np.int64]:
    """The numbers that samples have in the whole of which their data set is a part.

    Example:
        >>> from lenetcli.data import Digits, Subset
        >>> from lenetcli.data.dataset import numbering
        >>> numbering(Subset(Subset(Digits().train, [7, 8, 9]), [0, 2])).tolist()
        [7, 9]
    """
    numbers = np.arange(len(dataset))
    while isinstance(dataset, Subset):
        dataset, numbers = dataset.dataset, dataset.indices[numbers]
    return numbers


def whole_of(dataset: Any) -> Any:
    """The data set that this one is a part of, or itself."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def unlike(source: Source) -> str:
    """What tells the samples to test on from those to train on; empty where all have one shape, or nobody says."""
    train, test = (list(getattr(part, "sample_shape", ())) for part in (source.train, source.test))
    if train == test or not test:
        return ""
    hint = f"; data.resize=[{train[1]},{train[2]}] makes them alike" if train[0] == test[0] and len(train) == 3 else ""
    return f"samples to test on are {test}, those to train on {train}{hint}"


class Source:
    """Where a config's data comes from: a train and a test split, loaded on first use.

    A subclass reads its files in `load`; its typed constructor is what a config may write under `data:`.
    """

    classes: Sequence[str] = ()
    preprocessing: Preprocessing
    places: ClassVar[tuple[str, ...]] = ("root", "path")  # the arguments that say where the data lies, if it has them
    missing: str | None = None  # what to say instead of reading, where the data is not there

    def __init__(self, augment: Augmentation | None = None) -> None:
        self._augment = augment
        self._splits: dict[str, ArrayDataset] = {}
        self.dropped = Tally()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What was found and is not used, in the splits that have been loaded."""
        dropped = getattr(self, "dropped", None)
        return dropped.found() if isinstance(dropped, Tally) else ()

    def check_there(self) -> None:
        """Refuses data that is not there and will not be downloaded.

        Raises:
            DataError: it is not.
        """
        if self.missing is not None and not getattr(self, "download", False):
            raise DataError(self.missing)

    @property
    def augmenter(self) -> Augmenter | None:
        """What changes the pictures while a model trains on them."""
        augment = getattr(self, "_augment", None)  # a class of the user's own may have its own constructor
        return None if augment is None else Augmenter(augment, self.train.preprocessing)

    def load(self, split: str) -> ArrayDataset:
        """Reads "train", "test" or, where `has_validation`, "validation".

        What it gives is looked at once: floats must be finite.

        Raises:
            DataError: a file is missing or damaged.
        """
        raise NotImplementedError

    def _split(self, name: str) -> ArrayDataset:
        if name not in self._splits:
            self.check_there()
            found = self.load(name)
            arrays = [(key, getattr(found, key, None)) for key in ("images", "targets")]
            check_finite(name, arrays, getattr(found, "origin", None))
            self._splits[name] = found
        return self._splits[name]

    @property
    def train(self) -> ArrayDataset:
        """The samples to train on."""
        return self._split("train")

    @property
    def test(self) -> ArrayDataset:
        """The samples to judge by."""
        return self._split("test")

    @property
    def has_validation(self) -> bool:
        """Whether the data has a validation split of its own."""
        return False

    @property
    def validation(self) -> ArrayDataset | None:
        """The samples that choose the best epoch, where the data has some for that."""
        return self._split("validation") if self.has_validation else None


def parts_of(source: Source) -> dict[str, ArrayDataset]:
    """Every split of a data set, by its name."""
    found = {"train": source.train, "test": source.test}
    held = getattr(source, "validation", None)  # a class of the user's own may know none
    return found if held is None else {**found, "validation": held}
