"""A configuration that fits a data set, each choice with its reason, from what a survey found."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lenetcli.data.dataset import Source
from lenetcli.data.pictures import MOST_PIXELS
from lenetcli.inspection.data.survey import IN_FILES, Survey, values

SIDE = 64  # pixels that the longer side of a picture gets at most: what a CPU trains on in minutes
SIDES = (16, 24, 28, 32, 40, 48, 56, 64)
LAST = 4  # the least rows and columns that the last convolution leaves
WIDTHS = (32, 64, 128, 128)
FEW = 1000  # pictures to train on, below which the net is half as wide
UNBALANCED = 3  # times as many of the most common class as of the rarest
VALIDATION = 0.1
SIGNS = ("MNIST", "KMNIST", "Digits", "EMNIST", "QMNIST", "KMNIST49")
_SIDES_OF = re.compile(r"(^|[^a-z])(left|right|clockwise|anticlockwise|counterclockwise)([^a-z]|$)")


class Choice(NamedTuple):
    """What was chosen, and why."""

    what: str
    value: str
    why: str


@dataclass
class Proposal:
    """The choices of a configuration.

    Args:
        input: (C, H, W) of the model.
        data: the arguments of the data beside its place.
        halvings: convolutions, each of which halves rows and columns; 0: the pictures are too small for any.
        widths: their output channels.
        outputs: of the model.
        loss: its class.
        epochs, batch, validation, balanced: as `train` takes them.
        choices: each with its reason, in the order of the file.
    """

    input: tuple[int, int, int]
    data: dict[str, Any]
    halvings: int
    widths: tuple[int, ...]
    outputs: int
    loss: str
    epochs: int
    batch: int
    validation: float | None
    balanced: bool
    choices: list[Choice] = field(default_factory=list)

    def why(self, what: str) -> str:
        """The reason of a choice."""
        return next((choice.why for choice in self.choices if choice.what == what), "")


def proposed(found: Survey) -> Proposal:
    """The configuration for what was found.

    Raises:
        DataError: the pictures cannot be read.
    """
    in_files = found.data.type in IN_FILES
    size, resize, why_size = _size(found, in_files)
    given: dict[str, Any] = {**({"resize": list(size)} if resize else {})}
    channels = found.channels
    if in_files:
        given["channels"] = channels
        if found.broken:
            given["broken"] = "skip"
        if found.sizes[2][0] * found.sizes[2][1] > 8 * MOST_PIXELS:
            given["max_pixels"] = found.sizes[2][0] * found.sizes[2][1]
    source = found.data.source(**{**given, **({"resize": size} if resize else {})})
    given["normalize"] = _normalize(source)
    why_colours = "every picture is gray" if channels == 1 and found.saved > 1 else ""
    train = found.total("train")
    halvings, widths, why_net = _net(size, train)
    changes, why_changes = _augmentation(found, size)
    if changes:
        given["augment"] = changes
    outputs, loss = (len(found.classes), "CrossEntropyLoss") if found.target is None else _targets(found)
    epochs, batch = _length(train)
    rarest = min((count for count in found.counts["train"] if count), default=0)
    own = "validation" in found.counts
    share = VALIDATION if rarest * VALIDATION >= 1 and not own else None
    balanced = found.target is None and found.imbalance >= UNBALANCED
    choices = [
        Choice("input", _sizes((channels, *size)), "; ".join(filter(None, [why_size, why_colours]))),
        Choice("net", _counted(halvings, "convolution") + f", {outputs} outputs", why_net),
        Choice("augmentation", ", ".join(f"{k} {v}".removesuffix(" True") for k, v in changes.items()) or "none",
               why_changes),
        Choice("loss", loss, f"{len(found.classes)} classes, one of them right" if found.target is None
               else "several labels for each picture" if found.marked else "the targets are numbers"),
        Choice("validation", _validation(share, own),
               "a class has too few pictures to spare one" if share is None and not own else
               "chooses the best epoch, so that the test pictures judge only once"),
        Choice("length", f"{epochs} epochs of batches of {batch}", f"{train:,} pictures to train on"),
    ]  # fmt: skip
    if balanced:
        why = f"the most common class has {found.imbalance:.1f} times as many pictures as the rarest"
        choices.insert(4, Choice("class weights", "balanced", why))
        choices.insert(6, Choice("best epoch", "f1_macro", "the accuracy would be that of the common classes"))
    return Proposal((channels, *size), given, halvings, widths, outputs, loss, epochs, batch, share, balanced, choices)


def _validation(share: float | None, own: bool) -> str:
    return "the data's own" if own else "none" if share is None else f"{share:.0%} of the training pictures"


def _sizes(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _size(found: Survey, in_files: bool) -> tuple[tuple[int, int], bool, str]:
    """Rows and columns of the model's input, whether the pictures have to be resized, and why."""
    rows, columns = found.sizes[1]
    if found.alike and max(rows, columns) <= SIDE:
        return (rows, columns), in_files and found.looked < found.of, "the size that all pictures have"
    ratio = columns / rows
    if found.alike and not 0.75 <= ratio <= 4 / 3:
        longer = [max(8, 8 * round(SIDE * min(1.0, part) / 8)) for part in (1 / ratio, ratio)]
        return (longer[0], longer[1]), True, f"all pictures are {rows} x {columns}: of the same form, at most {SIDE}"
    least = min(rows, columns)
    side = max([side for side in SIDES if side <= 1.1 * least], default=max(4, least))
    why = f"at most {SIDE} a side, which trains in minutes" if least > SIDE else "near the middle one"
    return (side, side), True, f"pictures of many sizes, one for all: {why}" if not found.alike else why


