"""`lenet doctor`: what this installation is made of."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show versions, which kernels run and why, threads and optional libraries.

    Example: lenet doctor
    """
    from lenetcli.inspection.doctor import findings

    found = findings()
    if as_json:
        print(json.dumps([line.record() for line in found]))
        return
    from lenetcli.report.console import results
    from lenetcli.report.tables import finding_table

    results().print(finding_table(found))
