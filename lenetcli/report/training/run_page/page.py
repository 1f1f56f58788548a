"""The page as a whole: head, navigation, one section after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources

from lenetcli import __version__
from lenetcli.display.markup import Child, Markup, element, joined
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.report.training.run_page import course, facts, flow, judgement, views

# nothing of the page may be fetched from anywhere, nor anything in it run
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

SECTIONS: tuple[tuple[str, str, Callable[[RunReport], Child]], ...] = (
    ("summary", "Summary", course.summary),
    ("curves", "Curves", course.curves),
    ("metrics", "Metrics", judgement.measured),
    ("classes", "Classes", judgement.classes),
    ("mistakes", "Worst mistakes", judgement.mistakes),
    ("filters", "First layer", views.filters),
    ("maps", "Feature maps", views.maps),
    ("inside", "Attention and gates", views.inside),
    ("flow", "Flow over time", flow.flow),
    ("model", "Model", facts.model),
    ("config", "Configuration", facts.config),
    ("environment", "Environment", facts.environment),
)


def page(report: RunReport) -> str:
    """The page of a run."""
    return whole(
        f"{report.name}: {report.place}", "Training run", report.name, course.headline(report),
        [(key, name, draw(report)) for key, name, draw in SECTIONS], f"lenet report {report.place}",
    )  # fmt: skip


def whole(
    title: str, kind: str, name: str, headline: Child, sections: Sequence[tuple[str, str, Child]], command: str,
    style: str = "", refresh: float | None = None,
) -> str:  # fmt: skip
    """A page of sections that needs no network and runs no scripts.

    Args:
        sections: key, name and content; what has no content is left out.
        command: that makes the page.
        style: CSS beside that of all pages.
        refresh: seconds after which the browser should read it again.
    """
    shown = [(key, name, body) for key, name, body in sections if body is not None]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=f"lenet {__version__}"),
        None if refresh is None else element("meta", http_equiv="refresh", content=f"{refresh:g}"),
        element("title", title),
        element("style", Markup(resources.files(__package__).joinpath("page.css").read_text("utf-8") + style)),
    )
    body = element(
        "body",
        element("a", f"Skip to the {shown[0][1].lower()}", href=f"#{shown[0][0]}", class_="skip"),
        element("header", element("p", kind, class_="kind"), element("h1", name), headline),
        element(
            "nav",
            element("ul", [element("li", element("a", name, href=f"#{key}")) for key, name, _ in shown]),
            aria_label="Sections",
        ),
        element("main", [_section(key, name, content) for key, name, content in shown]),
        element("footer", element("p", f"Made by lenet {__version__}: {command}")),
    )
    return "<!doctype html>\n" + element("html", head, "\n", body, lang="en") + "\n"


def _section(key: str, name: str, content: Child) -> Markup:
    heading = element("h2", name, id=f"{key}-heading")
    return joined(["\n", element("section", heading, content, id=key, aria_labelledby=f"{key}-heading")])
