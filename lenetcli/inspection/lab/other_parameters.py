"""other-parameters: the optimizer holds the parameters of another model."""

from __future__ import annotations

from copy import deepcopy

from lenetcli.inspection.lab.bench import Bench, paired, plain_step, side
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.train.run import Run

STEPS = 10


def wrong(run: Run) -> None:
    run.model = deepcopy(run.model)  # the optimizer keeps the old one


def right(run: Run) -> None:
    run.model = deepcopy(run.model)
    for params, parameter in zip(places(run), run.model.parameters()):
        params.append(parameter)


def places(run: Run) -> list[list[object]]:
    """For each parameter in order, the emptied list of the group that it belongs to."""
    found = []
    for group in run.optimizer.param_groups:
        found += [group["params"]] * len(group["params"])
    for group in run.optimizer.param_groups:
        group["params"].clear()
    return found


def compare(bench: Bench) -> Finding:
    """Ten steps each."""
    found = []
    for way in (wrong, right):
        run = bench.make()
        way(run)
        found.append(bench.train(run, plain_step, STEPS))
    a, b = found
    rows = [(step, *side(w, "loss", "gradient", "update"), *side(r, "loss", "update")) for step, w, r in paired(a, b)]
    return Finding(
        ("step", "wrong: loss", "wrong: |grad|", "wrong: change", "right: loss", "right: change"),
        rows,
        (
            f"there is a gradient (|grad| {a[0].gradient:.3g}), but the weights change by exactly {a[-1].update:g}",
            f"the loss follows the batches and nothing else: {a[0].loss:.4g} at first, {a[-1].loss:.4g} at last",
            f"|grad| grows to {a[-1].gradient:.3g}, as nothing clears the gradients of the model in use",
        ),
    )


LESSON = Lesson(
    "other-parameters",
    "the model was replaced after the optimizer had been given its parameters",
    wrong,
    right,
    compare,
    "An optimizer changes the very tensors it was made with. A model that is rebuilt, copied, loaded as a new "
    "object, or has a layer replaced afterwards has other tensors: they get gradients and are never moved. "
    "zero_grad() of the optimizer does not reach them either, so their gradients also add up.",
    "Make the optimizer last; after replacing a layer, make it anew or add_param_group() the new parameters.",
)
