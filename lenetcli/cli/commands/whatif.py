"""`lenet whatif`: a run without some of its training samples, predicted and tried."""

from __future__ import annotations

from typing import Annotated

import typer

from lenetcli.cli.options import Json, Places, RunDir, show
from lenetcli.errors import ConfigError


def whatif(
    run: RunDir,
    places: Places = None,
    without: Annotated[
        str | None,
        typer.Option(
            "--without", metavar="I,J,...", help="Numbers of samples in the training data.", show_default=False
        ),
    ] = None,
    worst: Annotated[
        int | None,
        typer.Option("--worst", min=1, metavar="N", help="The first N of `lenet data suspects`.", show_default=False),
    ] = None,
    images: Annotated[int, typer.Option("--images", min=0, help="Name so many test samples.")] = 10,
    controls: Annotated[
        int, typer.Option("--controls", min=0, help="Train so often without as many others, drawn at random, too.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Leave samples out of a run's training: what the test loss should do, and what it does when trained again.

    The run is made again first, and every loss has to be the recorded one. The training without keeps order, batches,
    steps and rates; a batch that had one of the samples has the mean of the others.

    Example: lenet whatif runs/lenet/001 --worst 20
    """
    from lenetcli.inspection.training import whatif as training
    from lenetcli.report.training.whatif import draw

    if (without is None) == (worst is None):
        raise ConfigError("which samples? Give one of --without 4711,4712 and --worst 20")
    found = training.whatif(run, places or [], _numbers(without or ""), worst or 0, images, controls)
    show(found.record(), lambda _: draw(found), as_json)


def _numbers(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    strange = [word for word in words if not (word.isascii() and word.isdecimal() and len(word) < 10)]
    if strange or (text and not words):
        raise ConfigError(f"--without {text}: wanted numbers of samples, such as 4711,4712")
    return list(map(int, words))
