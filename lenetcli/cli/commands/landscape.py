"""`lenet landscape`: the loss around a run's way."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli.options import Json, Places, RunDir, check_place, show
from lenetcli.errors import ConfigError, printable


def landscape(
    run: RunDir,
    places: Places = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with pictures.", show_default=False)
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Training samples that each loss is over.")] = 256,
    steps: Annotated[
        int, typer.Option("--steps", min=3, max=201, help="Losses on each axis of a plane, an odd number.")
    ] = 25,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random directions.")] = 0,
    as_json: Json = False,
) -> None:
    """Compute the loss around a run's way: on two planes, straight from its first weights to its last, how it bends.

    The planes are that of the checkpoints' principal components, and two random directions, each filter as long as the
    weights' own. The largest eigenvalue of the Hessian at each checkpoint stands beside 2 / learning rate.

    Example: lenet landscape runs/lenet/001 --html landscape.html
    """
    from lenetcli.disk import write_file
    from lenetcli.inspection.training.landscape import landscape as around
    from lenetcli.report.training.landscape import draw

    if steps % 2 == 0:
        raise ConfigError(f"--steps {steps}: wanted an odd number, so that the last weights are in the middle")
    check_place(html, "--html")
    found = around(run, places or [], samples, steps, seed)
    show(found.record(), lambda _: draw(found), as_json, crop=False)
    if html is not None:
        from lenetcli.report.training.landscape import page

        data = page(found, str(run), f"lenet landscape {run}").encode()
        write_file(html, data)
        print(printable(f"{html}: {len(data) / 1000:,.0f} kB"), file=sys.stderr if as_json else sys.stdout)
