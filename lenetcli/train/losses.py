"""The losses of a training: one that compares the model's output with labels, or several, weighed and added up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

from lenetcli.nn.module import Module
from lenetcli.tensors.creation import zeros_like
from lenetcli.tensors.tensor import Tensor
from lenetcli.train import pairing

Against = Literal["label", "input"]


@dataclass(frozen=True)
class Term:
    """One of several losses.

    Args:
        name: what its figures are told under: the output's name, with the loss's where an output has two.
        criterion: the loss.
        index: which of the model's outputs it takes; None where the model gives one tensor.
        weight: what it counts in the sum.
        target: what the output is compared with: the samples' labels, or the samples themselves.
    """

    name: str
    criterion: Module
    index: int | None = None
    weight: float = 1.0
    target: Against = "label"

    def of(self, output: Any) -> Tensor:
        """Its part of what the model gave."""
        found: Tensor = output if self.index is None else output[self.index]
        return found

    def view(self, model: Module) -> Module:
        """The model, giving just that part."""
        return model if self.index is None else OneOutput(model, self.index)

    def wanted(self, target: Any, inputs: Any) -> Any:
        """What the output is compared with."""
        return target if self.target == "label" else inputs


class OneOutput(Module):
    """One output of a model that has several."""

    def __init__(self, model: Module, index: int) -> None:
        super().__init__()
        self.model, self.index, self.training = model, index, model.training

    def forward(self, input: Any) -> Any:
        return self.model(input)[self.index]


class Losses(Module):
    """Several losses as one: the sum of all, each with its weight.

    Formula:
        loss = Σ weight · loss(output, target)

    Args:
        terms: in the order of the configuration.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        super().__init__()
        self.terms = tuple(terms)
        for i, term in enumerate(terms):
            self.add_module(_attribute(self, term.name, i), term.criterion)

    @property
    def main(self) -> Term:
        """The one whose accuracy is the training's: the first that has labels to compare with, else the first."""
        return next((term for term in self.terms if term.target == "label"), self.terms[0])

    def forward(
        self, output: Any, target: Tensor, inputs: Tensor | None = None, shares: Sequence[float] = (),
        found: list[Tensor | None] | None = None, wholes: Sequence[float] = (),
    ) -> Tensor:  # fmt: skip
        """The sum of the losses.

        Args:
            inputs: what the model was given.
            shares: of each loss, what it counts in its step (see `accumulate.share`); 0: nothing, nor is it computed.
            found: takes the losses, without weights; None for one that is not computed.
            wholes: of each loss, what it counts in all processes that train the run: where that is something, its
                output gets a gradient here, too, if only zeros, since layers may exchange numbers in backward.
        """
        total: Tensor | None = None
        for term, share, whole in zip_longest(self.terms, shares or (1.0,) * len(self.terms), wholes):
            loss = loss_of(term.criterion, term.of(output), term.wanted(target, inputs)) if share else None
            if found is not None:
                found.append(loss)
            if loss is not None:
                part = loss if share * term.weight == 1 else loss * (share * term.weight)
                total = part if total is None else total + part
            elif whole:
                part = (term.of(output) * 0.0).sum()
                total = part if total is None else total + part
        return zeros_like(self.terms[0].of(output)).sum() if total is None else total


def _attribute(owner: Module, name: str, number: int) -> str:
    """The name of a loss among the modules: what its figures are told under, where it can be one."""
    return f"loss_{number}" if "." in name or hasattr(owner, f"loss_{name}") else f"loss_{name}"


def loss_of(criterion: Module, output: Any, target: Tensor, inputs: Tensor | None = None) -> Tensor:
    """The value of the losses for a batch; see `pairing.loss_of`.

    Args:
        output: what the model gave: a tensor, or a tuple of the outputs that several losses take.
        inputs: what the model was given, for losses that compare with it.

    Raises:
        ShapeError: a loss of single numbers would have to spread one of them over the other.
    """
    if isinstance(criterion, Losses):
        total: Tensor = criterion(output, target, inputs)
        return total
    return pairing.loss_of(criterion, output, target)


def main_term(criterion: Module) -> Term:
    """What a training's accuracy is of: the main one of several losses, or the one that there is."""
    return criterion.main if isinstance(criterion, Losses) else Term("", criterion)


def terms_of(criterion: Module) -> Iterator[Term]:
    """All losses."""
    yield from criterion.terms if isinstance(criterion, Losses) else [Term("", criterion)]


def asks_for_inputs(criterion: Module) -> bool:
    """Whether a criterion compares an output with what the model was given."""
    return isinstance(criterion, Losses) and any(term.target == "input" for term in criterion.terms)


def kinds(criterion: Module) -> str:
    """The class of the loss, or those of several.

    Example:
        >>> from lenetcli import nn
        >>> kinds(nn.MSELoss()), kinds(Losses([Term("a", nn.MSELoss()), Term("b", nn.L1Loss())]))
        ('MSELoss', 'MSELoss + L1Loss')
    """
    return " + ".join(type(term.criterion).__name__ for term in terms_of(criterion))
