"""The recipe of configs/mnist-99.yaml as one writes it in torch: python benchmarks/mnist_99.py DIR [SEED]

DIR holds the four gzipped files of MNIST. Prints the accuracy on the test images after each epoch.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCH, RATE = 5, 128, 0.004


def net() -> nn.Sequential:
    """The model."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def samples(root: Path, split: str) -> TensorDataset:
    """Normalised images and their labels."""

    def read(name: str, header: int) -> np.ndarray:
        return np.frombuffer(gzip.decompress((root / f"{split}-{name}-ubyte.gz").read_bytes()), np.uint8, offset=header)

    pixels = torch.from_numpy(read("images-idx3", 16).reshape(-1, 1, 28, 28).copy()).float() / 255
    return TensorDataset((pixels - 0.1307) / 0.3081, torch.from_numpy(read("labels-idx1", 8).astype(np.int64)))


def main(root: Path, seed: int = 0) -> None:
    """Trains and evaluates."""
    torch.manual_seed(seed)
    train = DataLoader(samples(root, "train"), batch_size=BATCH, shuffle=True)
    test = DataLoader(samples(root, "t10k"), batch_size=256)
    model = net()
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=RATE)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS)
    for _ in range(EPOCHS):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            criterion(model(images), labels).backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in test)
        print(f"{right / len(test.dataset):.4f}", flush=True)  # type: ignore[arg-type]  # a TensorDataset has a length


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
