"""A page of results: measured parts between markers are replaced one by one, what people wrote around them stays."""

from __future__ import annotations

from pathlib import Path


class Page:
    """A Markdown file with parts `<!-- NAME -->` ... `<!-- end of NAME -->`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, text: str) -> None:
        """Writes a part.

        Raises:
            ValueError: the page has no such part.
        """
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = self.path.read_text("utf-8").partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{self.path} has no part between {begin.strip()} and {end}")
        self.path.write_text(f"{before}{begin}{text}\n{end}{after}", "utf-8")
