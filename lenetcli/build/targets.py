"""What a model gives beside what its data wants, seen before anything trains: shapes, numbers of classes, values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import Generator, drawing_from
from lenetcli.autograd.silence import silence
from lenetcli.build.fits import SIGNS, last_layer, would_fit
from lenetcli.build.model import refusals
from lenetcli.config import Config, dotted
from lenetcli.config.problems import Hint
from lenetcli.config.scheduling import watched_by
from lenetcli.config.sections import Train
from lenetcli.config.user_code import told
from lenetcli.data import Source, Subset
from lenetcli.data.dataset import gather
from lenetcli.errors import ConfigError, DataError, ShapeError
from lenetcli.kernels.device import to_host
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn.loss import Loss
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor, from_numpy
from lenetcli.train import metrics
from lenetcli.train.answers import class_name, decisions
from lenetcli.train.losses import Losses
from lenetcli.train.pairing import is_elementwise, loss_of
from lenetcli.train.run import Run
from lenetcli.train.scores import task_of

PER_CLASS = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss)  # losses whose `weight` holds one for each class
SHARES = (nn.BCELoss, nn.BCEWithLogitsLoss, nn.MultiLabelSoftMarginLoss)  # of targets from 0 to 1
FEW = 5  # classes that a message names
FEW_SAMPLES = 64  # that are looked at

Array = npt.NDArray[Any]


class Checked(NamedTuple):
    """What a look at outputs and targets found: the shape of a sample's output, and what should be said of the data."""

    output: tuple[int, ...]
    notes: tuple[str, ...] = ()


def check_output(
    config: Config, model: Module, criterion: Module, source: Source, device: str = "cpu", read: bool = True
) -> Checked:
    """Refuses a model whose outputs the losses cannot compare with what they are to be compared with; see `check_one`.

    Raises:
        ConfigError, DataError: as there.
    """
    if not isinstance(criterion, Losses):
        return check_one(config, model, criterion, source, device, read)
    found, main = [], criterion.main
    for given, term in zip(config.losses, criterion.terms):
        output = () if given.output is None else (given.output,)
        part = replace(config, loss=given.loss, model=replace(config.model, outputs=output), losses=())
        if term is not main:  # the accuracy that options may look at is another's
            part = replace(part, train=_unwatched(part.train), scheduler=None)
        if term.target == "label":
            found.append(check_one(part, term.view(model), term.criterion, source, device, read))
        else:
            shape = _check_against_input(part, term.view(model), term.criterion, source, device, read)
            found.append(Checked(shape))
    if main.target != "label":
        _check_no_accuracy(config, "its losses compare outputs with inputs")
        _check_metrics(config, metrics.NUMBERS)
    notes = dict.fromkeys(note for checked in found for note in checked.notes)
    return Checked(found[criterion.terms.index(main)].output, tuple(notes))


def _unwatched(train: Train) -> Train:
    """The options without what looks at the accuracy: that is of another output."""
    return train.model_copy(update={"early_stopping": None, "best": None})


def _check_against_input(
    config: Config, model: Module, criterion: Module, source: Source, device: str, read: bool
) -> tuple[int, ...]:
    """Refuses an output that the loss cannot compare with the model's input; gives its shape."""
    some = np.zeros((2, *config.model.input), np.float32)
    if read:
        count = min(FEW_SAMPLES, len(source.train))
        some = gather(source.train, np.arange(count))[0] if count > 1 else some
    output = _tried(config, model, criterion, some, 0, device, "", "its inputs")
    if isinstance(criterion, nn.BCELoss):
        _check_shares(config, model, device)
    if read:
        _check_values(config, criterion, {"training": some}, "inputs")
    return tuple(output.array.shape[1:])


def check_one(
    config: Config, model: Module, criterion: Module, source: Source, device: str = "cpu", read: bool = True
) -> Checked:
    """Refuses a model whose output the loss cannot compare with the data's targets.

    Args:
        read: whether the targets of both splits are looked at; else only what is known without reading them.

    Raises:
        ConfigError: the loss refuses them or spreads them over the batch, gives more than one number, or has targets
            that it is not made for; the outputs are fewer than the classes, or others than the named ones.
        DataError: the data cannot be read, or has class numbers below 0.
    """
    check_classes(config, source)
    classes, numbered = len(source.classes), are_numbered(source, criterion)
    splits = _targets(source) if read else {}
    counts = _counted(config, criterion, splits) if len(splits) == 2 else None
    if counts is not None:
        classes = _known(source.classes, counts, criterion)
    target: Any = np.full(2, classes - 1, np.int64) if numbered else source.train.targets[[0, -1]]
    output = _tried(config, model, criterion, target, classes, device, _only_tested(counts, source.classes))
    if isinstance(criterion, nn.BCELoss):
        _check_shares(config, model, device)
    if decisions(output.array, to_host(target), criterion) is None:
        _check_no_accuracy(config)
    shape = tuple(output.array.shape)
    task = task_of(to_host(output.array), to_host(target), criterion)
    known = () if task is None else metrics.OF[task]
    _check_metrics(config, tuple(name for name in known if not name.startswith("top_") or int(name[4:]) < shape[1]))
    if not read:
        return Checked(shape[1:])
    _check_alike(config, splits)
    _check_values(config, criterion, splits)
    notes = _check_counts(config, shape[1], classes, counts, source.classes) if counts and len(shape) == 2 else ()
    return Checked(shape[1:], tuple(notes))


