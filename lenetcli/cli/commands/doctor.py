"""`lenet doctor`: what this installation is made of."""

from __future__ import annotations

from typing import Any

from lenetcli.cli.options import Json, show


def doctor(as_json: Json = False) -> None:
    """Show versions, which kernels run and why, threads and optional libraries.

    Example: lenet doctor
    """
    from lenetcli.inspection.doctor import findings

    found = findings()

    def drawing(_: Any) -> list[Any]:
        from lenetcli.report.tables import finding_table

        return [finding_table(found)]

    show([line.record() for line in found], drawing, as_json)
