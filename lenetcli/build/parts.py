"""Storey 5: the only place where configuration and objects meet. The model has a file of its own, build_model.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import cuda, nn, optim
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import DROPOUT, Generator, drawing_from
from lenetcli.autograd.silence import silence
from lenetcli.build.model import LayerRow, Shapes, build_model, filled, follow, layer_text, made, refusals, resolved
from lenetcli.build.scheduler import build_scheduler, with_lengths
from lenetcli.config import Config, dotted
from lenetcli.config.scheduling import unit_of, watched_by
from lenetcli.config.user_code import blamed, told
from lenetcli.config.writing import plain
from lenetcli.data import DataLoader, Source, Subset, hold_back
from lenetcli.data.inputs import Inputs
from lenetcli.disk import check_inside, is_regular
from lenetcli.errors import ConfigError, ShapeError
from lenetcli.kernels.device import to_host
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn.loss import Loss
from lenetcli.nn.module import Module
from lenetcli.optim.swa_utils import AveragedModel, get_ema_avg_fn
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.answers import decisions, meaning
from lenetcli.train.run import Run
from lenetcli.train.stopping import EarlyStopping

__all__ = [
    "LayerRow",
    "balanced_weights",
    "build_criterion",
    "build_data",
    "build_model",
    "build_optimizer",
    "build_run",
    "check",
    "check_output",
    "check_samples",
    "layer_text",
    "load_config_of",
    "resolved",
    "split_data",
]

PER_CLASS = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss)  # losses whose `weight` holds one for each class


def build_data(config: Config) -> Source:
    """The data source, without reading any file yet.

    Raises:
        ConfigError: its arguments do not work together.
    """
    source: Source = made(config, config.data)
    return source


def split_data(config: Config, source: Source) -> tuple[Any, Any]:
    """The training data, and what `train.validation` holds back of it (None where it holds back nothing).

    Raises:
        ConfigError: there is too little data for that.
        DataError: the data cannot be read.
    """
    share = config.train.validation
    if share is None:
        return source.train, None
    try:
        return hold_back(source.train, source.train.targets, share, config.seed)
    except ValueError as error:
        raise config.error(("train", "validation"), str(error)) from None


def build_criterion(config: Config, source: Source | None = None) -> Module:
    """The loss, with the weights that `train.class_weights` gives the classes.

    Args:
        source: where balanced weights count the samples of each class; without it they are left out.

    Raises:
        ConfigError: an argument is out of range, or the loss takes no such weights.
        DataError: the data cannot be read.
    """
    weights = config.train.class_weights
    loss = config.loss
    if weights is not None:
        path = ("train", "class_weights")
        if not issubclass(loss.cls, PER_CLASS):
            names = ", ".join(cls.__name__ for cls in PER_CLASS)
            raise config.error(path, f"{loss.type} has no weights of classes", f"these losses have: {names}")
        if loss.args.get("weight") is not None:
            raise config.error(path, "weights are given twice: loss.weight stands there, too")
        if weights == "balanced":
            weights = None if source is None else balanced_weights(config, source)
        loss = replace(loss, args={**loss.args, "weight": weights})
    criterion: Module = made(config, loss)
    return criterion


def balanced_weights(config: Config, source: Source) -> list[float]:
    """A weight for each class, inverse to its share of the samples to train on; their mean over the samples is 1.

    Formula:
        weight = samples / (classes that occur * samples of the class); 1 for classes that do not occur

    Raises:
        ConfigError: the data has no classes.
        DataError: it cannot be read.
    """
    _check_classes(config, source)
    data = split_data(config, source)[0]
    targets = source.train.targets if data is source.train else source.train.targets[data.indices]
    counts = np.bincount(targets, minlength=len(source.classes))
    weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts, weights, 1.0).tolist()


def build_optimizer(config: Config, model: Module, steps: int | None = None) -> tuple[optim.Optimizer, Any]:
    """The optimizer over the model's parameters, and the scheduler or None.

    Args:
        steps: optimizer steps of an epoch; None where the data has not been looked at: then lengths that the schedule
            leaves out may be made up.

    Raises:
        ConfigError: an argument is out of range, no parameters, or a schedule that does not fit the training.
    """
    optimizer: optim.Optimizer = made(config, config.optimizer, list(model.parameters()))
    return optimizer, build_scheduler(config, optimizer, steps)


@blamed(lambda: "while the run was built")
def build_run(config: Config, device: str = "cpu") -> Run:
    """Everything a training needs; it draws from a generator of its own, which begins at the seed's dropout stream.

    Args:
        device: where the model is to learn, as `device_of` gives it.

    Raises:
        ConfigError: the parts do not fit together.
        DataError: the data cannot be read.
        LenetError: a user's own file raised.
    """
    shapes = follow(config)
    with drawing_from(shapes.random):
        return _run(config, shapes, device)


def _run(config: Config, shapes: Shapes, device: str) -> Run:
    """What `build_run` gives, around a model that has been made."""
    model, init_random = shapes.model.to(device), shapes.random.get_state()
    source = build_data(config)
    build_optimizer(config, model)  # refuses what is wrong before data is read
    check_samples(config, source)
    criterion = build_criterion(config, source).to(device)
    check_output(config, model, criterion, source, device)
    train = config.train
    data, held_back = split_data(config, source)
    loader = DataLoader(
        data,
        train.batch_size,
        shuffle=train.shuffle,
        drop_last=train.drop_last,
        seed=config.seed,
        augment=source.augmenter,
    )
    if len(loader) == 0:
        message = f"with drop_last, {len(data)} samples make no batch of {train.batch_size}"
        raise config.error(("train", "batch_size"), message)
    stopping = train.early_stopping
    batches = min(len(loader), train.limits.train or len(loader))
    steps = -(-batches // train.accumulate)
    config = with_lengths(config, steps)
    optimizer, scheduler = build_optimizer(config, model, steps)
    run = Run(
        model,
        criterion,
        optimizer,
        loader,
        _evaluation_loader(config, source.test),
        train.epochs,
        scheduler,
        tuple(source.classes),
        scheduler_step=None if config.scheduler is None else unit_of(config.scheduler),
        scheduler_watch=None if config.scheduler is None else watched_by(config.scheduler),
        validation_loader=None if held_back is None else _evaluation_loader(config, held_back),
        accumulate=train.accumulate,
        clip_norm=train.clip_grad_norm,
        clip_value=train.clip_grad_value,
        average=None if train.ema is None else AveragedModel(model, avg_fn=get_ema_avg_fn(train.ema)),
        early_stopping=None if stopping is None else EarlyStopping(**stopping.model_dump()),
        max_seconds=train.max_seconds,
        max_batches=train.limits.train,
        log_gradients=train.log_gradients,
        config=plain(filled(config, shapes)),
        random=Generator().begin(config.seed, DROPOUT),
        init_random=init_random,
        inputs=Inputs.of(source),
        device=device,
    )
    if isinstance(train.warmup, int):
        run.warmup = train.warmup
    elif train.warmup is not None:
        run.warmup = max(1, round(train.warmup.epochs * run.steps))
    return run


def _evaluation_loader(config: Config, data: Any) -> DataLoader:
    """Batches to judge by: all samples in order, or the first ones where `limit_batches` limits them."""
    size, limit = config.train.eval_batch_size, config.train.limits.eval
    if limit is not None and limit * size < len(data):
        data = Subset(data, range(limit * size))
    return DataLoader(data, size)


def check(config: Config) -> tuple[nn.Sequential, list[LayerRow]]:
    """Refuses what would not train, as far as that can be told without reading data; gives the model and its layers.

    Raises:
        ConfigError: the parts do not fit together.
    """
    shapes = follow(config)
    with drawing_from(shapes.random):
        source, criterion = build_data(config), build_criterion(config)
        build_optimizer(config, shapes.model)
        if _are_numbered(source, criterion):
            check_output(config, shapes.model, criterion, source)
    return shapes.model, shapes.rows


def check_samples(config: Config, source: Source) -> None:
    """Refuses data whose samples are not what the model's input says.

    Raises:
        ConfigError: the shapes differ.
    """
    shape, wanted = tuple(source.train.sample_shape), tuple(config.model.input)
    if shape != wanted:
        resize = len(wanted) == 3 and wanted[0] == shape[0]
        hint = (
            f"resize: [{wanted[1]}, {wanted[2]}] under data would fit" if resize else f"input: {list(shape)} would fit"
        )
        message = f"the model's input is {list(wanted)}, a sample of {config.data.type} is {list(shape)}"
        raise config.error(("model", "input"), message, hint)


def device_of(config: Config) -> str:
    """The device that the configuration asks for: "cpu", or "cuda:0" and the like.

    Raises:
        DeviceError: it is not there.
    """
    if config.device == "cpu" or (config.device == "auto" and not cuda.is_available()):
        return "cpu"
    number = config.device.partition(":")[2]
    if number:
        cuda.set_device(int(number))
    return f"cuda:{cuda.current_device()}"


def check_output(config: Config, model: nn.Sequential, criterion: Module, source: Source, device: str = "cpu") -> None:
    """Refuses a model whose output the loss cannot compare with the data's targets.

    Raises:
        ConfigError: the loss refuses them, gives more than one number, or there are fewer outputs than classes.
    """
    _check_classes(config, source)
    classes = len(source.classes)
    target: Any = np.array([classes - 1], np.int64) if _are_numbered(source, criterion) else source.train.targets[:1]
    model.eval()
    try:
        with no_grad(), silence():
            output = model(from_numpy(logical(stored(np.zeros((1, *config.model.input), np.float32)))).to(device))
            value = criterion(output, from_numpy(target).to(device))
        _check_pairs(criterion, output.array, target)
    except refusals(config.loss) as error:
        shape = list(output.array.shape[1:])
        what = f"{classes} classes" if target.ndim == 1 and classes else f"targets of shape {list(target.shape[1:])}"
        message = f"{config.loss.type} cannot compare the model's output {shape} with the {what} of {config.data.type}"
        hint = _would_fit(config, criterion, target, classes, shape)
        raise config.error(("loss",), f"{message}: {told(error)}", hint) from error
    finally:
        model.train()
    if value.array.ndim:
        raise config.error(("loss", "reduction"), "the loss of a batch has to be one number", "use mean or sum")
    if decisions(output.array, to_host(target), criterion) is None:
        _check_no_accuracy(config)


def _check_pairs(criterion: Module, output: Any, target: Any) -> None:
    """Refuses targets that a loss of single numbers would spread over a batch, (N, 1) and (N,) to (N, N).

    Raises:
        ShapeError: the shapes differ.
    """
    if isinstance(criterion, PER_CLASS) or not type(criterion).__module__.startswith("lenetcli."):
        return
    if output.shape != target.shape:
        raise ShapeError(f"target size {list(target.shape)} must be the same as input size {list(output.shape)}")


def _are_numbered(source: Source, criterion: Module) -> bool:
    """Whether targets are known to be class numbers, without looking: a source of the user's own may have classes and
    give a loss of single numbers the floats that it wants."""
    single = isinstance(criterion, Loss) and not isinstance(criterion, PER_CLASS)
    return bool(source.classes) and (not single or type(source).__module__.startswith("lenetcli."))


def _would_fit(config: Config, criterion: Module, target: Any, classes: int, shape: list[int]) -> str:
    """What would fit a loss that refuses a target, and a model's output of such a shape."""
    last = dotted(config.model.layers[-1].path)
    if target.dtype.kind in "iu" and target.ndim == 1 and not isinstance(criterion, PER_CLASS):
        kind = (
            "floats, 0.0 and 1.0" if meaning(criterion) in ("logits", "probabilities") else "a target for each output"
        )
        return f"it wants {kind}; class numbers are for CrossEntropyLoss, {last} giving [{classes}]"
    wanted = [classes] if classes else list(target.shape[1:])
    if wanted == shape:
        return ""  # the loss's own arguments do not fit
    if shape == [1] and not wanted:
        return "targets of shape [1] would fit"
    return f"{last} should give {wanted}" + (": is {type: Flatten} missing?" if len(shape) > len(wanted) else "")


