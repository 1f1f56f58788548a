"""`lenet doctor`: what this installation is made of."""

from __future__ import annotations

from lenetcli.cli.options import Json, show


def doctor(as_json: Json = False) -> None:
    """Show versions, which kernels run and why, threads and optional libraries.

    Example: lenet doctor
    """
    from lenetcli.inspection.doctor import findings
    from lenetcli.report.tables import finding_table

    found = findings()
    show([line.record() for line in found], lambda _: [finding_table(found)], as_json)
