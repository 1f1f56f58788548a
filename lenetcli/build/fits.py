"""What would fit, where parts of a configuration do not: hints that can be followed as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lenetcli import nn
from lenetcli.build.model import is_channels_last
from lenetcli.config import Component, Config, dotted
from lenetcli.config.problems import Hint
from lenetcli.nn.module import Module
from lenetcli.train.answers import meaning

FLATTEN = "{type: Flatten}"
SIGNS = (nn.SoftMarginLoss, nn.HingeEmbeddingLoss)  # of targets -1 and 1


def would_fit(config: Config, criterion: Module, target: Any, classes: int, shape: list[int], per_class: bool) -> str:
    """What would fit a loss that refuses a target, and a model's output of such a shape; nothing where it is not known.

    Args:
        target: an array of targets.
        per_class: the loss takes class numbers.
    """
    last = dotted(last_layer(config).path)
    wanted = [classes] if classes else list(target.shape[1:])
    if len(shape) > max(1, len(wanted)):
        flatten = missing_flatten(config.model.layers)
        if flatten is not None:
            return flatten
    if target.dtype.kind in "iu" and target.ndim == 1 and not per_class:
        kind = "a float for each output"
        if isinstance(criterion, SIGNS):
            kind = "floats, -1.0 and 1.0"
        elif meaning(criterion) in ("logits", "probabilities"):
            kind = "floats, 0.0 and 1.0"
        text = f"it wants {kind}; class numbers are for CrossEntropyLoss, {last} giving [{classes}]"
        return Hint(text, sets=(_loss_is(config, "CrossEntropyLoss"), *_giving(config, classes)))
    if target.dtype.kind == "f" and target.ndim == 1 and per_class:
        text = f"it wants class numbers, integers from 0; one float for each sample is for MSELoss, {last} giving [1]"
        return Hint(text, sets=(_loss_is(config, "MSELoss"), *_giving(config, 1)))
    if wanted == shape:
        return ""  # the loss's own arguments do not fit
    count = wanted[0] if wanted else 1
    return Hint(f"{last} should give {wanted or [1]}", sets=_giving(config, count) if len(wanted) < 2 else ())


def last_layer(config: Config) -> Component:
    """The layer that gives the model's output, the first one of several."""
    outputs = config.model.outputs
    named = (layer for layer in config.model.layers if outputs and layer.name == outputs[0])
    return next(named, config.model.layers[-1])


def missing_flatten(layers: Sequence[Component]) -> Hint | None:
    """Where a Flatten belongs: before the first Linear of a model that has none; None where there is no such place."""
    for layer in layers:
        if layer.cls is nn.Flatten:
            return None
        if layer.cls is nn.Linear:
            return Hint(f"put {FLATTEN} before {dotted(layer.path)}", insert=(layer.path, FLATTEN))
    return None


def _loss_is(config: Config, kind: str) -> str:
    """The change that makes the loss one of another class; of several, its other keys stay."""
    path = config.loss.path
    return f"loss={{type: {kind}}}" if len(path) < 2 else f"{dotted(path)}.type={kind}"


def _giving(config: Config, count: int) -> tuple[str, ...]:
    """The change that makes the model give so many numbers."""
    for layer in [last_layer(config), *reversed(config.model.layers)]:
        if "out_features" in layer.args:
            return (f"{dotted(layer.path)}.out_features={count}",)
    return ()


def fitting_sample(config: Config, shape: tuple[int, ...]) -> Hint:
    """What would fit where the data's samples have another shape than the model's input."""
    wanted = config.model.input
    takes_resize = any(argument.name == "resize" for argument in config.data.known)
    if takes_resize and len(wanted) == 3 and wanted[0] == shape[0]:
        text = f"resize: [{wanted[1]}, {wanted[2]}] under data would fit"
        return Hint(text, sets=(f"data.resize=[{wanted[1]}, {wanted[2]}]",))
    if is_channels_last(shape):
        return Hint(
            f"samples are [C, H, W] here, these look like [H, W, C]: save x.transpose(0, 3, 1, 2), and input: "
            f"{[shape[2], *shape[:2]]} would fit"
        )
    if len(wanted) < len(shape) == 3 and shape == (*wanted, 1, 1)[:3]:
        return Hint(f"{with_flatten(wanted)} would fit")
    return Hint(f"input: {list(shape)} would fit", write=str(list(shape)))


def with_flatten(sample: Sequence[int]) -> str:
    """What makes a net that takes vectors or sequences one that takes pictures of one pixel, or of one column.

    Example:
        >>> with_flatten([2, 16])
        'input: [2, 16, 1] and {type: Flatten, start_dim: 2} as the first layer'
    """
    first = FLATTEN if len(sample) == 1 else f"{{type: Flatten, start_dim: {len(sample)}}}"
    return f"input: {[*sample, 1, 1][:3]} and {first} as the first layer"
