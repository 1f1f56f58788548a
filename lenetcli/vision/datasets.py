"""torchvision.datasets: samples by number, each a picture and its class, changed by `transform` and `target_transform`.

A picture is a Pillow image where Pillow is installed, else an array of bytes (H, W) or (H, W, C): `ToTensor` makes the
same tensor of both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import Generator
from lenetcli.data import catalogue, cifar, mnist
from lenetcli.data.left_out import Tally
from lenetcli.data.picture_files import folders_in, picture_files
from lenetcli.errors import ConfigError, DataError
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.utils.data.dataset import Dataset
from lenetcli.vision.transforms.compose import Compose
from lenetcli.vision.transforms.convert import Normalize, ToTensor, as_floats
from lenetcli.vision.transforms.image import pillow

__all__ = ["CIFAR10", "MNIST", "DatasetFolder", "FakeData", "FashionMNIST", "ImageFolder", "KMNIST", "VisionDataset"]

Transform = Callable[[Any], Any]


class VisionDataset(Dataset[Any]):
    """Base of the data sets here: where it lies, and what is done to its samples.

    Args:
        root: the directory.
        transforms: a function of picture and class, in place of the two others.
        transform: a function of the picture.
        target_transform: a function of the class.

    Raises:
        ValueError: `transforms` and one of the others.

    Source: torchvision.datasets.VisionDataset.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        transforms: Callable[[Any, Any], Any] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.root = Path(root).expanduser() if root is not None else None
        self.transform, self.target_transform, self.transforms = transform, target_transform, transforms

    def _changed(self, picture: Any, target: Any) -> tuple[Any, Any]:
        if self.transforms is not None:
            return self.transforms(picture, target)
        if self.transform is not None:
            picture = self.transform(picture)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return picture, target

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"    Root location: {self.root}")
        lines += [f"    {line}" for line in self.extra_repr().splitlines()]
        if self.transform is not None:
            lines += ["    StandardTransform", f"Transform: {self.transform}".replace("\n", "\n           ")]
        return "\n".join(lines)

    def extra_repr(self) -> str:
        """What `repr` says beside the number of samples."""
        return ""


class _Held(VisionDataset):
    """A data set that is read whole: bytes in memory."""

    source: ClassVar[Any]
    classes: ClassVar[Any] = ()

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, None, transform, target_transform)
        self.train = bool(train)
        assert self.root is not None
        found = self._read(self.root, "train" if train else "test", download)
        self._images: npt.NDArray[np.uint8] = np.asarray(found.images)
        self._targets: npt.NDArray[np.int64] = np.asarray(found.targets)
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _places(self, root: Path) -> list[Path]:
        """Where the files may lie, the first being where a download puts them."""
        return [root]

    def _read(self, root: Path, split: str, download: bool) -> Any:
        name = self.source.name
        places = self._places(root)
        place = next((p for p in places if p.is_dir() and catalogue.present(name, p)), None)
        if place is None:
            try:
                return self.source(str(places[0])).load(split)
            except DataError:
                if not download:
                    raise RuntimeError(
                        f"Dataset not found. You can use download=True to download it: no files of {name} in "
                        f"{', '.join(str(p) for p in places)}"
                    ) from None
            place = places[0]
            place.mkdir(parents=True, exist_ok=True)
            return self.source(str(place), True).load(split)
        return self.source(str(place)).load(split)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        pixels = self._images[index]
        shown = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        return self._changed(_picture(shown), int(self._targets[index]))

    def __getitems__(self, indices: list[int]) -> list[tuple[Any, Any]]:
        """Several samples: at once where `transform` is ToTensor and what may follow it, Normalize."""
        steps = list(self.transform.transforms) if type(self.transform) is Compose else [self.transform]
        if self.transforms is not None or [type(step) for step in steps] not in ([ToTensor], [ToTensor, Normalize]):
            return [self[i] for i in indices]
        images = of_array(as_floats(self._images[indices]))
        for step in steps[1:]:
            images = step(images)  # type: ignore[misc]  # Normalize
        change = self.target_transform or (lambda target: target)
        targets = self._targets[indices].tolist()
        return [(of_array(image), change(target)) for image, target in zip(images.array, targets)]

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class MNIST(_Held):
    """Handwritten digits, 28x28 in gray: 60,000 to train on, or 10,000 to test.

    Args:
        root: a directory; the IDX files are looked for in root/MNIST/raw, root/MNIST and root.
        train: the training split, or the other.
        transform, target_transform: of picture and class.
        download: get what is missing into root/MNIST/raw.

    Raises:
        RuntimeError: the files are not there. DataError: they are damaged.

    Source: torchvision.datasets.MNIST.
    """

    source = mnist.MNIST
    classes: ClassVar[list[str]] = [
        f"{i} - {word}"
        for i, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    ]

    def _places(self, root: Path) -> list[Path]:
        name = type(self).__name__
        return [root / name / "raw", root / name, root]

    @property
    def data(self) -> Tensor:
        """The pictures, (N, 28, 28) of uint8."""
        return of_array(self._images[:, 0])

    @property
    def targets(self) -> Tensor:
        """The classes, (N,) of int64."""
        return of_array(self._targets)


