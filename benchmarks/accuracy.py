"""Test accuracy of a configuration over several seeds, here and, where torch is installed, by the same recipe in torch.

python benchmarks/accuracy.py configs/lenet.yaml [K=V ...] [--seeds 5]

torch gets the same data, batch size, epochs, loss, optimizer and schedule, its own initial weights and order.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

from lenetcli import config, nn
from lenetcli.build import parts
from lenetcli.build.scheduler import with_lengths
from lenetcli.config import Config
from lenetcli.data import DataLoader
from lenetcli.train.events import Evaluated
from lenetcli.train.loop import fit


def here(settings: Config) -> float:
    """Accuracy on the test split after the last epoch."""
    last = [e for e in fit(parts.build_run(settings)) if isinstance(e, Evaluated) and e.split == "test"][-1]
    assert last.accuracy is not None, "a classification"
    return last.accuracy


def in_torch(torch: Any, settings: Config) -> float:
    """The same recipe in torch."""
    torch.manual_seed(settings.seed)
    source = parts.build_data(settings)
    (x, y), (x_test, y_test) = (whole(torch, split) for split in (source.train, source.test))
    model = translated(torch, parts.build_model(settings)[0])
    criterion = getattr(torch.nn, settings.loss.type)(**settings.loss.args)
    optimizer = getattr(torch.optim, settings.optimizer.type)(model.parameters(), **settings.optimizer.args)
    scheduler = None
    settings = with_lengths(settings)
    if settings.scheduler is not None:
        kind = getattr(torch.optim.lr_scheduler, settings.scheduler.type)
        scheduler = kind(optimizer, **settings.scheduler.args)
    for _ in range(settings.train.epochs):
        for rows in torch.randperm(len(x)).split(settings.train.batch_size):
            optimizer.zero_grad()
            criterion(model(x[rows]), y[rows]).backward()
            optimizer.step()
        if scheduler is not None:
            scheduler.step()
    with torch.no_grad():
        right = [(model(a).argmax(1) == b).sum().item() for a, b in zip(x_test.split(1000), y_test.split(1000))]
    return sum(right) / len(x_test)


def whole(torch: Any, dataset: Any) -> tuple[Any, Any]:
    """A split as two torch tensors."""
    inputs, targets = next(DataLoader(dataset, len(dataset)).batches(0))
    return torch.tensor(np.ascontiguousarray(inputs.numpy())), torch.tensor(targets.numpy())


def translated(torch: Any, model: nn.Sequential) -> Any:
    """torch's layers of the same names and arguments (our layers print as torch's do), freshly drawn."""
    return torch.nn.Sequential(*(eval(repr(layer), vars(torch.nn)) for layer in model))


def main() -> None:
    """Prints a line a seed, then means and their difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("changes", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
    found: dict[str, list[float]] = {"lenet": [], "torch": []}
    for seed in range(arguments.seeds):
        settings = config.load(arguments.config, [*arguments.changes, f"seed={seed}"])
        for name, train in (("lenet", here), ("torch", lambda c: in_torch(torch, c))):
            if name == "torch" and torch is None:
                continue
            began = time.perf_counter()
            found[name].append(train(settings))
            print(f"seed {seed} {name}: {found[name][-1]:.4f} in {time.perf_counter() - began:.1f} s", flush=True)
    means = {name: statistics.mean(values) for name, values in found.items() if values}
    for name, mean in means.items():
        spread = statistics.stdev(found[name]) if len(found[name]) > 1 else 0.0
        print(f"{name}: mean {mean:.4f}, standard deviation {spread:.4f}")
    if len(means) == 2:
        print(f"difference: {means['lenet'] - means['torch']:+.4f}")


if __name__ == "__main__":
    main()
