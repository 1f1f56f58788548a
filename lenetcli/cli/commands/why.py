"""`lenet why`: the way of one weight of a run from its first value to its last."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from lenetcli.cli.options import Json, Places, RunDir, check_place, show
from lenetcli.errors import ConfigError


def why(
    run: RunDir,
    weight: Annotated[
        str, typer.Argument(help="A parameter and a place in it, such as 'fc1.weight[3,7]'.", metavar="NAME[I,J]")
    ],
    places: Places = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Show so many steps, those that changed it most.")] = 10,
    samples: Annotated[int, typer.Option("--samples", min=0, help="Name so many samples of each step.")] = 3,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with the samples' pictures.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Take apart how one weight came to be: step by step, momentum, weight decay, and the samples that pushed it.

    The run is trained again, and every loss has to be the recorded one. With --json all steps are told.

    Example: lenet why runs/lenet/001 'fc1.weight[3,7]'
    """
    from lenetcli.inspection.training.why import why as way_of
    from lenetcli.report.training.why import draw
    from lenetcli.runs.open import load_unfinished

    name, index = _parsed(weight)
    check_place(html, "--html")
    found = way_of(run, places or [], name, index, samples)
    source = load_unfinished(run, places or []).source
    if html is not None:
        from lenetcli.disk import write_file
        from lenetcli.report.training.why_page import page

        write_file(html, page(found, str(run), steps, tuple(source.classes), source.train).encode())
        if not as_json:
            print(html)
            return

    def drawing(_: Any) -> Any:
        return draw(found, steps, tuple(source.classes))

    show(found.record(), drawing, as_json, crop=False)


def _parsed(weight: str) -> tuple[str, tuple[int, ...]]:
    """The parameter's name and the place in it."""
    match = re.fullmatch(r"([^\[\]]+)(?:\[\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)\s*\])?", weight)
    if match is None:
        raise ConfigError(f"{weight}: wanted a parameter and a place in it, such as 'fc1.weight[3,7]'")
    return match[1], tuple(int(number) for number in (match[2] or "").split(",") if number.strip())
