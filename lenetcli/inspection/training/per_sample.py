"""How a model does on each sample of a data set by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.data.loader import DataLoader
from lenetcli.inspection.statistics import Array
from lenetcli.nn.module import Module
from lenetcli.train.answers import decisions
from lenetcli.train.losses import main_term
from lenetcli.train.run import Run
from lenetcli.train.sample_losses import sample_losses


@dataclass(frozen=True)
class PerSample:
    """How a model does on each sample of a data set.

    Args:
        losses: of each sample alone, (N,).
        weights: what they weigh in the mean, (N,).
        targets, predicted: the classes and those that samples are taken for, (N,); None where targets are no classes.
    """

    losses: Array
    weights: Array
    targets: Array | None
    predicted: Array | None

    @property
    def loss(self) -> float:
        """The mean."""
        return self.mean(self.losses)

    @property
    def accuracy(self) -> float | None:
        """Share of right ones."""
        return None if self.targets is None else float(np.mean(self.predicted == self.targets))

    def mean(self, values: Array) -> float:
        """Of something that each sample has, weighed as the losses are."""
        whole = self.weights.sum()
        return float((values * self.weights).sum() / whole) if whole else float("nan")


def per_sample(run: Run, model: Module, loader: DataLoader | None = None) -> PerSample:
    """A model on the run's test split (or other data), sample by sample; mode and random numbers stay what they are."""
    losses, weights, targets, predicted = [], [], [], []
    training, random, term = model.training, run.random.get_state(), main_term(run.criterion)
    model.eval()
    try:
        with no_grad():
            for inputs, wanted in run.test_loader if loader is None else loader:
                output = model(inputs)
                loss, weight = sample_losses(run.criterion, output, wanted, inputs)
                losses.append(loss)
                weights.append(weight)
                found = decisions(term.of(output).array, term.wanted(wanted, inputs).array, term.criterion)
                if found is not None:
                    targets.append(found.wanted)
                    predicted.append(found.predicted)
    finally:
        model.train(training)
        run.random.set_state(random)
    classes = (np.concatenate(targets), np.concatenate(predicted)) if targets else (None, None)
    return PerSample(np.concatenate(losses), np.concatenate(weights), *classes)