def _check_no_accuracy(config: Config) -> None:
    """Refuses options that want an accuracy where there is none."""
    stopping = config.train.early_stopping
    message = f"there is no accuracy: {config.data.type} has targets that are no classes"
    if stopping is not None and stopping.metric == "accuracy":
        raise config.error(("train", "early_stopping", "metric"), message, "use loss")
    if config.scheduler is not None and watched_by(config.scheduler) == "accuracy":
        key = "watch" if "watch" in config.scheduler.keys else "mode"
        raise config.error((*config.scheduler.path, key), message, "write watch: loss, or mode: min")


def _check_classes(config: Config, source: Source) -> None:
    """Refuses options about classes that the data does not have."""
    train, classes = config.train, len(source.classes)
    if isinstance(train.class_weights, list) and len(train.class_weights) != classes:
        message = f"wanted a weight for each of the {classes} classes, got {len(train.class_weights)}"
        raise config.error(("train", "class_weights"), message)
    if isinstance(train.class_weights, list) and not any(train.class_weights):
        raise config.error(("train", "class_weights"), "wanted a weight above 0, got 0 for every class")
    if classes == 0 and train.class_weights is not None:
        raise config.error(("train", "class_weights"), f"{config.data.type} has targets that are no classes")


def load_config_of(directory: Path) -> Path:
    """The config.yaml of a run directory.

    Raises:
        ConfigError: it is no run directory.
        DataError: the file cannot be read just now, or is a link that leads out of it.
    """
    path = directory / "config.yaml"
    if not is_regular(path):
        raise ConfigError(f"{directory}: not a run directory (no config.yaml in it)")
    return check_inside(directory, path)
