"""`lenet diff`: what two configurations, two runs or two files of weights differ in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import Json, Places
from lenetcli.errors import ConfigError, printable

if TYPE_CHECKING:
    from lenetcli.config import Config
    from lenetcli.inspection.compare.config import FirstStep
    from lenetcli.inspection.compare.replay import Replay
    from lenetcli.inspection.training.replay import Recorded

LONG = 3.0  # seconds of training that are told before


def diff(
    a: Annotated[
        str,
        typer.Argument(
            help="A configuration, a run directory or a file of weights.",
            metavar="A",
            autocompletion=completion.either,
        ),
    ],
    b: Annotated[str, typer.Argument(help="Another one.", metavar="B", autocompletion=completion.either)],
    places: Places = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay/--no-replay", help="Train two runs again up to where they part, to name the step and the tensor."
        ),
    ] = True,
    as_json: Json = False,
) -> None:
    """Compare two configurations, defaults written in, key by key; of two runs also where they part; weights by name.

    For two runs: the first step at which their recorded losses part; by training both again from the newest checkpoints
    that are the same, or from the start, the first step after which any tensor differs; and the best weights. Python
    of your own that they were made with is compared by its hashes; --no-replay imports none that you have not used.

    Of two files of weights, of torch, safetensors or NumPy, the tensors that differ; a run beside a file is its best
    weights.

    Example: lenet diff runs/lenet/001 runs/lenet/002
    """
    from lenetcli.config import consent, made_with
    from lenetcli.config.writing import plain
    from lenetcli.formats.recognise import is_weights
    from lenetcli.inspection.compare.config import config_differences
    from lenetcli.report.compare.config import draw_config
    from lenetcli.report.console import results

    if is_weights(a) or is_weights(b):
        _weights(a, b, places or [], as_json)
        return
    runs = Path(a).is_dir() and Path(b).is_dir()
    code = list(made_with.changes(Path(a), Path(b))) if runs else []
    if not as_json:
        for line in code:
            print(printable(f"own Python: {line}"))
    with consent.under(look=not (runs and replay)):
        one, other = _config(a), _config(b)
    configs = list(config_differences(plain(one), plain(other)))
    if not as_json:
        for part in draw_config(configs, a, b):
            results().print(part)
    found = {"config": [d.record() for d in configs], "first_step": None, "replay": None, "tensors": []}
    record = {**found, **({"code": code} if code else {})}
    if runs:
        record |= _runs((Path(a), one), (Path(b), other), places or [], replay, not as_json)
    elif places:
        raise ConfigError(f"{' '.join(places)}: two configurations are compared as they stand; their data is not read")
    if as_json:
        print(json.dumps(record))


def _weights(a: str, b: str, places: list[str], as_json: bool) -> None:
    """What differs between two files of weights.

    Raises:
        ConfigError: one of the two is a configuration, or there are changes.
        DataError: a file cannot be read.
    """
    from lenetcli.export.weights import read_weights
    from lenetcli.formats.recognise import is_weights
    from lenetcli.inspection.compare.tensors import differing
    from lenetcli.report.compare.config import draw_tensors
    from lenetcli.report.console import results

    if places:
        raise ConfigError(f"{' '.join(places)}: two files of weights are compared as they are; no data is read")
    for name in (a, b):
        if not is_weights(name) and not Path(name).is_dir():
            raise ConfigError(f"{name}: a file of weights is compared with another one, or with a run")
    files = [Path(name) / "model.safetensors" if Path(name).is_dir() else Path(name) for name in (a, b)]
    one, other = map(read_weights, files)
    found = differing(one, other)
    if as_json:
        empty: dict[str, Any] = {"config": [], "first_step": None, "replay": None}
        print(json.dumps({**empty, "tensors": [t.record() for t in found]}))
        return
    for part in draw_tensors(found, (a, b), "weights"):
        results().print(part)


def _runs(
    one: tuple[Path, Config], other: tuple[Path, Config], places: list[str], again: bool, draw: bool
) -> dict[str, Any]:
    """What else there is to say of two runs; drawn as soon as it is known."""
    from lenetcli.disk import is_regular, is_there
    from lenetcli.inspection.compare.config import first_step
    from lenetcli.inspection.compare.tensors import tensor_differences
    from lenetcli.inspection.training.replay import Recorded
    from lenetcli.report.compare.config import draw_replay, draw_steps, draw_tensors
    from lenetcli.report.console import results

    console = results()
    names = str(one[0]), str(other[0])
    metrics = {place: place / "metrics.jsonl" for place, _ in (one, other)}
    untrained = [place for place, path in metrics.items() if not is_there(path) and not path.is_symlink()]
    step: FirstStep | None = None
    replayed: Replay | None = None
    if not untrained:
        a, b = (Recorded.of(place, places) for place, _ in (one, other))
        step = first_step(a.history, b.history)
        if draw:
            console.print(draw_steps(step))
        replayed = _again(a, b, step.step if step else min(a.last, b.last)) if again else None
    elif draw:
        console.print(f"\nsteps: {untrained[0]} has made none, as an imported run", markup=False)
    if draw and replayed is not None:
        for line in draw_replay(replayed, names):
            console.print(line)
    weights = [place / "model.safetensors" for place, _ in (one, other)]
    without = [path.parent for path in weights if not is_regular(path)]
    tensors = [] if without else tensor_differences(weights[0], weights[1], _order(one[1]))
    if draw and without:
        console.print(f"\nbest weights: none yet in {without[0]}: it has not finished an epoch", markup=False)
    elif draw:
        for part in draw_tensors(tensors, names):
            console.print(part)
    return {
        "first_step": step.record() if step else None,
        "replay": replayed.record() if replayed else None,
        "tensors": [t.record() for t in tensors],
    }


def _order(config: Config) -> list[str]:
    """The names of a model's tensors in its order; none where it is made of what is only looked at."""
    from lenetcli.build.parts import build_model

    return [] if config.strangers() else list(build_model(config)[0].state_dict())


def _again(a: Recorded, b: Recorded, until: int) -> Replay:
    from lenetcli.inspection.compare.replay import replay, same_checkpoint, seconds

    begun = same_checkpoint(a.place, b.place)
    expected = seconds((a, b), begun, until)
    if expected > LONG:
        what = f"training both again from step {begun} to {until} or so, in about {expected:.0f} s"
        print(printable(f"{what}; --no-replay leaves that out"), file=sys.stderr)
    return replay(a, b, begun)


def _config(what: str) -> Config:
    """A configuration, or that of a run, fully resolved."""
    from lenetcli import config as configuration
    from lenetcli.build.parts import config_of_run, resolved

    return resolved(config_of_run(Path(what)) if Path(what).is_dir() else configuration.load(what))
