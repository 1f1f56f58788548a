"""no-shuffle: batches in the order of the classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.data.dataset import Subset
from lenetcli.data.loader import DataLoader
from lenetcli.inspection.lab.bench import Bench, all_targets, batches, plain_step
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.train.run import Run

BATCHES = 60  # of an epoch
SHOWN = 12


def wrong(run: Run, by_class: Subset) -> DataLoader:
    return DataLoader(by_class, run.train_loader.batch_size, shuffle=False)


def right(run: Run, by_class: Subset) -> DataLoader:
    return DataLoader(by_class, run.train_loader.batch_size, shuffle=True)


def compare(bench: Bench) -> Finding:
    """One epoch of data that lies sorted by class, as many data sets do."""
    found = []
    for way in (wrong, right):
        run = bench.make()
        bench.needs_classes(run, LESSON.name)
        count = min(len(run.train_loader.dataset), BATCHES * run.train_loader.batch_size)
        order = np.argsort(all_targets(run.train_loader, count), kind="stable").tolist()
        run.train_loader = way(run, Subset(run.train_loader.dataset, order))
        classes = [targets.array for _, targets in batches(run, len(run.train_loader))]
        taken = bench.train(run, plain_step, len(run.train_loader))
        judged = bench.judge(run)
        found.append((classes, [t.loss for t in taken], judged))
    (classes_a, a, judged_a), (classes_b, b, judged_b) = found
    rows = [
        (i + 1, named(classes_a[i]), a[i], named(classes_b[i]), b[i])
        for i in turns(classes_a)[:SHOWN]
        if i < min(len(a), len(b))
    ]
    return Finding(
        ("batch", "wrong: holds", "wrong: loss", "right: holds", "right: loss"),
        rows,
        (
            f"test accuracy after the epoch: {judged_a.accuracy:.1%} sorted, {judged_b.accuracy:.1%} shuffled",
            (
                f"sorted, the loss falls within a class and jumps where the next begins; afterwards the test loss is "
                f"{judged_a.loss:.3g}, shuffled it is {judged_b.loss:.3g}"
            ),
        ),
    )


def named(targets: Any) -> str:
    """The classes in a batch: the one, or how many."""
    found = np.unique(targets)
    return f"only {found[0]}" if len(found) == 1 else f"{len(found)} classes"


def turns(batches_: list[Any]) -> list[int]:
    """The first and the last batch of each class, where batches lie in the order of the classes."""
    main = [int(np.bincount(targets).argmax()) for targets in batches_]
    last = len(main) - 1
    return [i for i in range(len(main)) if i in (0, last) or main[i] != main[i - 1] or main[i] != main[i + 1]]


LESSON = Lesson(
    "no-shuffle",
    "the batches come in the order in which the data lies: sorted by class",
    wrong,
    right,
    compare,
    "Each step follows the mean gradient of its batch. A batch of one class says only 'always answer this class', "
    "and the next hundred batches agree; then comes another class and the net forgets the first. A falling loss "
    "while training means nothing here: the net knows the class that is on.",
    "Shuffle the training data every epoch (train.shuffle: true, the default). Order does not matter for evaluation.",
)