def check_classes(config: Config, source: Source) -> None:
    """Refuses options about classes that the data does not have.

    Raises:
        ConfigError: weights of another number of classes, or of none.
    """
    train, classes = config.train, len(source.classes)
    if isinstance(train.class_weights, list) and len(train.class_weights) != classes:
        message = f"wanted a weight for each of the {classes} classes, got {len(train.class_weights)}"
        raise config.error(("train", "class_weights"), message)
    if isinstance(train.class_weights, list) and not any(train.class_weights):
        raise config.error(("train", "class_weights"), "wanted a weight above 0, got 0 for every class")
    if classes == 0 and train.class_weights is not None:
        raise config.error(("train", "class_weights"), f"{config.data.type} has targets that are no classes")


def class_notes(source: Source) -> list[str]:
    """What should be said of a data set's classes, whatever the model: those that only the test split has.

    Raises:
        DataError: the data cannot be read, or has class numbers below 0.
    """
    counts = [classes_in(targets, nn.CrossEntropyLoss()) for targets in _targets(source).values()]
    if len(counts) < 2 or counts[0] is None or counts[1] is None:
        return []
    return list(filter(None, [_only_tested((counts[0], counts[1]), source.classes)]))


def are_numbered(source: Source, criterion: Module) -> bool:
    """Whether targets are known to be class numbers, without looking: a source of the user's own may have classes and
    give a loss of single numbers the floats that it wants."""
    single = isinstance(criterion, Loss) and not isinstance(criterion, PER_CLASS)
    return bool(source.classes) and (not single or type(source).__module__.startswith("lenetcli."))


def classes_in(targets: Any, criterion: Module) -> Array | None:
    """How many samples each class number has, of those that count; None where the loss wants no class numbers.

    Raises:
        DataError: a number below 0.
    """
    if not isinstance(criterion, PER_CLASS) or targets.ndim != 1 or targets.dtype.kind not in "iu":
        return None
    counted = criterion.counted(targets)
    numbers = targets if counted is None else targets[counted]
    if len(numbers) and numbers.min() < 0:
        low = numbers.min()
        raise DataError(f"class number {low}: they start from 0; loss.ignore_index={low} leaves such samples out")
    return np.bincount(numbers)


def check_classes_of(run: Run) -> None:
    """Refuses data in memory whose targets to test on are of another shape than those to train on, or of classes
    beyond these and beyond the model's outputs.

    Raises:
        ConfigError: they are.
        DataError: a class number below 0.
    """
    train, test = (_at_hand(loader.dataset) for loader in (run.train_loader, run.test_loader))
    if train is None or test is None:
        return
    shapes = [list(part.shape[1:]) for part in (train, test)]
    if shapes[0] != shapes[1] and is_elementwise(run.criterion) and max(map(math.prod, shapes)) > 1:
        raise ShapeError(f"targets to train on have the shape {shapes[0]}, those to test on {shapes[1]}")
    counts = classes_in(train, run.criterion), classes_in(test, run.criterion)
    if counts[0] is None or counts[1] is None or len(counts[1]) <= len(counts[0]):
        return  # what training cannot take, its first step says
    training, inputs = run.model.training, gather(run.train_loader.dataset, np.zeros(1, np.int64))[0]
    run.model.eval()
    try:
        with no_grad(), drawing_from(Generator()):
            output = run.model(from_numpy(inputs).to(run.device))
    finally:
        run.model.train(training)
    if output.array.ndim == 2 and output.array.shape[1] < len(counts[1]):
        raise ConfigError(
            f"the model has {output.array.shape[1]} outputs for {len(counts[1])} classes: "
            f"{_only_tested((counts[0], counts[1]), ())}"
        )


def _at_hand(dataset: Any) -> Array | None:
    """The targets of a data set that holds them as an array; None of others."""
    if isinstance(dataset, Subset):
        return _at_hand(dataset.dataset)
    tensors: Sequence[Any] = getattr(dataset, "tensors", ())
    targets = to_host(tensors[1].array) if len(tensors) == 2 else getattr(dataset, "targets", None)
    return targets if isinstance(targets, np.ndarray) else None