def _normalize(source: Source) -> list[Any]:
    """Mean and standard deviation of the data, as short as does no harm."""
    mean, deviation = values(source)
    shown = [[float(f"{v:.3g}") for v in part] for part in (mean, [max(v, 1e-3) for v in deviation])]
    return [part[0] if len(part) == 1 else part for part in shown]


def _net(size: tuple[int, int], train: int) -> tuple[int, tuple[int, ...], str]:
    """How many convolutions, how wide, and why."""
    halvings = max(0, min(len(WIDTHS), int(math.log2(max(1, min(size)) / LAST))))
    divisor, why = (2, f"half as wide: {train:,} pictures are few") if train < FEW else (1, "")
    left = f"{size[0] >> halvings} x {size[1] >> halvings} are left of {size[0]} x {size[1]}"
    widths = tuple(width // divisor for width in WIDTHS[:halvings])
    return halvings, widths, "; ".join(filter(None, [f"after each the picture is halved: {left}" if halvings else
                                                     "the pictures are too small for any", why]))  # fmt: skip


def _augmentation(found: Survey, size: tuple[int, int]) -> tuple[dict[str, Any], str]:
    """Changes of the training pictures that do not change what is on them, and why these."""
    side = min(size)
    moves = {"rotate": 10, "shift": max(1, round(side / 14)), "scale": 0.1}
    if side < 16:
        return {}, f"pictures of {size[0]} x {size[1]} have no pixel to lose"
    if found.target is not None:
        return {}, "a moved or mirrored picture may have another target"
    single = [name for name in found.classes if len(name) == 1 or name.isdigit()]
    written = len(single) > len(found.classes) / 2 and (found.channels == 1 or found.data.type in IN_FILES)
    if written or found.data.type in SIGNS:
        return moves, "no flips: digits and letters are others, or none, in a mirror"
    sided = next((name for name in found.classes if _SIDES_OF.search(name.lower())), None)
    if sided is not None:
        return moves, f"no flips: in a mirror {sided!r} would be another class"
    return {"flip": True, "crop": max(1, round(side / 12))}, "mirrored and moved, a picture shows the same"


def _targets(found: Survey) -> tuple[int, str]:
    return math.prod(found.target or (1,)), "BCEWithLogitsLoss" if found.marked else "MSELoss"


def _length(train: int) -> tuple[int, int]:
    """Epochs and batch size: some thousand steps, fewer passes over more data."""
    batch = 16 if train < 500 else 32 if train < 5000 else 64 if train < 20000 else 128
    return max(10, min(60, round(4000 * batch / train))), batch
