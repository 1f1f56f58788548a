"""Pages as a browser and as a strict reader see them."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.live_page import OPTIONS, browser

EMPTY = {"br", "col", "hr", "img", "input", "link", "meta"}


@dataclass
class Found:
    """What stands on a page."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    problems: list[str] = field(default_factory=list)

    def all(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for tag, attributes in self.tags if tag == name]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Found()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.found.problems.append(f"<{tag}> has an attribute twice")
        self.found.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.found.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.found.text += data


def read(page: str) -> Found:
    """The page, taken apart; `problems` are elements that are not closed in order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    if reader.open:
        reader.found.problems.append(f"not closed: {reader.open}")
    return reader.found


def check(page: str) -> Found:
    """Fails where the page is not whole, not self-contained, or not accessible."""
    found = read(page)
    assert found.problems == []
    assert not found.all("script")
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:image/png;base64,")), (tag, value)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL) + [str(a.get("style", "")) for _, a in found.tags]
    assert not [style for style in styles if re.search(r"url\(|@import|https?:", style)]
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"].removeprefix("#") for a in found.all("a") if a["href"]} <= set(ids)
    assert all(image.get("alt") for image in found.all("img"))
    assert len(found.all("caption")) == len(found.all("table"))
    assert all("aria-label" in svg or "aria-hidden" in svg for svg in found.all("svg"))
    assert [len(found.all(landmark)) for landmark in ("header", "nav", "main", "footer", "h1", "title")][:5] == [1] * 5
    return found


def browse(path: Path, width: int = 1280, dark: bool = False, height: int = 3000) -> tuple[str, list[str], bytes]:
    """The page as Chromium renders it: its final HTML, its complaints, and a picture; skips where there is none."""
    chromium = browser()
    if chromium is None:
        pytest.skip("no Chromium here")
    picture = path.with_suffix(".png")
    command = [
        chromium, "--headless", *OPTIONS, "--enable-logging=stderr",
        f"--window-size={width},{height}", f"--user-data-dir={path.parent / 'browser'}", "--virtual-time-budget=2000",
        *(["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []),
    ]  # fmt: skip
    shot = subprocess.run(
        [*command, f"--screenshot={picture}", path.absolute().as_uri()], capture_output=True, text=True, timeout=120
    )
    dom = subprocess.run(
        [*command, "--dump-dom", path.absolute().as_uri()], capture_output=True, text=True, timeout=120
    )
    complaints = [line for line in (shot.stderr + dom.stderr).splitlines() if "CONSOLE" in line]
    return dom.stdout, complaints, picture.read_bytes()
