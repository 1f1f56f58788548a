"""torchvision's names: the same pictures after the same seed, from files laid out as torchvision lays them."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd.random import drawing_from
from lenetcli.autograd.torch_random import TorchGenerator
from lenetcli.errors import DataError
from lenetcli.utils.data import DataLoader
from lenetcli.vision import datasets, transforms, utils
from lenetcli.vision.transforms import functional, v2
from tests.vision.make_references import SEEDS, STORED, cases, made

REFERENCES = json.loads(STORED.read_text("utf-8"))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_transforms_draw_and_do_what_torchvisions_do(version: str) -> None:
    pytest.importorskip("PIL")
    module = {"v1": transforms, "v2": v2}[version]
    for expression, kind in cases():
        for seed in SEEDS:
            with drawing_from(TorchGenerator()):
                found = made(lenet, module, expression, kind, seed)
            for here, there in zip(found, REFERENCES[f"{version} {expression} {kind}"][seed]):
                assert here[0] == there[0], (expression, kind, seed)
                assert here[2] == there[2], f"{expression} of a {kind}: other numbers were drawn"
                assert here[1] == pytest.approx(there[1], 1e-5, 1e-3), (expression, kind, seed)


def idx(place: Path, name: str, array: np.ndarray) -> None:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    (place / f"{name}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Thirty pictures in MNIST's format, where torchvision would have put them."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.arange(30 * 28 * 28).reshape(30, 28, 28) % 251
    for split, count in (("train", 20), ("t10k", 10)):
        idx(raw, f"{split}-images-idx3", pixels[:count])
        idx(raw, f"{split}-labels-idx1", np.arange(count) % 10)
    return tmp_path


def test_mnist_is_found_where_torchvision_puts_it(digits: Path) -> None:
    train, test = datasets.MNIST(digits, transform=transforms.ToTensor()), datasets.MNIST(str(digits), train=False)
    assert (len(train), len(test)) == (20, 10)
    image, target = train[3]
    assert (image.shape, target, train.targets[3].item()) == ((1, 28, 28), 3, 3)
    assert lenet.equal(image, train.data[3].float()[None] / 255)
    assert train.classes[2] == "2 - two"
    assert train.class_to_idx["9 - nine"] == 9
    assert repr(train).splitlines()[:4] == [
        "Dataset MNIST", "    Number of datapoints: 20", f"    Root location: {digits}", "    Split: Train"
    ]  # fmt: skip


@pytest.mark.parametrize("norm", [False, True])
def test_samples_made_together_are_those_made_one_by_one(digits: Path, norm: bool) -> None:
    steps = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))] if norm else [transforms.ToTensor()]
    quick = datasets.MNIST(digits, transform=transforms.Compose(steps))
    slow = datasets.MNIST(digits, transform=lambda picture: transforms.Compose(steps)(picture))
    for (a, s), (b, t) in zip(DataLoader(quick, 8), DataLoader(slow, 8)):
        assert lenet.equal(a, b)
        assert s.tolist() == t.tolist()


def test_without_pillow_a_sample_is_an_array_and_the_tensor_is_the_same(
    digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = datasets.MNIST(digits, transform=transforms.ToTensor())[5][0]
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    sample, _ = datasets.MNIST(digits)[5]
    assert isinstance(sample, np.ndarray)
    assert lenet.equal(transforms.ToTensor()(sample), expected)
    assert transforms.RandomCrop(20)(sample).shape == (20, 20)
    with pytest.raises(ModuleNotFoundError, match=r"needs Pillow: python -m pip install 'lenet\[images\]'"):
        transforms.Resize(20)(sample)


def test_cifar_in_its_binary_version(tmp_path: Path) -> None:
    records = np.zeros((4, 3073), np.uint8)
    records[:, 0] = [3, 1, 4, 1]
    records[:, 1:] = np.arange(3072) % 256
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        (tmp_path / name).write_bytes(records.tobytes())
    train = datasets.CIFAR10(tmp_path, transform=transforms.ToTensor())
    assert (len(train), train.data.shape, train.targets[:4]) == (20, (20, 32, 32, 3), [3, 1, 4, 1])
    image, target = train[0]
    assert (image.shape, target, train.classes[3]) == ((3, 32, 32), 3, "cat")
    assert lenet.equal((image * 255).round().flatten()[:5], lenet.arange(5.0))


def test_folders_of_pictures(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, count in (("cat", 2), ("dog", 1)):
        (tmp_path / name).mkdir()
        for i in range(count):
            image.fromarray(np.full((4, 5), 10 * i, np.uint8)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    found = datasets.ImageFolder(tmp_path, transform=transforms.ToTensor())
    assert (found.classes, found.class_to_idx, found.targets) == (["cat", "dog"], {"cat": 0, "dog": 1}, [0, 0, 1])
    assert found[0][0].shape == (3, 4, 5)
    assert [Path(path).name for path, _ in found.imgs] == ["0.png", "1.png", "0.png"]
    files = datasets.DatasetFolder(tmp_path, loader=len, extensions=(".txt", ".png"), target_transform=str)
    assert files[2] == (len(str(tmp_path / "cat" / "notes.txt")), "0")


def test_pictures_side_by_side(torch: Any, tmp_path: Path) -> None:
    given = lenet.rand(5, 1, 3, 4)
    grid = utils.make_grid(given, nrow=3, padding=1, pad_value=0.5)
    assert grid.shape == (3, 9, 16)
    assert lenet.equal(grid[0, 1:4, 1:5], given[0, 0])
    assert lenet.equal(grid[2, 5:8, 6:10], given[4, 0])
    assert utils.make_grid(given, normalize=True).max().item() == 1
    utils.save_image(given, tmp_path / "a.png", nrow=2)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


MISTAKES: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "no files": (lambda p: datasets.MNIST(p), RuntimeError, "Dataset not found. You can use download=True"),
    "damaged": (lambda p: damaged(p), DataError, "train-images-idx3-ubyte"),
    "no classes": (lambda p: datasets.ImageFolder(p / "nothing"), FileNotFoundError, "nothing"),
    "an empty class": (lambda p: empty(p), FileNotFoundError, "Found no valid file for the classes cat"),
    "ToTensor of a tensor": (
        lambda p: transforms.ToTensor()(lenet.ones(1)),
        TypeError,
        "pic should be PIL Image or ndarray. Got <class 'lenetcli.tensors.tensor.Tensor'>",
    ),
    "ToTensor of a line": (lambda p: transforms.ToTensor()(np.ones(3)), ValueError, "should be 2/3 dimensional. Got 1"),
    "Normalize of bytes": (
        lambda p: transforms.Normalize(0, 1)(lenet.ones(1, 2, 2, dtype=lenet.uint8)),
        TypeError,
        "Input tensor should be a float tensor. Got torch.uint8.",
    ),
    "Normalize by 0": (
        lambda p: transforms.Normalize([0.0], [0.0])(lenet.ones(1, 2, 2)),
        ValueError,
        "std evaluated to zero after conversion to torch.float32",
    ),
    "a crop too large": (
        lambda p: transforms.RandomCrop(9)(lenet.ones(1, 4, 4)),
        ValueError,
        r"Required crop size \(9, 9\) is larger than input image size \(4, 4\)",
    ),
    "margins": (
        lambda p: functional.pad(lenet.ones(1, 4, 4), [1, 2, 3]),
        ValueError,
        "1, 2, or 4 element tuple, not a 3",
    ),
    "a mode": (lambda p: functional.pad(lenet.ones(1, 4, 4), 1, 0, "mirror"), ValueError, "constant, edge, reflect"),
    "a turned tensor": (
        lambda p: transforms.RandomRotation(9)(lenet.ones(1, 4, 4)),
        NotImplementedError,
        "rotate: not of tensors; use it before ToTensor, on a Pillow image",
    ),
    "a shrunk tensor": (
        lambda p: transforms.Resize(2)(lenet.ones(1, 4, 4)),
        NotImplementedError,
        "a tensor is not made smaller with antialias=True",
    ),
    "a size of three": (lambda p: transforms.CenterCrop((1, 2, 3)), ValueError, "please provide only two dimensions"),
    "no picture": (lambda p: transforms.CenterCrop(2)("x"), TypeError, "wanted a Pillow image, an array .*, got str"),
    "a number of channels": (
        lambda p: functional.rgb_to_grayscale(lenet.ones(3, 2, 2), 2),
        ValueError,
        "either 1 or 3",
    ),
    "too much brightness": (lambda p: transforms.ColorJitter(hue=0.7), ValueError, "hue values should be between"),
    "no function": (lambda p: transforms.Lambda(3), TypeError, "Argument lambd should be callable, got 'int'"),
    "both kinds of transforms": (
        lambda p: datasets.VisionDataset(p, transforms=print, transform=print),
        ValueError,
        "Only transforms or transform/target_transform can be passed as argument",
    ),
    "erasing a picture": (lambda p: transforms.RandomErasing()(np.ones((2, 2))), TypeError, "use it after ToTensor"),
}


def damaged(place: Path) -> Any:
    (place / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"no"))
    for name in ("train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (place / f"{name}-ubyte.gz").write_bytes(gzip.compress(b"no"))
    return datasets.MNIST(place)


def empty(place: Path) -> Any:
    (place / "cat").mkdir()
    return datasets.ImageFolder(place)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(tmp_path: Path, name: str) -> None:
    make, kind, words = MISTAKES[name]
    with pytest.raises(kind, match=words):
        make(tmp_path)
