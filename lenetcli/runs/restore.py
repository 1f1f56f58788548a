"""What a checkpoint tells of a run beside its weights, and a run put back to a checkpoint."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import numpy as np

from lenetcli.build.model import under_own_names
from lenetcli.runs import resume_rules
from lenetcli.runs.state_json import check_count, check_fields, check_kind, plain_state, up_to_date
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.train.run import Run
from lenetcli.train.several_tally import check_state


def streams(run: Run) -> dict[str, Any]:
    """The run's random streams. Shuffling and augmentation begin anew each epoch from the seed and its number, so that
    the seed is all of their state; the epoch and the place in it are in the progress."""
    seed = run.train_loader.seed
    return {
        "init": run.init_random,
        "shuffle": {"seed": seed},
        "dropout": run.random.get_state(),
        "augmentation": {"seed": seed},
    }


def put_back(run: Run, state: dict[str, Any], model: Any, optimizer: Any, average: Any) -> None:
    """Checks everything, then changes the run.

    Args:
        state: what the checkpoint's state.json holds.
        model, optimizer, average: its other files as they were read; None: there is no average.

    Raises:
        ValueError: something does not fit the run; and whatever else comes of contents that are none.
    """
    progress = check_fields(type(run.progress), up_to_date(state["progress"]))
    model = under_own_names(run.model, model)
    _check_tensors(run.model.state_dict(), model)
    if (run.average is None) is not (average is None):
        raise ValueError("average.safetensors: the run and the checkpoint do not both have averaged weights")
    if run.average is not None:
        average = under_own_names(run.average.module, average)
        _check_tensors(run.average.module.state_dict(), average)
        check_count(state["averaged"], "averaged")
    if set(optimizer) != {"state", "param_groups"} or not isinstance(optimizer["state"], dict):
        raise ValueError("optimizer: no state of one")
    own = run.optimizer.state_dict()["param_groups"]
    check_kind(own, optimizer["param_groups"], "optimizer")
    if [group["params"] for group in own] != [group["params"] for group in optimizer["param_groups"]]:
        raise ValueError("optimizer: other parameters")
    scheduler = None if run.scheduler is None else plain_state(run.scheduler.state_dict())
    check_kind(scheduler, state["scheduler"], "scheduler")
    seed = state["random"]["shuffle"]["seed"]
    if type(seed) is not int or not -(2**64) < seed < 2**64:
        raise ValueError("random.shuffle.seed: wanted an integer of 64 bits")
    check_count(state["events"], "events")
    samples = len(run.train_loader.dataset)
    if check_count(state["samples"], "samples") != samples:
        raise ValueError(
            f"the data has changed: it had {state['samples']:,} samples to train on, now it has {samples:,}"
        )
    if progress["batch"] > run.batches:
        raise ValueError(f"progress.batch: {progress['batch']} of {run.batches} batches")
    _check_best(state["best"])
    check_state(run.criterion, progress["epoch_losses"])

    run.model.load_state_dict(model)
    if run.average is not None:
        run.average.module.load_state_dict(average)
        run.average.n_averaged.array[...] = state["averaged"]
    run.optimizer.load_state_dict(optimizer)
    _try_step(run)
    if run.scheduler is not None:
        run.scheduler.load_state_dict(state["scheduler"])
    run.random.set_state(state["random"]["dropout"])
    run.train_loader.seed = seed
    run.optimizer._opt_called = True  # the steps before the checkpoint count, or schedulers would warn
    run.progress = type(run.progress)(**progress)
    run.freeze()
    resume_rules.follow_lr(run, state["config"])
    run.changes = resume_rules.changes(state["config"], run.config)


def _check_best(best: Any) -> None:
    if best is not None:
        words = (best["checkpoint"], best["sha256"])
        if not all(map(re.fullmatch, ("[0-9]{1,18}", "[0-9a-f]{64}"), words)):
            raise ValueError("best: wanted a checkpoint and a hash")


def _check_tensors(own: dict[str, Tensor], new: dict[str, Any]) -> None:
    if set(own) != set(new):
        raise ValueError(f"other tensors: {', '.join(sorted(map(str, set(own) ^ set(new))))[:200]}")
    for name, tensor in own.items():
        kind, found = (tensor.array.dtype, tensor.array.shape), (new[name].array.dtype, new[name].array.shape)
        if kind != found:
            raise ValueError(f"{name}: wanted {kind[0]} {list(kind[1])}, got {found[0]} {list(found[1])}")


def _try_step(run: Run) -> None:
    """A step of a copy of the optimizer, so that state it cannot work with is found here and not in the training."""
    trial = deepcopy(run.optimizer)
    for group in trial.param_groups:
        for p in group["params"]:
            p.grad = of_array(np.zeros_like(p.array))
    trial.step()
