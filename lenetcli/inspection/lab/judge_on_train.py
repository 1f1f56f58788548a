"""judge-on-training-data: measuring memory instead of understanding."""

from __future__ import annotations

from lenetcli.data.dataset import Subset
from lenetcli.data.loader import DataLoader
from lenetcli.inspection.lab.bench import Bench, plain_step
from lenetcli.inspection.lab.lesson import Cell, Finding, Lesson
from lenetcli.train.evaluate import Evaluation
from lenetcli.train.run import Run

FEW = 64  # training samples, so that they can be learnt by heart quickly
ROUNDS = (0, 10, 20, 40, 80)  # steps after which both are measured


def wrong(bench: Bench, run: Run) -> Evaluation:
    return bench.judge(run, split="train")


def right(bench: Bench, run: Run) -> Evaluation:
    return bench.judge(run, split="test")


def compare(bench: Bench) -> Finding:
    """One training on a few samples, judged both ways on its way."""
    run = bench.make()
    few = Subset(run.train_loader.dataset, range(min(FEW, len(run.train_loader.dataset))))
    run.train_loader = DataLoader(few, run.train_loader.batch_size, shuffle=True)
    rows: list[tuple[Cell, ...]] = []
    made = 0
    for steps in ROUNDS:
        bench.train(run, plain_step, steps - made)
        made = steps
        a, b = wrong(bench, run), right(bench, run)
        rows.append((steps, a.loss, a.accuracy, b.loss, b.accuracy))
    columns: tuple[str, ...] = ("step", "wrong: loss", "wrong: accuracy", "right: loss", "right: accuracy")
    if rows[-1][2] is None:
        columns, rows = ("step", "wrong: loss", "right: loss"), [(row[0], row[1], row[3]) for row in rows]
        told = f"loss {rows[-1][1]:.3g} on the training data, {rows[-1][2]:.3g} on data the net has not seen"
    else:
        told = f"{rows[-1][2]:.1%} right on the training data, {rows[-1][4]:.1%} on data the net has not seen"
    return Finding(
        columns,
        rows,
        (
            f"trained on {len(few)} sample{'s' * (len(few) > 1)}: {told}",
            "the gap is what was learnt by heart (overfitting)",
        ),
    )


LESSON = Lesson(
    "judge-on-training-data",
    "the model is judged by the data it was trained on",
    wrong,
    right,
    compare,
    "A net with enough parameters can store its training data: the loss there goes to 0 and says nothing about new "
    "data. The same happens, slower, to a test set that is looked at again and again to choose settings.",
    "Judge by data held back from training (train.validation: 0.1), and use the test split once, at the end.",
)
