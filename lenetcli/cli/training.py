"""Starting and resuming runs: build, listen, save, and the exit code."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lenetcli import config as configuration
from lenetcli.build import build_run, load_config_of, resolved
from lenetcli.errors import ConfigError
from lenetcli.report.training import Mode, listener
from lenetcli.train import directory
from lenetcli.train.checkpoint import Checkpoints
from lenetcli.train.loop import fit
from lenetcli.train.nan_hunt import hunting
from lenetcli.train.run import Run
from lenetcli.train.signals import EXIT_CODES, polite_stop

CHANGEABLE = ("train.epochs", "train.max_time", "optimizer.lr")
OVER_EARLY = {
    "stopped early": "stopped early after epoch {epoch}: no improvement for train.early_stopping.patience epochs",
    "out of time": "out of time (train.max_time) after step {step}; go on with: lenet train --resume {place} train.max_time=2h",
}


def start_run(path: str, changes: list[str], out: Path | None, mode: Mode, debug_nan: bool = False) -> int:
    """Trains from a configuration in a new run directory; gives the exit code."""
    config = configuration.load(path, changes)
    run = build_run(config)
    place = directory.create(config.name, out)
    directory.describe(place, configuration.dump(resolved(config)))
    run.checkpoints = Checkpoints(place)
    return _follow(run, place, mode, False, debug_nan)


def resume_run(place: Path, changes: list[str], mode: Mode, debug_nan: bool = False) -> int:
    """Continues a run from its newest whole checkpoint; gives the exit code.

    Raises:
        ConfigError: no run directory, or a change other than of CHANGEABLE.
        DataError: no whole checkpoint.
    """
    for change in changes:
        if change.partition("=")[0] not in CHANGEABLE:
            names = ", ".join(CHANGEABLE)
            raise ConfigError(f"--resume: {change}: only {names} may change when a run continues")
    config = configuration.load(str(load_config_of(place)), changes)
    run = build_run(config)
    run.checkpoints = Checkpoints(place)
    note = run.checkpoints.restore(run)
    for change in changes:
        if change.startswith("optimizer.lr="):
            for group in run.optimizer.param_groups:
                group["lr"] = config.optimizer.args["lr"]
    print(f"resuming {place} from checkpoint {note}", file=sys.stderr)
    return _follow(run, place, mode, True, debug_nan)


def _follow(run: Run, place: Path, mode: Mode, resumed: bool, debug_nan: bool) -> int:
    shown = listener(mode, run.epochs, run.steps)
    kept = directory.MetricsFile(place, run.progress.step if resumed else None)
    last: Any = None
    try:
        with polite_stop(run), hunting(run) if debug_nan else nullcontext():
            for event in fit(run):
                kept(event)
                shown(event)
                last = event
    finally:
        shown.close()
        kept.close()
    if mode not in ("json", "off"):
        _conclude(run, place, last)
    return EXIT_CODES[run.stop] if run.stop is not None else 0


def _conclude(run: Run, place: Path, ended: Any) -> None:
    if run.stop is not None:
        print(
            f"stopped by {run.stop} after step {ended.step}; continue with: lenet train --resume {place}",
            file=sys.stderr,
        )
    if ended.reason in OVER_EARLY:
        print(OVER_EARLY[ended.reason].format(epoch=ended.epoch, step=ended.step, place=place), file=sys.stderr)
    best = ""
    if ended.best_epoch is not None and ended.loss is not None:
        figure = f"accuracy {ended.accuracy:.4f}" if ended.accuracy is not None else f"loss {ended.loss:.6g}"
        best = f"best epoch {ended.best_epoch}: test {figure}; "
    print(f"{best}{ended.seconds:.1f} s; run directory {place}")
