"""`lenet verify-resume`: proves that a configuration's training can be killed and resumed to the same end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli.options import Config, Json, changes
from lenetcli.errors import CheckFailed

if TYPE_CHECKING:
    from lenetcli.cli.resume_check import Verdict


def verify_resume(
    config: Config,
    overrides: Annotated[list[str] | None, changes("train.epochs=2")] = None,
    kills: Annotated[int, typer.Option(help="How often to kill the training.", min=1, max=1000)] = 1,
    seed: Annotated[int | None, typer.Option(help="Decides when to kill.", show_default="random")] = None,
    as_json: Json = False,
) -> None:
    """Train twice, once in peace and once killed at random steps and resumed; compare weights and optimizer bit by bit.

    Everything happens in a temporary directory. It takes a little more than two trainings: train.epochs=2 is enough.

    Example: lenet verify-resume configs/lenet.yaml train.epochs=2 --kills 3
    """
    from lenetcli.cli.resume_check import check_resume

    verdict = check_resume(config, overrides or [], kills, seed)
    if as_json:
        print(json.dumps(verdict.record()))
        raise typer.Exit(0 if verdict.identical else CheckFailed.exit_code)
    if not verdict.identical:
        raise CheckFailed(_failure(verdict))
    from lenetcli.report.console import results

    results().print(f"resume is exact: {_story(verdict)}; {verdict.tensors} tensors are the same to the last bit")


def _story(verdict: Verdict) -> str:
    deaths = ", ".join(
        f"step {kill.step} (resumed from {kill.resumed_from or 'the beginning'})" for kill in verdict.kills
    )
    return f"killed after {deaths} of {verdict.steps}"


def _failure(verdict: Verdict) -> str:
    found = verdict.first_difference
    assert found is not None
    place = found.tensor if found.index is None else f"{found.tensor}{found.index}"
    more = f" ({found.count:,} elements of it differ)" if found.index is not None else ""
    values = f"{found.uninterrupted!r} uninterrupted, {found.resumed!r} resumed"
    return f"resume is not exact: {_story(verdict)}\nfirst difference: {found.file}: {place}: {values}{more}"