def _tried(
    config: Config, model: Module, criterion: Module, target: Any, classes: int, device: str, also: str,
    against: str = "",
) -> Tensor:  # fmt: skip
    """What the model gives for some samples, after the loss has taken it: of one, much would look alike.

    Args:
        target: what the outputs are compared with, for each sample.
        against: what that is, where it is no label.
    """
    model.eval()
    output: Tensor | None = None
    try:
        with no_grad(), silence() as heard:
            output = model(
                from_numpy(logical(stored(np.zeros((len(target), *config.model.input), np.float32)))).to(device)
            )
            given = from_numpy(target).to(device)
            if target.dtype.kind in "iu" and output.array.shape != target.shape and is_elementwise(criterion):
                raise ShapeError(f"class numbers {list(target.shape)} are no targets of its outputs' shape")
            value = loss_of(criterion, output, given)
        spread = [text for text in heard if "broadcasting" in text]
        if spread:  # a loss of the user's own; lenetcli's want equal shapes
            raise ShapeError(spread[0])
    except refusals(config.loss) as error:
        if output is None:
            raise
        shape = list(output.array.shape[1:])
        what = f"{classes} classes" if target.ndim == 1 and classes else f"targets of shape {list(target.shape[1:])}"
        whose = _whose(config)
        if against:
            message = f"{config.loss.type} cannot compare {whose} {shape} with {against} {list(target.shape[1:])}"
            fits = "" if shape == list(target.shape[1:]) else f"it should give {list(target.shape[1:])}"
            raise config.error(config.loss.path, f"{message}: {told(error)}", fits) from error
        message = f"{config.loss.type} cannot compare {whose} {shape} with the {what} of {config.data.type}"
        hint = would_fit(config, criterion, target, classes, shape, isinstance(criterion, PER_CLASS))
        raise config.error(config.loss.path, f"{message}: {told(error)}", hint, also) from error
    finally:
        model.train()
    if value.array.ndim:
        raise config.error(
            (*config.loss.path, "reduction"), "the loss of a batch has to be one number", "use mean or sum"
        )
    return output


def _check_shares(config: Config, model: Module, device: str) -> None:
    """Refuses a model whose outputs for large inputs are no probabilities: BCELoss would end the training by them."""
    large = np.stack([np.full(config.model.input, value, np.float32) for value in (-100, 100)])
    model.eval()
    try:
        with no_grad(), silence():
            found = to_host(model(from_numpy(logical(stored(large))).to(device)).array)
    finally:
        model.train()
    low, high = float(found.min()), float(found.max())
    if low < 0 or high > 1:
        message = f"{config.loss.type} takes outputs from 0 to 1, this model gives others, such as {low:g} and {high:g}"
        hint = Hint(
            "use BCEWithLogitsLoss, or end the model with {type: Sigmoid}",
            sets=(f"{dotted(config.loss.path)}.type=BCEWithLogitsLoss",),
        )
        raise config.error(config.loss.path, message, hint)


def _whose(config: Config) -> str:
    return f"the output {config.model.outputs[0]}" if config.model.outputs else "the model's output"


def _check_no_accuracy(config: Config, why: str = "") -> None:
    """Refuses options that want an accuracy where there is none."""
    stopping = config.train.early_stopping
    message = f"there is no accuracy: {why or f'{config.data.type} has targets that are no classes'}"
    if stopping is not None and stopping.metric == "accuracy":
        raise config.error(("train", "early_stopping", "metric"), message, "use loss")
    if config.train.best == "accuracy":
        raise config.error(("train", "best"), message, "use loss")
    if config.scheduler is not None and watched_by(config.scheduler) == "accuracy":
        key = "watch" if "watch" in config.scheduler.keys else "mode"
        raise config.error((*config.scheduler.path, key), message, "write watch: loss, or mode: min")


def _check_metrics(config: Config, known: tuple[str, ...]) -> None:
    """Refuses to judge a training by a metric that its task does not have.

    Args:
        known: those that it has, beside the loss.
    """
    stopping = config.train.early_stopping
    asked: dict[tuple[str, ...], str | None] = {("train", "best"): config.train.best}
    if stopping is not None:
        asked["train", "early_stopping", "metric"] = stopping.metric
    for path, name in asked.items():
        if name not in (None, "loss", "accuracy", *known):
            raise config.error(path, f"{name} is no metric of this task", f"it has loss, {', '.join(known)}")


