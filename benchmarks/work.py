"""The pieces of work that are measured: the same nets, batches and steps for this project and for torch.

A `Work` makes one side's piece, a function without arguments, so that one side alone can be set up, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import lenetcli as lenet
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.kernels.layout import logical, stored
from lenetcli.train.loop import train_epoch
from lenetcli.train.run import Run

PACKAGES: dict[str, Any] = {"lenet": lenet, "torch": torch}
Piece = Callable[[], Any]
Work = Callable[[str], Piece]
Net = Callable[[Any], Any]  # of either package's nn


def sequential(nn: Any, width: int = 1, image: int = 32) -> Any:
    """The seed net as a Sequential, its layers `width` times as wide, for images of another size."""
    a, b, c, d = 6 * width, 16 * width, 120 * width, 84 * width
    side = ((image - 2) // 2 - 2) // 2
    return nn.Sequential(
        nn.Conv2d(1, a, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(a, b, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(b * side * side, c), nn.ReLU(), nn.Linear(c, d), nn.ReLU(), nn.Linear(d, 10),
    )  # fmt: skip


def by_hand(nn: Any) -> Any:
    """The seed net as a Module with its own forward, op by op."""
    functional, flatten = nn.functional, torch.flatten if nn is torch.nn else lenet.flatten

    class Net(nn.Module):  # type: ignore[misc]  # of either package
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 3)
            self.fc1, self.fc2, self.fc3 = nn.Linear(576, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x: Any) -> Any:
            x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
            x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
            x = functional.relu(self.fc1(flatten(x, 1)))
            return self.fc3(functional.relu(self.fc2(x)))

    return Net()


def mlp(nn: Any) -> Any:
    """784-512-512-10."""
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def small_mlp(nn: Any) -> Any:
    """784-64-64-10."""
    return nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn(nn: Any, image: int = 32) -> Any:
    """BatchNorm CNN 3-32-64-128."""
    layers: list[Any] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * (image // 8) ** 2, 10))


def rows(kind: str) -> Net:
    """A recurrent layer of 128 units over the rows of a picture of 28x28, and a Linear layer of its last output."""

    def make(nn: Any) -> Any:
        class Rows(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.rows, self.classes = getattr(nn, kind)(28, 128, batch_first=True), nn.Linear(128, 10)

            def forward(self, x: Any) -> Any:
                return self.classes(self.rows(x)[0][:, -1])

        return Rows()

    return make


def vgg(nn: Any) -> Any:
    """VGG-like 3-32-64-128: two convolutions, then a pool."""
    layers: list[Any] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.Conv2d(after, after, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10))


def all_convolutional(nn: Any) -> Any:
    """3-32-64-128, with convolutions of stride 2 for pools."""
    layers: list[Any] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(after, after, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10))


def resnet(nn: Any) -> Any:
    """ResNet-20 for images of 32x32."""

    class Block(nn.Module):  # type: ignore[misc]  # of either package
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.norm1, self.norm2, self.relu = nn.BatchNorm2d(after), nn.BatchNorm2d(after), nn.ReLU()
            self.short = nn.Sequential()
            if stride > 1:
                self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x: Any) -> Any:
            y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
            return self.relu(y + self.short(x))

    layers: list[Any] = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    for before, after, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        layers += [Block(before, after, stride), Block(after, after, 1), Block(after, after, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def separable(nn: Any) -> Any:
    """Depthwise convolutions and those of single pixels in turn, each with BatchNorm and ReLU."""
    layers: list[Any] = [nn.Conv2d(3, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()]
    for before, after, stride in ((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2)):
        layers += [nn.Conv2d(before, before, 3, stride, 1, groups=before), nn.BatchNorm2d(before), nn.ReLU()]
        layers += [nn.Conv2d(before, after, 1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


def tanh_lenet(nn: Any) -> Any:
    """LeNet-5 as of 1998, but for its last layer: Tanh and means."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def group_norm_net(nn: Any) -> Any:
    """Grouped convolutions with GroupNorm and SiLU."""
    layers: list[Any] = [nn.Conv2d(3, 32, 3, padding=1)]
    for before, after in ((32, 64), (64, 64), (64, 128)):
        layers += [
            nn.GroupNorm(8, before),
            nn.SiLU(),
            nn.Conv2d(before, after, 3, padding=1, groups=4),
            nn.MaxPool2d(2),
        ]
    return nn.Sequential(
        *layers, nn.GroupNorm(8, 128), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)
    )