class FashionMNIST(MNIST):
    """Pictures of clothes in MNIST's format. Arguments as for MNIST. Source: torchvision.datasets.FashionMNIST."""

    source = mnist.FashionMNIST
    classes: ClassVar[list[str]] = list(mnist.FashionMNIST.classes)


class KMNIST(MNIST):
    """Handwritten Hiragana in MNIST's format. Arguments as for MNIST. Source: torchvision.datasets.KMNIST."""

    source = mnist.KMNIST
    classes: ClassVar[list[str]] = list(mnist.KMNIST.classes)


class CIFAR10(_Held):
    """Colour photos of ten classes, 32x32: 50,000 to train on, or 10,000 to test. Arguments as for MNIST.

    The files are those of the binary version (cifar-10-binary.tar.gz, or unpacked), which hold the same pictures in the
    same order as torchvision's; the Python version's are pickles, which are not read.

    Raises:
        RuntimeError: the files are not there. DataError: they are damaged.

    Source: torchvision.datasets.CIFAR10.
    """

    source = cifar.CIFAR10
    classes: ClassVar[list[str]] = list(cifar.CIFAR10.classes)

    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """The pictures, (N, 32, 32, 3)."""
        return np.ascontiguousarray(np.moveaxis(self._images, 1, -1))

    @property
    def targets(self) -> list[int]:
        """The classes."""
        return self._targets.tolist()


class DatasetFolder(VisionDataset):
    """Files in a folder for each class. Source: torchvision.datasets.DatasetFolder.

    Args:
        root: the directory of the classes' folders.
        loader: makes a sample of a path.
        extensions: that a file's name may end in; or
        is_valid_file: says of a path whether it is one.

    Raises:
        FileNotFoundError: no folders, or a class without files.
    """

    def __init__(
        self,
        root: str | Path,
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, None, transform, target_transform)
        if (extensions is None) == (is_valid_file is None):
            raise ValueError("Both extensions and is_valid_file cannot be None or not None at the same time")
        assert self.root is not None
        self.loader, self.extensions = loader, extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples: list[tuple[str, int]] = []
        for name, number in self.class_to_idx.items():
            found = self._files(self.root / name, is_valid_file)
            if not found and not allow_empty:
                raise FileNotFoundError(f"Found no valid file for the classes {name} in {self.root}.")
            self.samples += [(str(path), number) for path in found]
        self.imgs = self.samples
        self.targets = [number for _, number in self.samples]

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """The folders' names in order, and the number of each."""
        try:
            found = sorted(folders_in(Path(directory)))
        except (OSError, DataError, ConfigError) as error:
            raise FileNotFoundError(f"{directory}: {error}") from None
        if not found:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return found, {name: i for i, name in enumerate(found)}

    def _files(self, folder: Path, is_valid_file: Callable[[str], bool] | None) -> list[Path]:
        valid = is_valid_file or (lambda path: path.lower().endswith(self.extensions or ()))
        return sorted(path for path in folder.rglob("*") if path.is_file() and valid(str(path)))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self._changed(self.loader(path), target)


class ImageFolder(DatasetFolder):
    """Pictures in a folder for each class, as colours. Needs Pillow. Source: torchvision.datasets.ImageFolder.

    Args:
        root: the directory of the classes' folders.
        transform, target_transform: of picture and class.
        loader: makes a picture of a path; Pillow's, in colours, unless given.
        is_valid_file: says of a path whether it is a picture; by its suffix unless given.
    """

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Callable[[str], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        self._by_suffix = is_valid_file is None
        super().__init__(
            root,
            loader or _in_colours,
            None if is_valid_file else (".",),
            transform,
            target_transform,
            is_valid_file,
            allow_empty,
        )

    def _files(self, folder: Path, is_valid_file: Callable[[str], bool] | None) -> list[Path]:
        return picture_files(folder, Tally()) if self._by_suffix else super()._files(folder, is_valid_file)


class FakeData(VisionDataset):
    """Pictures of normal random numbers, each drawn from a seed of its own. Source: torchvision.datasets.FakeData.

    Args:
        size: how many.
        image_size: (C, H, W).
        num_classes: how many classes.
        random_offset: added to a sample's number to make its seed.
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(None, None, transform, target_transform)
        self.size, self.image_size, self.num_classes, self.random_offset = size, image_size, num_classes, random_offset

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from lenetcli.autograd.random import default_generator, drawing_from
        from lenetcli.tensors.sampling import randint, randn
        from lenetcli.vision.transforms.convert import to_pil_image

        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        generator: Generator = default_generator().fresh().manual_seed(index + self.random_offset)
        with drawing_from(generator):
            image = randn(*self.image_size)
            target = int(randint(0, self.num_classes, (1,)).item())
        return self._changed(to_pil_image(image), target)


def _picture(pixels: npt.NDArray[np.uint8]) -> Any:
    try:
        return pillow().fromarray(pixels)
    except ModuleNotFoundError:
        return pixels


def _in_colours(path: str) -> Any:
    with open(path, "rb") as file:
        return pillow().open(file).convert("RGB")