def _check_alike(config: Config, splits: dict[str, Any]) -> None:
    """Refuses splits whose targets are of two kinds."""
    kinds = {
        split: ("integers" if t.dtype.kind in "iu" else "floats", list(t.shape[1:])) for split, t in splits.items()
    }
    if len({str(kind) for kind in kinds.values()}) > 1:
        said = ", ".join(f"those of the {split} split are {kind} {shape}" for split, (kind, shape) in kinds.items())
        raise DataError(f"{config.data.type}: targets of two kinds: {said}")


def _check_values(config: Config, criterion: Module, splits: dict[str, Any], what: str = "targets") -> None:
    """Refuses targets that a loss of yes and no would take for something else."""
    path = dotted(last_layer(config).path)
    for split, targets in splits.items():
        if targets.dtype.kind not in "fiu" or not targets.size or not is_elementwise(criterion):
            continue
        low, high = targets.min(), targets.max()
        if isinstance(criterion, SHARES) and not (low >= 0 and high <= 1):
            wanted = f"{what} from 0 to 1"
            hint = (
                ""
                if what != "targets"
                else f"classes are for CrossEntropyLoss: integers from 0, {path} giving a number for each"
            )
        elif isinstance(criterion, SIGNS) and not np.isin(targets, (-1, 1)).all():
            wanted, hint = f"{what} -1 and 1", "2 * y - 1 makes them of 0 and 1"
        else:
            continue
        message = f"{config.loss.type} wants {wanted}, those of the {split} split go from {low:g} to {high:g}"
        raise config.error(config.loss.path, message, hint)


def _targets(source: Source) -> dict[str, Any]:
    """The targets of each split; a data set of the user's own may keep those to test on to itself."""
    splits = {"training": source.train.targets, "test": getattr(source.test, "targets", None)}
    return {split: targets for split, targets in splits.items() if isinstance(targets, np.ndarray)}


def _counted(config: Config, criterion: Module, splits: dict[str, Any]) -> tuple[Array, Array] | None:
    """How many samples of each class there are to train and to test on; None where targets are no class numbers."""
    try:
        train, test = (classes_in(targets, criterion) for targets in splits.values())
    except DataError as error:
        raise DataError(f"{config.data.type}: {error}") from None
    return None if train is None or test is None else (train, test)


def _known(names: Sequence[str], counts: tuple[Array, Array], criterion: Module) -> int:
    """The number of classes: of names, or of numbers in use; a last number that is only there to be ignored is none."""
    ignored = getattr(criterion, "ignore_index", None) == len(names) - 1
    return max(0 if ignored else len(names), *map(len, counts))


def _only_tested(counts: tuple[Array, Array] | None, names: Sequence[str]) -> str:
    """What to say of classes that the test split has and the training split lacks; nothing where there are none."""
    if counts is None:
        return ""
    train, test = counts
    alone = [i for i, count in enumerate(test) if count and (i >= len(train) or not train[i])]
    shown = ", ".join(repr(class_name(names, i)) for i in alone[:FEW]) + (", ..." if len(alone) > FEW else "")
    what = "class" if len(alone) == 1 else f"{len(alone):,} classes"
    have = "has" if len(alone) == 1 else "have"
    return f"{what} {shown} of the test split {have} no samples to train on" if alone else ""


def _check_counts(
    config: Config, outputs: int, classes: int, counts: tuple[Array, Array], names: Sequence[str]
) -> Iterator[str]:
    """Refuses outputs that are fewer than the classes of both splits, or more than classes that have names of their
    own; tells of outputs without a class and of classes to test on that nothing is learnt of."""
    path, alone = last_layer(config).path, _only_tested(counts, names)
    single = f"{config.data.type} has one class only, which leaves nothing to tell apart"
    fitting = f"{dotted(path)} giving [{classes}] would fit" if classes > 1 else single
    if classes > outputs:
        message = f"{_has(config)} {_many(outputs, 'output')} for the {_many(classes, 'class')} of {config.data.type}"
        raise config.error(path, "; ".join(filter(None, [message, alone])), fitting)
    if alone:
        yield f"{alone}: the model cannot learn it"
    if outputs == classes == 1:
        yield single
    if outputs > classes:
        message = f"{_has(config)} {_many(outputs, 'output')} for the {_many(classes, 'class')} of {config.data.type}"
        if classes == len(names) and list(names) != [str(i) for i in range(classes)]:
            shown = ", ".join(names[:FEW]) + (", ..." if classes > FEW else "")
            raise config.error(path, f"{message} ({shown}): the others would have no name", fitting)
        yield f"{message}; {fitting}"


def _has(config: Config) -> str:
    return f"the output {config.model.outputs[0]} has" if config.model.outputs else "the model has"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{'es' if noun.endswith('s') else 's'}"
