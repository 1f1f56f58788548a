"""Storey 5: the only place where configuration and objects meet. The model has a file of its own, build_model.py."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

from lenetcli import cuda, nn, optim
from lenetcli.autograd.random import DROPOUT, Generator, drawing_from
from lenetcli.build.criterion import balanced_weights, build_criterion
from lenetcli.build.data import build_data, split_data
from lenetcli.build.fits import fitting_sample
from lenetcli.build.freezing import room_for_features
from lenetcli.build.model import LayerRow, Shapes, build_model, filled, follow, layer_text, made, resolved
from lenetcli.build.notes import fine_tuning, notes_of
from lenetcli.build.parameter_groups import parameter_groups
from lenetcli.build.places import ambiguous, located
from lenetcli.build.scheduler import build_scheduler, with_lengths
from lenetcli.build.targets import are_numbered, check_output
from lenetcli.config import Config
from lenetcli.config import load as load_config
from lenetcli.config.scheduling import unit_of, watched_by
from lenetcli.config.user_code import NotImported, blamed
from lenetcli.config.writing import plain
from lenetcli.data import DataLoader, Source
from lenetcli.data.catalogue import CATALOGUE, present
from lenetcli.data.dataset import ArrayDataset, parts_of, unlike
from lenetcli.data.fingerprint import fingerprint
from lenetcli.data.holdout import fair_sample
from lenetcli.data.inputs import Inputs
from lenetcli.disk import check_inside, is_regular
from lenetcli.errors import ConfigError, DataError
from lenetcli.nn.module import Module
from lenetcli.optim.swa_utils import AveragedModel, get_ema_avg_fn
from lenetcli.train.pairing import is_elementwise
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
    "check_apart",
    "check_output",
    "check_samples",
    "check_with_data",
    "layer_text",
    "load_config_of",
    "resolved",
    "split_data",
]


def build_optimizer(config: Config, model: Module, steps: int | None = None) -> tuple[optim.Optimizer, Any]:
    """The optimizer over the model's parameters, and the scheduler or None.

    Args:
        steps: optimizer steps of an epoch; None where the data has not been looked at: then lengths that the schedule
            leaves out may be made up.

    Raises:
        ConfigError: an argument is out of range, no parameters, or a schedule that does not fit the training.
    """
    optimizer: optim.Optimizer = made(config, config.optimizer, parameter_groups(config, model))
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
    source, notes = build_data(config), ambiguous(config)
    config = located(config)
    build_optimizer(config, model)  # refuses what is wrong before data is read
    check_samples(config, source)
    criterion = build_criterion(config, source).to(device)
    checked = check_output(config, model, criterion, source, device)
    if is_elementwise(criterion):
        for part in parts_of(source).values():
            if isinstance(part, ArrayDataset) and part.targets.ndim == 1:  # one number each, as `paired` takes it
                part.targets = part.targets.reshape(-1, *checked.output)
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
        best=train.best,
        early_stopping=None if stopping is None else EarlyStopping(**stopping.model_dump()),
        max_seconds=train.max_seconds,
        max_batches=train.limits.train,
        log_gradients=train.log_gradients,
        config=plain(filled(config, shapes)),
        random=Generator().begin(config.seed, DROPOUT),
        init_random=init_random,
        inputs=Inputs.of(source),
        device=device,
        notes=(*notes, *notes_of(config, shapes), *checked.notes),
        initial=None if shapes.initial is None else shapes.initial.record,
        freezing=shapes.freezing,
        keep_features=room_for_features(config),
        fingerprint=partial(fingerprint, source),
        left_out=source.left_out,
    )
    if isinstance(train.warmup, int):
        run.warmup = train.warmup
    elif train.warmup is not None:
        run.warmup = max(1, round(train.warmup.epochs * run.steps))
    return run


def _evaluation_loader(config: Config, data: Any) -> DataLoader:
    """Batches to judge by: all samples in order or, where `limit_batches` limits them, a fair sample.

    The first ones would be those of one class, where samples come class by class, and would choose the best epoch.
    """
    size, limit = config.train.eval_batch_size, config.train.limits.eval
    if limit is not None and limit * size < len(data):
        data = fair_sample(data, limit * size, config.seed)
    return DataLoader(data, size)


def check(config: Config) -> Shapes:
    """Refuses what would not train, as far as that can be told without reading data; gives the model and its layers.

    Raises:
        ConfigError: the parts do not fit together.
        DataError: the weights of `model.init` cannot be read, or are of another model.
    """
    shapes = follow(config)
    with drawing_from(shapes.random):
        source, criterion = build_data(config), build_criterion(config)
        build_optimizer(config, shapes.model)
        if _is_known(source) and are_numbered(source, criterion):
            check_output(config, shapes.model, criterion, source, read=False)
    return shapes


def check_with_data(config: Config) -> tuple[Shapes, list[str]]:
    """As `check`, and then what the data itself shows, where it is there; nothing is downloaded. What should be said
    of the run comes last.

    Raises:
        ConfigError: the parts do not fit together, or not with the data.
        DataError: the data is there and cannot be read.
    """
    shapes = check(config)
    said = [*notes_of(config, shapes), *fine_tuning(config, shapes.model, shapes.freezing)]
    source = build_data(replace(config, data=replace(config.data, args=_offline(config))))
    if source.missing is not None or not _is_whole(source):
        known = type(source).__name__ in CATALOGUE  # which `lenet data get` gets at any time
        return shapes, said + ([] if known else [f"the data was not looked at: {source.missing}"])
    with drawing_from(Generator()):
        check_samples(config, source)
        found = check_output(config, shapes.model, build_criterion(config, source), source)
    return shapes, [*said, *ambiguous(config), *found.notes]


def check_apart(config: Config) -> None:
    """Refuses what would not train, where some classes are only looked at: each part by itself, but for those.

    Raises:
        ConfigError: a part does not work.
    """
    stand_in, alone = nn.Linear(1, 1), replace(config, optimizer=replace(config.optimizer, keys={}))
    for part in (follow, build_data, build_criterion, lambda _: build_optimizer(alone, stand_in)):
        with suppress(NotImported), drawing_from(Generator()):
            part(config)


def _offline(config: Config) -> dict[str, Any]:
    args = config.data.args
    return {**args, "download": False} if "download" in args else args


def _is_known(source: Source) -> bool:
    """Whether its classes are known: a class attribute, or in files that are there."""
    return source.missing is None or not isinstance(getattr(type(source), "classes", ()), property)


def _is_whole(source: Source) -> bool:
    """Whether all files of a data set that can be downloaded are there; of others nobody knows what there should be."""
    name = type(source).__name__
    return name not in CATALOGUE or present(name, getattr(source, "root", None))


def check_samples(config: Config, source: Source, split: str | None = None) -> None:
    """Refuses data whose samples are not what the model's input says.

    Args:
        split: which are looked at, "train" or "test"; None: those to train on, and then both beside each other.

    Raises:
        ConfigError: the shapes differ.
        DataError: the two splits' shapes do.
    """
    shape = tuple((source.test if split == "test" else source.train).sample_shape)
    wanted = tuple(config.model.input)
    if shape != wanted:
        message = f"the model's input is {list(wanted)}, a sample of {config.data.type} is {list(shape)}"
        raise config.error(("model", "input"), message, fitting_sample(config, shape))
    if split is None and (said := unlike(source)):
        raise DataError(said)


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


def load_config_of(directory: Path) -> Path:
    """The config.yaml of a run directory.

    Raises:
        ConfigError: it is no run directory.
        DataError: the file cannot be read just now, or is a link that leads out of it.
    """
    path = directory / "config.yaml"
    if not is_regular(path) and is_regular(directory / "model.safetensors"):
        weights = directory / "model.safetensors"
        raise ConfigError(
            f"{directory}: not a run directory (no config.yaml in it) but weights, as Trainer.of(...).save writes them."
            f" Make the model as the script did that trained it, then "
            f"model.load_state_dict(lenetcli.load({str(weights)!r})); "
            f"or describe it in YAML (a class of yours is type: my_net.py:Net) and make a run of it: "
            f"lenet import {quote(str(weights))} --config CONFIG.yaml"
        )
    if not is_regular(path):
        raise ConfigError(f"{directory}: not a run directory (no config.yaml in it){_instead(directory)}")
    return check_inside(directory, path)


def config_of_run(directory: Path, changes: Iterable[str] = ()) -> Config:
    """The configuration of a run directory, whose weights lie there.

    Raises:
        ConfigError: it is no run directory, or the configuration does not work.
        DataError: the file cannot be read just now, or is a link that leads out of it.
    """
    return replace(load_config(load_config_of(directory), changes), begun=True)


def _instead(place: Path) -> str:
    """What may be meant by a place that is no run."""
    if place.suffix in (".yaml", ".yml") and is_regular(place):
        return f"; it is a configuration: lenet train {quote(str(place))} makes a run"
    runs = sorted(str(found.parent) for depth in ("*", "*/*") for found in place.glob(f"{depth}/config.yaml"))
    return f"; did you mean {quote(runs[-1])}?" if runs else ""