def convolutional_autoencoder(nn: Any) -> Any:
    """Images to 32 channels of a quarter of their side and back, by strides of 2."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid(),
    )  # fmt: skip


def autoencoder(nn: Any) -> Any:
    """784-256-64-256-784."""
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(),
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid(),
    )  # fmt: skip


def basic_mnist(nn: Any) -> Any:
    """The net of torch's basic MNIST example."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10),
    )  # fmt: skip


def deep_mlp(nn: Any, layers: int) -> Any:
    """`layers` layers in all: Linear and ReLU in turn, 64 wide."""
    return nn.Sequential(*(nn.Linear(64, 64) if i % 2 == 0 else nn.ReLU() for i in range(layers)))


def deep_cnn(nn: Any, layers: int) -> Any:
    """`layers` layers in all: a convolution of 8 channels and ReLU in turn, then a mean and ten classes."""
    body = [nn.Conv2d(8, 8, 3, padding=1) if i % 2 == 0 else nn.ReLU() for i in range(layers - 3)]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))


def batch_for(name: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The same batch of ten classes for each side, in its own memory order."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal(shape, np.float32), random.integers(0, 10, shape[0])
    if name == "torch":
        return torch.tensor(x), torch.tensor(y)
    return lenet.from_numpy(logical(stored(x)) if x.ndim == 4 else x), lenet.tensor(y)


def training(make: Net, shape: tuple[int, ...], optimizer: str = "SGD", *, of_itself: bool = False) -> Work:
    """A step, of SGD with momentum or of another optimizer as it is.

    Args:
        of_itself: the batch is its own target, with the mean square error as the loss.
    """

    def work(name: str) -> Piece:
        package, (x, y) = PACKAGES[name], batch_for(name, shape)
        model, criterion = make(package.nn), package.nn.MSELoss() if of_itself else package.nn.CrossEntropyLoss()
        y = x if of_itself else y
        options = {"lr": 0.01, "momentum": 0.9} if optimizer == "SGD" else {}
        update = getattr(package.optim, optimizer)(model.parameters(), **options)

        def step() -> None:
            update.zero_grad()
            criterion(model(x), y).backward()
            update.step()

        return step

    return work


def in_training(make: Net, shape: tuple[int, ...]) -> Work:
    """The same step as `Trainer` and `lenet train` make it, with loader, divergence guard, tally and event.

    torch makes that of `training`, on a batch which is there.
    """

    def work(name: str) -> Piece:
        if name == "torch":
            return training(make, shape)(name)
        random, count = np.random.default_rng(0), 256 * shape[0]
        x, y = random.standard_normal((count, *shape[1:]), np.float32), random.integers(0, 10, count)
        data = TensorDataset(lenet.from_numpy(x), lenet.from_numpy(y))
        model, loader = make(lenet.nn), DataLoader(data, shape[0], shuffle=True)
        sgd = lenet.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        run = Run(model, lenet.nn.CrossEntropyLoss(), sgd, loader, loader, epochs=1 << 30)

        def events() -> Iterator[Any]:
            while True:
                yield from train_epoch(run)
                run.progress.next_epoch()

        return events().__next__

    return work


def inference(make: Net, shape: tuple[int, ...]) -> Work:
    """A forward pass in evaluation."""

    def work(name: str) -> Piece:
        package, (x, _) = PACKAGES[name], batch_for(name, shape)
        model = make(package.nn).eval()

        def call() -> None:
            with package.no_grad():
                model(x)

        return call

    return work


def small_ops() -> dict[str, Work]:
    """Single ops on tiny tensors, forward and backward: what the tape itself costs."""

    def op(body: Callable[[dict[str, Any], Any], Any]) -> Work:
        def work(name: str) -> Piece:
            package = PACKAGES[name]
            x = package.ones(1, 1, 3, 3, requires_grad=True)
            layers = {"conv": package.nn.Conv2d(1, 1, 3), "linear": package.nn.Linear(3, 1)}

            def run() -> None:
                body(layers, x).sum().backward()

            return run

        return work

    return {
        "add": op(lambda layers, x: x + x),
        "relu": op(lambda layers, x: x.relu()),
        "linear": op(lambda layers, x: layers["linear"](x)),
        "conv2d": op(lambda layers, x: layers["conv"](x)),
    }


ACTIVATIONS = ("SiLU", "GELU", "Sigmoid", "Tanh", "LeakyReLU", "ELU", "Hardswish", "Softplus", "Mish")


def layers() -> dict[str, Work]:
    """Layers that the nets above do without, forward and backward, on 32 channels of 32x32 images."""

    def layer(make: Net, batch: int) -> Work:
        def work(name: str) -> Piece:
            package, (x, _) = PACKAGES[name], batch_for(name, (batch, 32, 32, 32))
            module = make(package.nn)
            x.requires_grad_()
            grad = package.ones_like(module(x).detach())

            def run() -> None:
                x.grad = None
                module(x).backward(grad)

            return run

        return work

    made: dict[str, Net] = {
        "MaxPool2d(3, 2, 1)": lambda nn: nn.MaxPool2d(3, 2, 1),
        "MaxPool2d(3, 1, 1)": lambda nn: nn.MaxPool2d(3, 1, 1),
        "AvgPool2d(2)": lambda nn: nn.AvgPool2d(2),
        "AvgPool2d(3, 1, 1)": lambda nn: nn.AvgPool2d(3, 1, 1),
        "Conv2d(32, 32, 3, 1, 1, groups=32)": lambda nn: nn.Conv2d(32, 32, 3, 1, 1, groups=32),
        "Conv2d(32, 32, 3, 2, 1, groups=32)": lambda nn: nn.Conv2d(32, 32, 3, 2, 1, groups=32),
        "Conv2d(32, 32, 5, 1, 2, groups=32)": lambda nn: nn.Conv2d(32, 32, 5, 1, 2, groups=32),
        "Conv2d(32, 32, 3, 1, 1, groups=8)": lambda nn: nn.Conv2d(32, 32, 3, 1, 1, groups=8),
        "Conv2d(32, 32, 3, 1, 1, groups=2)": lambda nn: nn.Conv2d(32, 32, 3, 1, 1, groups=2),
        "ConvTranspose2d(32, 16, 3, 2, 1, 1)": lambda nn: nn.ConvTranspose2d(32, 16, 3, 2, 1, 1),
        "AdaptiveAvgPool2d(1)": lambda nn: nn.AdaptiveAvgPool2d(1),
        "Upsample(scale_factor=2)": lambda nn: nn.Upsample(scale_factor=2),
        "Upsample(scale_factor=2, mode='bilinear')": lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"),
        "BatchNorm2d(32)": lambda nn: nn.BatchNorm2d(32),
        "BatchNorm2d(32), ReLU()": lambda nn: nn.Sequential(nn.BatchNorm2d(32), nn.ReLU()),
        "GroupNorm(8, 32)": lambda nn: nn.GroupNorm(8, 32),
        "InstanceNorm2d(32)": lambda nn: nn.InstanceNorm2d(32),
        "LayerNorm([32, 32, 32])": lambda nn: nn.LayerNorm([32, 32, 32]),
        "Softmax(1)": lambda nn: nn.Softmax(1),
        **{f"{name}()": (lambda nn, name=name: getattr(nn, name)()) for name in ACTIVATIONS},
    }
    return {f"{name}, batch {n}": layer(make, n) for name, make in made.items() for n in (1, 64)}
