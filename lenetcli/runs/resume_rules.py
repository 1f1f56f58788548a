"""What may change in a run's configuration while it is stopped: how long it goes on, the learning rate, where its
data lies, if it is the same data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lenetcli.errors import ConfigError, DataError
from lenetcli.train.run import Run

MAY_CHANGE = ("train.epochs", "train.max_time", "optimizer.lr", "device")
PLACES = ("data.root", "data.path", "data.test", "data.download")  # where data lies; that it is the same, its hash says
_WITHOUT_EFFECT = ("version", "name", "train.keep_checkpoints", "train.log_gradients", "model.keep_features")


def check(then: Any, now: Any) -> None:
    """Refuses a configuration that is not the one a checkpoint was made with.

    Args:
        then: the checkpoint's, as plain data; None where the run was not made from one.
        now: the run's.

    Raises:
        ConfigError: they differ in more than may change; the message names the first place.
    """
    for path, before, after in differences(then, now):
        if path not in MAY_CHANGE + PLACES + _WITHOUT_EFFECT:
            raise ConfigError(
                f"{path}: was {_short(before)} when the run was saved, is {_short(after)} now: that is another run; "
                f"only {', '.join(MAY_CHANGE)} may change when a run continues, and where its data lies"
            )


def changes(then: Any, now: Any) -> dict[str, list[Any]]:
    """What a run does otherwise from here on, by its path in the configuration: the value before and the one now.

    Args:
        then: the checkpoint's configuration, as plain data; None where the run was not made from one.
        now: the run's.
    """
    if then is None or now is None:
        return {}
    return {path: [before, after] for path, before, after in differences(then, now) if path in MAY_CHANGE}


def check_data(place: Path, environment: dict[str, Any], found: dict[str, Any] | None) -> None:
    """Refuses data that is not what the run began with, wherever it lies.

    Args:
        place: the run directory.
        environment: what its environment.json says; without a word of the data there, nothing is refused.
        found: the data's hash now; None where nobody knows it.

    Raises:
        DataError: it is another one.
    """
    wanted = environment.get("data")
    if found is None or not isinstance(wanted, dict) or wanted.get("sha256") in (None, found["sha256"]):
        return
    said = (
        f"{place}: the data has changed: {_told(wanted, found)}. If the run's data lies elsewhere, data.root=DIR (or "
    )
    said += "data.path=FILE) says where"
    if wanted.get("samples") == found["samples"]:  # of another number of them, a checkpoint's place means nothing
        said += "; --accept-changed goes on with what is here, which no longer repeats the run"
    raise DataError(said)


def _told(then: dict[str, Any], now: dict[str, Any]) -> str:
    """In what two data sets differ, as their hashes tell."""
    hashes = f"sha256 {str(then['sha256'])[:12]}..., now {now['sha256'][:12]}..."
    before, after = then.get("samples"), now["samples"]
    if isinstance(before, list) and len(before) == len(after) and all(type(count) is int for count in before):
        for was, count, what in zip(before, after, ("to train on", "to test on")):
            if was != count:
                return f"it had {was:,} samples {what}, now it has {count:,} ({hashes})"
    return f"it had the {hashes}"


def differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Places where two configurations differ, in order: path, value in one, value in the other (None where absent)."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(k for k in b if k not in a)]:
            yield from differences(a.get(key), b.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{path}[{i}]")
    elif not _is_same(a, b):
        if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
            yield path, f"{len(a)} entries", f"{len(b)} entries"
        else:
            yield path, a, b


def _is_same(a: Any, b: Any) -> bool:
    """Whether two values are; a default of 0 is 0.0 once it has been written to config.yaml."""
    numbers = type(a) in (int, float) and type(b) in (int, float)
    return bool(a == b) and (numbers or type(a) is type(b))


def _short(value: Any) -> str:
    text = "not there" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def follow_lr(run: Run, then: Any) -> None:
    """Goes on with another `optimizer.lr`, where the configuration has another one than when the run was saved.

    The schedule goes on from where it is: rates become what they would be, had it begun from the new one. Groups with
    a rate of their own keep it.

    Raises:
        ConfigError: the scheduler does not begin from `optimizer.lr`.
    """
    old, new = (None if config is None else config["optimizer"].get("lr") for config in (then, run.config))
    if old == new or old is None or new is None:
        return

    def changed(rate: Any) -> Any:
        return new if rate == old or not old else rate * (new / old)

    groups = run.optimizer.param_groups
    given = ["lr" in group for group in run.config["optimizer"].get("groups", ())] if run.config is not None else []
    follows = [not own for own in ([False] * (len(groups) - len(given)) + given)]
    following = [group for group, does in zip(groups, follows) if does]
    if any(group.get("initial_lr", old) != old for group in following):
        name = type(run.scheduler).__name__
        raise ConfigError(f"optimizer.lr: cannot change when this run continues: {name} sets the learning rate itself")
    for group in following:
        group["lr"] = changed(group["lr"])
        if "initial_lr" in group:
            group["initial_lr"] = new
    for scheduler in _all(run.scheduler):
        for name in ("base_lrs", "_last_lr"):
            if hasattr(scheduler, name):
                rates = getattr(scheduler, name)
                setattr(scheduler, name, [changed(rate) if does else rate for rate, does in zip(rates, follows)])


def go_on_at(run: Run, lr: float) -> None:
    """Puts another `optimizer.lr` into the run's configuration, and goes on with it.

    Raises:
        ConfigError: as `follow_lr`; nothing is changed.
    """
    then = run.config
    assert then is not None, "the caller has looked"
    run.config = {**then, "optimizer": {**then["optimizer"], "lr": lr}}
    try:
        follow_lr(run, then)
    except ConfigError:
        run.config = then
        raise


def change_lr(run: Run, lr: float) -> None:
    """Between two steps, goes on with another `optimizer.lr`: `fit` tells that next, and then saves it.

    Raises:
        ConfigError: the run has no configuration that says one, several processes train it, or as `follow_lr`.
    """
    if run.reducer is not None:
        raise ConfigError("optimizer.lr: several processes train this run, and only one of them would know")
    then = run.config
    before = None if then is None else then["optimizer"].get("lr")
    if then is None or before is None:
        raise ConfigError("optimizer.lr: this run has no configuration that says it")
    go_on_at(run, lr)
    first = run.changes.get("optimizer.lr", [before])[0]
    run.changes, run.save_now = {**run.changes, "optimizer.lr": [first, lr]}, True


def _all(scheduler: Any) -> Iterator[Any]:
    """A scheduler and those it is made of."""
    if scheduler is not None:
        yield scheduler
        for part in getattr(scheduler, "_schedulers", ()):
            yield from _all(part)
